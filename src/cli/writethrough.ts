/**
 * Writes a guest's file changes under one directory to the host, after the guest has ended. All new files are first made in a staging
 * directory, because the bytes of a file may still lie in a host file that another new file replaces; a moved host file is linked there, and
 * stays the same inode. Then each new file is renamed to its path, whole or not at all, and deleted files are removed. A host file with
 * several names, or of another owner, is written in place: only so all its names have the new bytes. A guest cannot set mode bits beyond rwx
 * (setuid, setgid, sticky) on the host.
 */
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { cannotWrite, IsoformError } from '../base/errors.ts';
import { momentaryName, removeLeftovers } from '../base/files.ts';
import { Reach } from '../base/reach.ts';
import { Errno, errnoName } from '../machine/linux/errno.ts';
import { fromBinary, toBinary } from '../machine/linux/nodes.ts';
import type { Bytes, Change } from '../machine/process.ts';
import { copy, hostTime, isForeign, linked, nodeTime, own } from './inodes.ts';

/** @param directory changes elsewhere stay in memory. @throws cannot-write; changes written before the error stay */
export function writeThrough(changes: Iterable<Change>, directory: string): void {
  const root = toBinary(resolve(directory));
  const inside = within(changes, root);
  const touched = touchedFolders(inside);
  const writer = new HostWriter(fromBinary(root), leftBehind(inside));
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
    each((change) => writer.look(change));
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
    each((change) => writer.fill(change));
    // The deepest first: a new mode of a directory may forbid the way to its entries, and a new entry changes the directory's time.
    each((change) => {
      writer.setMode(change);
      writer.setTimes(change);
    }, [...inside].reverse());
    writer.keepTimes(touched);
  } finally {
    writer.end(touched);
  }
}

/** Deleted paths that no change makes again: an inode of such a path may have been moved. */
function leftBehind(changes: readonly Change[]): Set<string> {
  const left = new Set(changes.filter(({ kind }) => kind === 'deleted').map(({ path }) => path));
  for (const { kind, path } of changes) if (kind !== 'deleted') left.delete(path);
  return left;
}

/** Directories whose time changes: entries were made or removed, or the guest has set the time. */
const touchedFolders = (changes: readonly Change[]): Set<string> =>
  new Set(
    changes.flatMap((change) => {
      if (change.kind === 'deleted' || change.made) return [folderOf(change.path), change.path];
      return change.kind === 'directory' ? [change.path] : [];
    }),
  );

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/** Changes at or under a directory. @throws cannot-write if a directory that was moved cannot be read */
function within(changes: Iterable<Change>, root: string): Change[] {
  try {
    return [...changes].filter(({ path }) => path === root || path.startsWith(root === '/' ? root : `${root}/`));
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    throw cannotWrite(fromBinary(root), {
      code: `a directory in it was moved and cannot be read: ${errnoName(error.code)}`,
    });
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

/** Does the change make a new name at the path, or new contents? */
const isMade = (change: Change): boolean =>
  change.kind !== 'deleted' && (change.made || (change.kind === 'file' && change.contents !== undefined));

/** Converts an Errno, which reading a guest file's contents from the host may throw, to the form of a Node error. */
const asNodeError = (error: unknown): unknown => (error instanceof Errno ? { code: errnoName(error.code) } : error);

/** Mode bits that a guest may set on the host. */
const RIGHT_BITS = 0o777;
const SPECIAL_BITS = 0o7000;
const STICKY_BIT = 0o1000;
const OWNER_RIGHTS = 0o700;

/** A file or link that was staged; its first name. */
interface Written {
  readonly place: string;
  /** The host's inode that gets the bytes in place. */
  readonly into: Stats | undefined;
}

class HostWriter {
  readonly reach = new Reach();
  /** A second path, in calls that take two. */
  readonly #other = new Reach();
  readonly #root: string;
  /** The staging directory. */
  #stage: string | undefined;
  #parent = '';
  #before: Stats | undefined;
  #places = 0;
  readonly #made = new Map<Change, string>();
  /** By inode. */
  readonly #written = new Map<number, Written>();
  readonly #filled = new Set<number>();
  readonly #folders = new Map<string, Stats>();
  readonly #held = new Map<Change, string>();
  /** By path in the staging directory: the final path. */
  readonly #placed = new Map<string, string>();
  /** The host's inode of a change, before anything is written. */
  readonly #origins = new Map<Change, Stats>();

  readonly #left: Set<string>;

  /**
   * @param root path of a host directory, as text
   * @param left paths that become free
   */
  constructor(root: string, left: Set<string>) {
    this.#root = root;
    this.#left = left;
  }

  /** Looks at the host's inode, and refuses a change that cannot be made, before anything is written. */
  look(change: Change): void {
    if (change.kind === 'deleted' || change.host === undefined) return;
    if (change.kind === 'file' && change.written && !change.made) this.#note(folderOf(change.path));
    const there = this.#stat(change.host);
    if (!there) {
      if (change.kind === 'special') throw { code: 'it is not on the host any more' };
      return;
    }
    this.#origins.set(change, there);
    if (change.kind === 'directory' && change.made && isForeign(there))
      throw { code: 'it was moved, and belongs to another user' };
    if (change.kind === 'file' && change.written && isForeign(there))
      this.reach.at(change.host, (path) => accessSync(path, constants.W_OK));
  }

  /** Notes the time of a directory in which a file is replaced by one with new bytes: the guest has only written to the file. */
  #note(folder: string): void {
    const stat = this.#folders.has(folder) ? undefined : this.#stat(folder);
    if (stat) this.#folders.set(folder, stat);
  }

  /** Gives the owner all rights to a directory whose mode will change, until setMode sets the final mode. */
  open({ kind, path }: Change): void {
    const stat = kind === 'directory' ? this.#stat(path) : undefined;
    if (stat?.isDirectory()) this.#unlock(path, stat.mode);
  }

  /** Makes a new file or link in the staging directory. */
  prepare(change: Change): void {
    if (change.kind === 'file' && change.hidden) this.#hold(change);
    if (!isMade(change) || change.kind === 'directory' || change.kind === 'deleted') return;
    if (change.kind === 'file') {
      this.#prepareFile(change, change.contents!);
      return;
    }
    const place = this.#wait();
    this.#made.set(change, place);
    if (this.#link(change, place)) return;
    const known = this.#written.get(change.ino);
    this.#written.set(change.ino, known ?? { place, into: undefined });
    if (known && linked(known.place, place)) return;
    if (change.kind === 'special') throw { code: 'it cannot be moved: the file system knows no links' };
    symlinkSync(Buffer.from(change.target, 'latin1'), place);
  }

  #prepareFile(change: Change & { kind: 'file' }, contents: Bytes): void {
    const known = this.#written.get(change.ino);
    const origin = this.#origins.get(change);
    if (known && !known.into) {
      const place = this.#wait();
      this.#made.set(change, place);
      if (!linked(known.place, place)) this.#makeFile(place, change, contents);
      return;
    }
    if (known && !change.made) return;
    const place = this.#wait();
    if (known || !change.written) {
      if (this.#link(change, place)) {
        if (change.made) this.#made.set(change, place);
        return;
      }
      if (known) throw { code: 'it has several names, and the file system makes no more' };
    }
    const whole = this.#makeFile(place, change, contents);
    const into = change.written && origin && (origin.nlink > 1 || !whole || change.hidden) ? origin : undefined;
    this.#written.set(change.ino, { place, into });
    if (!into) this.#made.set(change, place);
    else if (change.made) {
      const name = this.#wait();
      if (!this.#link(change, name)) throw { code: 'it has several names, and the file system makes no more' };
      this.#made.set(change, name);
    }
  }

  /** @returns whether the staged file has the owner of the host's */
  #makeFile(place: string, change: Change & { kind: 'file' }, contents: Bytes): boolean {
    const origin = this.#origins.get(change);
    const fd = openSync(place, 'wx', 0o600);
    try {
      copy(contents, fd);
      const whole = !origin || own(fd, origin);
      const special = !change.written && origin && whole ? origin.mode & change.mode & SPECIAL_BITS : 0;
      fchmodSync(fd, (change.mode & RIGHT_BITS) | special);
      fsyncSync(fd);
      if (origin && !change.written) {
        if (!whole) throw { code: 'it was moved, and belongs to another user' };
        lutimesSync(place, nodeTime(origin.atimeMs), nodeTime(origin.mtimeMs));
      }
      return whole;
    } finally {
      closeSync(fd);
    }
  }

  /** Links an inode of unknown names into the staging directory. */
  #hold(change: Change): void {
    const place = this.#wait();
    if (!this.#link(change, place)) throw { code: 'it has several names, and the file system makes no more' };
    this.#held.set(change, toBinary(place));
  }

  /** The path of an inode once all changes are placed. */
  #pathOf(change: Change): string {
    return this.#held.get(change) ?? change.path;
  }

  /** Links the host's inode into the staging directory. False: the change has none, or the link is not possible. */
  #link(change: Change, place: string): boolean {
    if (change.kind === 'deleted' || change.host === undefined || !this.#origins.has(change)) return false;
    try {
      this.reach.at(change.host, (path) => linkSync(path, place));
      return true;
    } catch {
      return false;
    }
  }

  /** Writes new bytes into a host file in place. */
  fill(change: Change): void {
    if (change.kind !== 'file') return;
    const { ino, contents } = change;
    const path = this.#pathOf(change);
    const { place, into } = this.#written.get(ino) ?? {};
    if (!into || !contents || this.#filled.has(ino)) return;
    this.#filled.add(ino);
    const from = openSync(place!, 'r');
    try {
      const stat = this.#stat(path);
      if (stat?.ino !== into.ino || stat.dev !== into.dev) throw { code: 'it is not the same file any more' };
      if (!(stat.mode & 0o200) && !isForeign(stat))
        this.reach.at(path, (reached) => chmodSync(reached, (stat.mode & RIGHT_BITS) | 0o200));
      const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const fd = this.reach.at(path, (reached) => openSync(reached, flags));
      try {
        if (fstatSync(fd).ino !== into.ino) throw { code: 'it is not the same file any more' };
        const read = (at: number, target: Uint8Array) => readSync(from, target, 0, target.length, at);
        ftruncateSync(fd, 0);
        copy({ size: contents.size, data: () => contents.data(), read }, fd);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    } finally {
      closeSync(from);
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
    if (kind === 'directory') {
      this.#placeDirectory(change);
      return;
    }
    if (made === undefined) return;
    if (this.#stat(path)?.isDirectory()) this.#remove(path);
    this.#moveFromHost(change);
    try {
      this.reach.at(path, (reached) => renameSync(made, reached));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      this.#carry(change, made);
    }
    this.#placed.set(made, path);
  }

  /** Renames an inode whose old path becomes free: a process that is killed meanwhile leaves one of the names, not both. */
  #moveFromHost(change: Change): void {
    const origin = this.#origins.get(change);
    if (change.kind === 'deleted' || change.host === undefined || !origin || !this.#left.delete(change.host)) return;
    const { host, path } = change;
    const [there, made] = [this.#stat(host), lstatSync(this.#made.get(change)!)];
    if (there?.ino !== made.ino || there.dev !== made.dev) return;
    this.reach.at(path, (to) => this.#other.at(host, (from) => renameSync(from, to)));
    this.#other.close();
  }

  #placeDirectory(change: Change): void {
    const { path } = change;
    const there = this.#stat(path);
    if (there?.isDirectory()) return;
    if (there) this.#remove(path);
    const origin = this.#origins.get(change);
    this.reach.at(path, (reached) => {
      mkdirSync(reached, OWNER_RIGHTS);
      if (origin) lchownSync(reached, origin.uid, origin.gid);
    });
  }

  /** Sets the mode of an inode that is no link. Special bits stay where the host has them, the guest keeps them and the bytes are the same. */
  setMode(change: Change): void {
    const { kind } = change;
    if (kind === 'deleted' || kind === 'link') return;
    const path = this.#pathOf(change);
    const there = this.#stat(path);
    // Another process may have put a link there, which chmod would follow.
    const same = kind === 'special' || (kind === 'file' ? there?.isFile() : there?.isDirectory());
    if (!there || !same || there.isSymbolicLink()) throw { code: `it is no ${kind} any more` };
    const origin = change.made ? this.#origins.get(change) : undefined;
    const had = (origin ?? there).mode & SPECIAL_BITS;
    // A directory keeps its sticky bit: without the bit others could delete its entries.
    const keeps = kind === 'directory' ? change.mode | STICKY_BIT : kind === 'file' && change.written ? 0 : change.mode;
    const mode = (change.mode & RIGHT_BITS) | (had & keeps);
    if ((there.mode & (RIGHT_BITS | SPECIAL_BITS)) !== mode) this.reach.at(path, (reached) => chmodSync(reached, mode));
  }

  /** Sets the times that the guest has set, to a microsecond. */
  setTimes(change: Change): void {
    if (change.kind === 'deleted') return;
    const { times } = change;
    const path = this.#pathOf(change);
    const isNew = change.kind === 'file' && change.written && times.modified === 'now';
    if (times.accessed === undefined && (isNew || times.modified === undefined)) return;
    const there = this.#stat(path);
    if (!there) return;
    const [accessed, modified] = [hostTime(times.accessed, there.atimeMs), hostTime(times.modified, there.mtimeMs)];
    this.reach.at(path, (reached) => lutimesSync(reached, accessed, modified));
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

  /** Gives directories in which files were only written their old time. */
  keepTimes(touched: ReadonlySet<string>): void {
    for (const [path, stat] of this.#folders)
      if (!touched.has(path) && !isForeign(stat) && this.#stat(path)?.isDirectory())
        this.reach.at(path, (reached) => utimesSync(reached, nodeTime(stat.atimeMs), nodeTime(stat.mtimeMs)));
  }

  /** Removes the staging directory. @param touched directories; the root gets its old time if it is not among them */
  end(touched: ReadonlySet<string>): void {
    this.reach.close();
    if (this.#stage === undefined) return;
    const { atimeMs, mtimeMs } = touched.has(toBinary(this.#root)) ? statSync(this.#parent) : this.#before!;
    this.#remove(toBinary(this.#stage));
    removeLeftovers(this.#parent);
    if (this.#parent === this.#root && !isForeign(this.#before!))
      utimesSync(this.#parent, nodeTime(atimeMs), nodeTime(mtimeMs));
  }

  /** A new path in the staging directory. */
  #wait(): string {
    this.#stage ??= this.#makeStage();
    return `${this.#stage}/${this.#places++}`;
  }

  #makeStage(): string {
    // A guest may write below a directory in which neither the guest nor isoform can make files.
    for (const parent of [this.#root, tmpdir()])
      try {
        const stage = momentaryName(parent);
        this.#before = statSync(parent);
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
      else this.#copyOrLink(change, made, beside);
      this.reach.at(beside, (from) => this.#other.at(path, (reached) => renameSync(from, reached)));
      this.#other.close();
    } catch (error) {
      this.#remove(beside);
      throw error;
    }
  }

  /** Links a file from another of its final paths, or copies the staged file. */
  #copyOrLink(change: Change, made: string, beside: string): void {
    const first = change.kind === 'file' ? this.#written.get(change.ino)?.place : undefined;
    const known = first === undefined ? undefined : this.#placed.get(first);
    this.reach.at(beside, (reached) => {
      if (known !== undefined) this.#other.at(known, (from) => linkSync(from, reached));
      else copyFileSync(made, reached, constants.COPYFILE_EXCL);
    });
    if (known !== undefined || !this.#origins.has(change)) return;
    // Owner and time of the host's inode; setMode sets the mode at the end.
    const { uid, gid, atimeMs, mtimeMs } = lstatSync(made);
    this.reach.at(beside, (reached) => {
      lchownSync(reached, uid, gid);
      lutimesSync(reached, nodeTime(atimeMs), nodeTime(mtimeMs));
    });
  }

  #stat(path: string): Stats | undefined {
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
