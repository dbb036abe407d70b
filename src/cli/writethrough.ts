/**
 * Lets a guest's file changes out to the host, after it has ended: what is under one directory. All files are made first, apart: the bytes of
 * one may still lie in a host file that another takes the place of. Then the new comes to its place, each file whole or not at all, and what was
 * deleted goes. What a guest may not bring about on the host: bits that give rights to others (setuid, setgid, sticky).
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

/** @param directory changes elsewhere stay in memory. Throws cannot-write; what was written before stays. */
export function writeThrough(changes: Iterable<Change>, directory: string): void {
  const root = toBinary(resolve(directory));
  const inside = [...changes].filter(({ path }) => path === root || path.startsWith(root === '/' ? root : `${root}/`));
  const out = new WayOut(fromBinary(root));
  const each = (work: (change: Change) => void, list: readonly Change[] = inside) => {
    for (const change of list)
      try {
        work(change);
      } catch (error) {
        throw error instanceof IsoformError ? error : cannotWrite(fromBinary(change.path), plain(error));
      }
    out.reach.close();
  };
  try {
    each((change) => out.open(change));
    each((change) => out.prepare(change));
    // What is new comes before what is old goes: a file that was renamed is never nowhere. Where the new cannot come before the old has gone, both
    // wait till the end.
    const late = lateOnes(inside, (path) => out.kindAt(path));
    const early = inside.filter((change) => !late.has(change));
    each((change) => out.place(change), early);
    each((change) => out.remove(change), early);
    each(
      (change) => {
        out.remove(change);
        out.place(change);
      },
      inside.filter((change) => late.has(change)),
    );
    // The deepest first: who closes a directory cannot get into it any more.
    each((change) => out.setMode(change), [...inside].reverse());
  } finally {
    out.end();
  }
}

/** What takes the place of a directory, or is a directory that takes the place of something, with all that is in it. */
function lateOnes(
  changes: readonly Change[],
  kindAt: (path: string) => 'directory' | 'other' | undefined,
): Set<Change> {
  const late = new Set<Change>();
  let root: string | undefined;
  for (const change of changes) {
    const { kind, path } = change;
    if (root === undefined || (path !== root && !path.startsWith(`${root}/`))) {
      const there = isMade(change) ? kindAt(path) : undefined;
      root = there === 'directory' || (there !== undefined && kind === 'directory') ? path : undefined;
    }
    if (root !== undefined) late.add(change);
  }
  // A deletion stands before what comes to its place.
  const places = new Set([...late].map(({ path }) => path));
  for (const change of changes) if (change.kind === 'deleted' && places.has(change.path)) late.add(change);
  return late;
}

/** Is there something new at the path? */
const isMade = (change: Change): boolean =>
  change.kind === 'link' ||
  (change.kind === 'file' && change.contents !== undefined) ||
  (change.kind === 'directory' && change.made);

/** A host file that the guest's comes from may be one that cannot be read. */
const plain = (error: unknown): unknown => (error instanceof Errno ? { code: errnoName(error.code) } : error);

/** Bits that are let out. */
const RIGHTS = 0o777;
const SPECIAL = 0o7000;
const OWNERS = 0o700;
const PIECE = 2 ** 20;

class WayOut {
  readonly reach = new Reach();
  readonly #root: string;
  /** Where what is made waits. */
  #stage: string | undefined;
  #parent = '';
  readonly #made = new Map<Change, string>();

  /** @param root a host directory, as text */
  constructor(root: string) {
    this.#root = root;
  }

  /** A directory that will change in the end can be worked in till then. */
  open({ kind, path }: Change): void {
    const stat = kind === 'directory' ? this.#stat(path) : undefined;
    if (stat?.isDirectory()) this.#unlock(path, stat.mode);
  }

  /** Makes a new file or link, but not where it belongs. */
  prepare(change: Change): void {
    if (change.kind === 'link') {
      symlinkSync(Buffer.from(change.target, 'latin1'), this.#wait(change));
    } else if (change.kind === 'file' && change.contents) {
      const fd = openSync(this.#wait(change), 'wx', 0o600);
      try {
        copy(change.contents, fd);
        fchmodSync(fd, change.mode & RIGHTS);
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
      this.reach.at(path, (reached) => mkdirSync(reached, OWNERS));
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

  /** Of a file that was there before and of a directory. */
  setMode(change: Change): void {
    const { kind, path } = change;
    if ((kind !== 'file' && kind !== 'directory') || this.#made.has(change)) return;
    const there = this.#stat(path);
    // Somebody else may have put a link there, and chmod goes through it.
    if (!(kind === 'file' ? there?.isFile() : there?.isDirectory())) throw { code: `it is no ${kind} any more` };
    // What the host's owner has given a directory stays.
    const special = kind === 'directory' ? there!.mode & SPECIAL : 0;
    this.reach.at(path, (reached) => chmodSync(reached, (change.mode & RIGHTS) | special));
  }

  /** What the guest has deleted. */
  remove({ kind, path }: Change): void {
    if (kind === 'deleted') this.#remove(path);
  }

  /** Removes all that is there. */
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
    // No recursion: directories may be deeper than our stack.
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
    // A directory that was gone to on the way is not that of this name any more.
    this.reach.close();
  }

  end(): void {
    this.reach.close();
    if (this.#stage === undefined) return;
    this.#remove(toBinary(this.#stage));
    removeLeftovers(this.#parent);
  }

  /** A place to wait at. */
  #wait(change: Change): string {
    this.#stage ??= this.#makeStage();
    const place = `${this.#stage}/${this.#made.size}`;
    this.#made.set(change, place);
    return place;
  }

  #makeStage(): string {
    // A guest may write below a directory in which it, and we, can make nothing.
    for (const parent of [this.#root, tmpdir()])
      try {
        const stage = momentaryName(parent);
        mkdirSync(stage, OWNERS);
        this.#parent = parent;
        return stage;
      } catch (error) {
        if (parent !== this.#root) throw error;
      }
    throw new Error('unreachable');
  }

  /** From one file system to another: copied, and there it is the same again. */
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
    // A folder that was granted may be named by a link.
    const look = path === toBinary(this.#root) ? statSync : lstatSync;
    try {
      return this.reach.at(path, (reached) => look(reached));
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  }

  #unlock(path: string, mode: number): void {
    if ((mode & OWNERS) !== OWNERS)
      this.reach.at(path, (reached) => chmodSync(reached, (mode & (RIGHTS | SPECIAL)) | OWNERS));
  }
}

/** Bytes into an empty file; holes stay holes. */
function copy(bytes: Bytes, fd: number): void {
  const piece = new Uint8Array(PIECE);
  ftruncateSync(fd, bytes.size);
  for (const { from, to } of bytes.data())
    for (let at = from; at < to; ) {
      const got = bytes.read(at, piece.subarray(0, Math.min(PIECE, to - at)));
      for (let done = 0; done < got; ) done += writeSync(fd, piece, done, got - done, at + done);
      at += got;
    }
}
