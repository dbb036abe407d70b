/** The differences between an overlay and the host, path by path. */
import type { Contents } from './contents.ts';
import type { AskedTimes, DirectoryNode, Node } from './nodes.ts';
import type { Overlay } from './overlay.ts';

/** The bytes of a changed file, to be read in pieces: they may lie in a host file, and be many. */
export type Bytes = Pick<Contents, 'size' | 'read' | 'data'>;

/** An inode that has a path after the run. */
interface Present {
  readonly path: string;
  /** The name is new there: made, moved or linked by the guest. */
  readonly made: boolean;
  /** Equal numbers are names of one inode. */
  readonly ino: number;
  /** A path of the same inode on the host, at the start of the run; undefined: the guest made it. */
  readonly host: string | undefined;
  readonly mode: number;
  /** Nanoseconds since the epoch, as far as the guest has set them; a moved directory keeps its time. */
  readonly times: AskedTimes;
}

/** One path that differs from the host after the run. Paths and targets are binary strings. */
export type Change =
  | (Present & {
      readonly kind: 'file';
      /** Undefined: neither name nor bytes are new. */
      readonly contents: Bytes | undefined;
      /** The bytes are others than the host's. */
      readonly written: boolean;
      /** Only names are left that the guest has not seen; `path` is a name of the file at the start. */
      readonly hidden?: boolean;
    })
  | (Present & { readonly kind: 'directory' })
  | (Present & { readonly kind: 'link'; readonly target: string })
  /** A FIFO, socket or device of the host. */
  | (Present & { readonly kind: 'special' })
  | { readonly path: string; readonly kind: 'deleted' };

/** Is a directory at its path on the host, or without one? Then its entries alone tell the differences. */
const isAtHostPath = (directory: DirectoryNode, path: string): boolean =>
  directory.host === undefined || directory.host === path;

/**
 * All paths that differ from the host: a directory before its entries, in byte order of names. A host entry whose place a directory
 * has taken is deleted first; a FIFO or socket of the guest in the place of a host entry is only a deletion. Two equal runs give equal lists.
 */
export function* changesOf(overlay: Overlay): Generator<Change> {
  // No recursion: a guest's directories may be deeper than our stack.
  const pending: { directory: DirectoryNode; path: string; names: string[] }[] = [];
  const enter = (directory: DirectoryNode, path: string) => {
    const names = isAtHostPath(directory, path) ? [...directory.entries.keys()].sort() : overlay.list(directory);
    pending.push({ directory, path, names: names.reverse() });
  };
  enter(overlay.root, '');
  const told = new Set<number>();
  while (pending.length > 0) {
    const { directory, path, names } = pending.at(-1)!;
    const name = names.pop();
    if (name === undefined) {
      pending.pop();
      continue;
    }
    const inside = `${path}/${name}`;
    const node = overlay.lookup(directory, name);
    if (!node) {
      yield { path: inside, kind: 'deleted' };
      continue;
    }
    const unmoved = isAtHostPath(directory, path);
    const placed = directory.placed.has(name);
    const onHost = unmoved && directory.host !== undefined && placed && overlay.hostHas(inside);
    const stays = unmoved && (!placed || (node.kind === 'directory' && node.host === inside));
    if (node.kind === 'directory' && onHost && !stays) yield { path: inside, kind: 'deleted' };
    const change = changeOf(node, inside, !stays);
    told.add(node.ino);
    if (change) yield change;
    else if (onHost && !stays) yield { path: inside, kind: 'deleted' };
    if (node.kind === 'directory') enter(node, inside);
  }
  for (const node of overlay.linked) {
    const change = node.links > 0 && !told.has(node.ino) ? changeOf(node, node.origin!.path, false) : undefined;
    if (change?.kind === 'file') yield { ...change, hidden: true };
  }
}

/** What is new about an inode at a path, if anything can come to the host. */
function changeOf(node: Node, path: string, made: boolean): Change | undefined {
  const { ino, mode, origin } = node;
  const written = node.kind === 'file' && node.contents.changed;
  if (!made && !written && !node.changed) return undefined;
  const present = { path, made, ino, host: origin?.path, mode, times: timesOf(node, made) };
  switch (node.kind) {
    case 'directory':
      return { ...present, kind: 'directory' };
    case 'file':
      return { ...present, kind: 'file', contents: made || written ? node.contents : undefined, written };
    case 'link':
      return { ...present, kind: 'link', target: node.target };
    default:
      return origin ? { ...present, kind: 'special' } : undefined;
  }
}

/** A moved directory is made anew on the host: if the guest has not touched the directory, its old time is to be set. */
function timesOf({ kind, times, asked, origin }: Node, made: boolean): AskedTimes {
  const untouched = kind === 'directory' && made && origin?.modified === times.modified;
  return { modified: untouched ? times.modified : undefined, ...asked };
}
