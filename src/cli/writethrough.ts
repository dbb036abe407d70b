/**
 * Writes a guest's file changes under one directory to the host, after the guest has ended. All new files are first made in a staging
 * directory, because the bytes of a file may still lie in a host file that another new file replaces. Then each new file is renamed to its
 * path, whole or not at all, and deleted files are removed. A guest cannot set mode bits beyond rwx (setuid, setgid, sticky) on the host.
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { cannotWrite, IsoformError } from '../base/errors.ts';
import { momentaryName, removeLeftovers } from '../base/files.ts';
import { Reach } from '../base/reach.ts';
import { Errno, errnoName } from '../machine/linux/errno.ts';
import { fromBinary, toBinary } from '../machine/linux/nodes.ts';
import type { Bytes, Change } from '../machine/process.ts';

/** @param directory changes elsewhere stay in memory. @throws cannot-write; changes written before the error stay */
export function writeThrough(changes: Iterable<Change>, directory: string): void {
  const root = toBinary(resolve(directory));
  const inside = [...changes].filter(({ path }) => path === root || path.startsWith(root === '/' ? root : `${root}/`));
  const writer = new HostWriter(fromBinary(root));
  const each = (work: (change: Change) => void, list: readonly Change[] = inside) => {
    for (const change of list)
      try {
        work(change);
      } catch (error) {
        throw error instanceof IsoformError ? error : cannotWrite(fromBinary(change.path), asNodeError(error));
      }
    writer.reach.close();
  };
  try {
    each((change) => writer.open(change));
    each((change) => writer.prepare(change));
    // New files are placed before old ones are removed, so that a renamed file is never missing. If a new file cannot be placed before the
    // old one is removed, both changes wait till the end.
    const deferred = deferredChanges(inside, (path) => writer.kindAt(path));
    const immediate = inside.filter((change) => !deferred.has(change));
    each((change) => writer.place(change), immediate);
    each((change) => writer.remove(change), immediate);
    each(
      (change) => {
        writer.remove(change);
        writer.place(change);
      },
      inside.filter((change) => deferred.has(change)),
    );
    // The deepest first: a new mode of a directory may forbid the way to its entries.
    each((change) => writer.setMode(change), [...inside].reverse());
  } finally {
    writer.end();
  }
}

/** Changes that replace a directory, or replace a file or link by a directory, with all changes below and the deletions at their paths. */
function deferredChanges(
  changes: readonly Change[],
  kindAt: (path: string) => 'directory' | 'other' | undefined,
): Set<Change> {
  const deferred = new Set<Change>();
  let root: string | undefined;
  for (const change of changes) {
    const { kind, path } = change;
    if (root === undefined || (path !== root && !path.startsWith(`${root}/`))) {
      const there = isMade(change) ? kindAt(path) : undefined;
      root = there === 'directory' || (there !== undefined && kind === 'directory') ? path : undefined;
    }
    if (root !== undefined) deferred.add(change);
  }
  // The deletion of a path comes before the change that makes the path again.
  const places = new Set([...deferred].map(({ path }) => path));
  for (const change of changes) if (change.kind === 'deleted' && places.has(change.path)) deferred.add(change);
  return deferred;
}

/** Does the change make a new file, directory or link at the path? */
const isMade = (change: Change): boolean =>
  change.kind === 'link' ||
  (change.kind === 'file' && change.contents !== undefined) ||
  (change.kind === 'directory' && change.made);

/** Converts an Errno, which reading a guest file's contents from the host may throw, to the form of a Node error. */
const asNodeError = (error: unknown): unknown => (error instanceof Errno ? { code: errnoName(error.code) } : error);

/** Mode bits that a guest may set on the host. */
const RIGHT_BITS = 0o777;
const SPECIAL_BITS = 0o7000;
const OWNER_RIGHTS = 0o700;
const PIECE_BYTES = 2 ** 20;

class HostWriter {
  readonly reach = new Reach();
  readonly #root: string;
  /** The staging directory. */
  #stage: string | undefined;
  #parent = '';
  readonly #made = new Map<Change, string>();

  /** @param root path of a host directory, as text */
  constructor(root: string) {
    this.#root = root;
  }

  /** Gives the owner all rights to a directory whose mode will change, until setMode sets the final mode. */
  open({ kind, path }: Change): void {
    const stat = kind === 'directory' ? this.#stat(path) : undefined;
    if (stat?.isDirectory()) this.#unlock(path, stat.mode);
  }

  /** Makes a new file or link in the staging directory. */
  prepare(change: Change): void {
    if (change.kind === 'link') {
      symlinkSync(Buffer.from(change.target, 'latin1'), this.#wait(change));
    } else if (change.kind === 'file' && change.contents) {
      const fd = openSync(this.#wait(change), 'wx', 0o600);
      try {
        copy(change.contents, fd);
        fchmodSync(fd, change.mode & RIGHT_BITS);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    }
  }

  kindAt(path: string): 'directory' | 'other' | undefined {
    const stat = this.#stat(path);
    return stat && (stat.isDirectory() ? 'directory' : 'other');
  }

  place(change: Change): void {
    const { kind, path } = change;
    if (!isMade(change)) return;
    const made = this.#made.get(change);
    const there = this.#stat(path);
    if (kind === 'directory') {
      if (there?.isDirectory()) return;
      if (there) this.#remove(path);
      this.reach.at(path, (reached) => mkdirSync(reached, OWNER_RIGHTS));
      return;
    }
    if (there?.isDirectory()) this.#remove(path);
    try {
      this.reach.at(path, (reached) => renameSync(made!, reached));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      this.#carry(change, made!);
    }
  }

  /** Sets the mode of a directory, or of a file that was not staged. */
  setMode(change: Change): void {
    const { kind, path } = change;
    if ((kind !== 'file' && kind !== 'directory') || this.#made.has(change)) return;
    const there = this.#stat(path);
    // Another process may have put a link there, which chmod would follow.
    if (!(kind === 'file' ? there?.isFile() : there?.isDirectory())) throw { code: `it is no ${kind} any more` };
    // A directory keeps the special bits that it has on the host.
    const special = kind === 'directory' ? there!.mode & SPECIAL_BITS : 0;
    this.reach.at(path, (reached) => chmodSync(reached, (change.mode & RIGHT_BITS) | special));
  }

  /** Removes the path if the guest has deleted it. */
  remove({ kind, path }: Change): void {
    if (kind === 'deleted') this.#remove(path);
  }

  /** Removes a file, a link, or a directory with its contents. */
  #remove(path: string): void {
    const stat = this.#stat(path);
    if (!stat) return;
    const pending: { path: string; names: string[] }[] = [];
    const enter = (at: string, mode: number) => {
      this.#unlock(at, mode);
      pending.push({ path: at, names: this.reach.at(at, (reached) => readdirSync(reached, { encoding: 'latin1' })) });
    };
    const take = (at: string, found: { mode: number; isDirectory(): boolean }) => {
      if (found.isDirectory()) enter(at, found.mode);
      else this.reach.at(at, (reached) => unlinkSync(reached));
    };
    take(path, stat);
    // No recursion: directories may be nested deeper than our stack.
    while (pending.length > 0) {
      const { path: at, names } = pending.at(-1)!;
      const name = names.pop();
      if (name !== undefined) {
        const found = this.#stat(`${at}/${name}`);
        if (found) take(`${at}/${name}`, found);
        continue;
      }
      pending.pop();
      this.reach.at(at, (reached) => rmdirSync(reached));
    }
    // The directory that `reach` holds open may have been removed.
    this.reach.close();
  }

  end(): void {
    this.reach.close();
    if (this.#stage === undefined) return;
    this.#remove(toBinary(this.#stage));
    removeLeftovers(this.#parent);
  }

  /** A new path in the staging directory. */
  #wait(change: Change): string {
    this.#stage ??= this.#makeStage();
    const place = `${this.#stage}/${this.#made.size}`;
    this.#made.set(change, place);
    return place;
  }

  #makeStage(): string {
    // A guest may write below a directory in which neither the guest nor isoform can make files.
    for (const parent of [this.#root, tmpdir()])
      try {
        const stage = momentaryName(parent);
        mkdirSync(stage, OWNER_RIGHTS);
        this.#parent = parent;
        return stage;
      } catch (error) {
        if (parent !== this.#root) throw error;
      }
    throw new Error('unreachable');
  }

  /** Moves a staged file or link to another file system: a copy is made beside the final path, then renamed. */
  #carry(change: Change, made: string): void {
    const { path } = change;
    const at = path.lastIndexOf('/');
    const beside = `${path.slice(0, at)}/${momentaryName('')}`;
    try {
      if (change.kind === 'link')
        this.reach.at(beside, (reached) => symlinkSync(Buffer.from(change.target, 'latin1'), reached));
      else this.reach.at(beside, (reached) => copyFileSync(made, reached, constants.COPYFILE_EXCL));
      const to = new Reach();
      this.reach.at(beside, (from) => to.at(path, (reached) => renameSync(from, reached)));
      to.close();
    } catch (error) {
      this.#remove(beside);
      throw error;
    }
  }

  #stat(path: string) {
    // The root directory may be given as a symbolic link.
    const look = path === toBinary(this.#root) ? statSync : lstatSync;
    try {
      return this.reach.at(path, (reached) => look(reached));
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  }

  #unlock(path: string, mode: number): void {
    if ((mode & OWNER_RIGHTS) !== OWNER_RIGHTS)
      this.reach.at(path, (reached) => chmodSync(reached, (mode & (RIGHT_BITS | SPECIAL_BITS)) | OWNER_RIGHTS));
  }
}

/** Writes bytes into an empty file; holes stay holes. */
function copy(bytes: Bytes, fd: number): void {
  const piece = new Uint8Array(PIECE_BYTES);
  ftruncateSync(fd, bytes.size);
  for (const { from, to } of bytes.data())
    for (let at = from; at < to; ) {
      const got = bytes.read(at, piece.subarray(0, Math.min(PIECE_BYTES, to - at)));
      for (let done = 0; done < got; ) done += writeSync(fd, piece, done, got - done, at + done);
      at += got;
    }
}
