/** The walk along a path through a tree of directories, as Linux does it (fs/namei.c). */
import { E, fail } from './errno.ts';
import { type DirectoryNode, may, type Node } from './nodes.ts';

/** uapi/linux/openat2.h. */
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16, CACHED: 32 } as const;
const MAX_LINKS = 40;
export const MAX_PATH = 4096;

/** Where a path leads: its last directory, its last name, and the node there (if any). */
export interface Place {
  readonly directory: DirectoryNode;
  /** `.` if the path names the directory itself. */
  readonly name: string;
  readonly node: Node | undefined;
  /** The path ended in a slash: only a directory may be there. */
  readonly slash: boolean;
}

export interface Tree {
  readonly root: DirectoryNode;
  /** The node that a name leads to. May throw Errno. */
  entry(directory: DirectoryNode, name: string): Node | undefined;
}

export interface WalkOptions {
  /** Where a relative path starts. */
  readonly base: DirectoryNode;
  /** Follow a symbolic link in the last component (with a trailing slash, a link is always followed). */
  readonly follow: boolean;
  /** Bits of RESOLVE. */
  readonly resolve: number;
}

const componentsOf = (path: string): string[] => path.split('/').filter((part) => part !== '');

/**
 * Walks a path. Throws Errno when a directory on the way is missing or not granted; the last component may be missing (node
 * undefined).
 */
export function walk(tree: Tree, path: string, { base, follow, resolve }: WalkOptions): Place {
  if (path === '') fail(E.NOENT);
  if (path.length >= MAX_PATH) fail(E.NAMETOOLONG);
  const beneath = (resolve & RESOLVE.BENEATH) !== 0;
  const scoped = (resolve & (RESOLVE.BENEATH | RESOLVE.IN_ROOT)) !== 0;
  const root = scoped ? base : tree.root;
  let directory = base;
  const toRoot = (name: string) => {
    if (!name.startsWith('/')) return;
    if (beneath) fail(E.XDEV);
    directory = root;
  };
  toRoot(path);
  let rest = componentsOf(path);
  let slash = path.endsWith('/');
  let links = 0;
  while (rest.length > 0) {
    const name = rest.shift()!;
    const last = rest.length === 0;
    if (!may(directory, 1)) fail(E.ACCES);
    if (name === '.' || name === '..') {
      if (name === '..' && directory !== root) directory = directory.parent;
      else if (name === '..' && beneath) fail(E.XDEV);
      if (last) return { directory, name: '.', node: directory, slash };
      continue;
    }
    let node = tree.entry(directory, name);
    if (node?.kind === 'link' && (!last || follow || slash)) {
      if (++links > MAX_LINKS || resolve & RESOLVE.NO_SYMLINKS) fail(E.LOOP);
      if (node.to && resolve & RESOLVE.NO_MAGICLINKS) fail(E.LOOP);
      if (node.to && scoped) fail(E.XDEV);
      if (!node.to) toRoot(node.target);
      else node = node.to();
    }
    if (node?.kind === 'link' && (!last || follow || slash)) {
      rest = [...componentsOf(node.target), ...rest];
      // A slash behind the target of the last link asks for a directory as a slash behind the path does.
      if (last) slash ||= node.target.endsWith('/');
      continue;
    }
    if (last) {
      if (slash && node && node.kind !== 'directory') fail(E.NOTDIR);
      return { directory, name, node, slash };
    }
    if (!node) return fail(E.NOENT);
    if (node.kind !== 'directory') return fail(E.NOTDIR);
    directory = node;
  }
  return { directory, name: '.', node: directory, slash };
}
