/**
 * New files and links, made in a staging directory before any of them gets its path: their bytes may still lie in a host file that another
 * new file replaces.
 */
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  type Stats,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { momentaryName, removeLeftovers } from '../base/files.ts';
import { toBinary } from '../machine/linux/nodes.ts';
import type { Bytes, Change } from '../machine/process.ts';
import { copy, isForeign, linked, nodeTime, OWNER_RIGHTS, own, RIGHT_BITS, SPECIAL_BITS } from './inodes.ts';
import type { HostFolder } from './writethrough-folder.ts';
import { isMade } from './writethrough-plan.ts';

/** The staging directory: beside the files to be written, or in the folder for temporary files. Made at the first use. */
class StagingDirectory {
  readonly #folder: HostFolder;
  #path: string | undefined;
  #parent = '';
  #before: Stats | undefined;
  #names = 0;

  constructor(folder: HostFolder) {
    this.#folder = folder;
  }

  /** A new path in the directory, as text. */
  newPath(): string {
    this.#path ??= this.#make();
    return `${this.#path}/${this.#names++}`;
  }

  #make(): string {
    const { root } = this.#folder;
    // A guest may write below a directory in which neither the guest nor isoform can make files.
    for (const parent of [root, tmpdir()])
      try {
        const stage = momentaryName(parent);
        this.#before = statSync(parent);
        mkdirSync(stage, OWNER_RIGHTS);
        this.#parent = parent;
        return stage;
      } catch (error) {
        if (parent !== root) throw error;
      }
    throw new Error('unreachable');
  }

  /** Removes the directory. @param touched directories; the root gets its old time if it is not among them */
  remove(touched: ReadonlySet<string>): void {
    if (this.#path === undefined) return;
    const { root } = this.#folder;
    const { atimeMs, mtimeMs } = touched.has(toBinary(root)) ? statSync(this.#parent) : this.#before!;
    this.#folder.remove(toBinary(this.#path));
    removeLeftovers(this.#parent);
    if (this.#parent === root && !isForeign(this.#before!))
      utimesSync(this.#parent, nodeTime(atimeMs), nodeTime(mtimeMs));
  }
}

/** A file or link that was staged; its first name. */
export interface Written {
  readonly place: string;
  /** The host's inode that gets the bytes in place. */
  readonly into: Stats | undefined;
}

/** What was staged for each change. */
export class Staged {
  readonly #folder: HostFolder;
  readonly #directory: StagingDirectory;
  /** The host's inode of a change, before anything is written. */
  readonly #origins = new Map<Change, Stats>();
  /** By change: the path of its file or link, as text. */
  readonly #made = new Map<Change, string>();
  /** By inode. */
  readonly #written = new Map<number, Written>();
  /** By change without a known name: the path of a link to its inode. */
  readonly #held = new Map<Change, string>();

  constructor(folder: HostFolder) {
    this.#folder = folder;
    this.#directory = new StagingDirectory(folder);
  }

  /** The host's inode of a change, as it was before anything was written. */
  originOf(change: Change): Stats | undefined {
    return this.#origins.get(change);
  }

  /** Path, as text, of the file or link that is to be placed for a change. */
  madeFor(change: Change): string | undefined {
    return this.#made.get(change);
  }

  /** By inode number of the changes. */
  writtenOf(ino: number): Written | undefined {
    return this.#written.get(ino);
  }

  /** The path of an inode once all changes are placed. */
  pathOf(change: Change): string {
    return this.#held.get(change) ?? change.path;
  }

  /** Looks at the host's inode, and refuses a change that cannot be made, before anything is written. */
  look(change: Change): void {
    if (change.kind === 'deleted' || change.host === undefined) return;
    const there = this.#folder.stat(change.host);
    if (!there) {
      if (change.kind === 'special') throw { code: 'it is not on the host any more' };
      return;
    }
    this.#origins.set(change, there);
    if (change.kind === 'directory' && change.made && isForeign(there))
      throw { code: 'it was moved, and belongs to another user' };
    if (change.kind === 'file' && change.written && isForeign(there))
      this.#folder.at(change.host, (path) => accessSync(path, constants.W_OK));
  }

  /** Makes a new file or link in the staging directory. */
  prepare(change: Change): void {
    if (change.kind === 'file' && change.hidden) this.#hold(change);
    if (!isMade(change) || change.kind === 'directory' || change.kind === 'deleted') return;
    if (change.kind === 'file') {
      this.#prepareFile(change, change.contents!);
      return;
    }
    const place = this.#directory.newPath();
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
      const place = this.#directory.newPath();
      this.#made.set(change, place);
      if (!linked(known.place, place)) this.#makeFile(place, change, contents);
      return;
    }
    if (known && !change.made) return;
    const place = this.#directory.newPath();
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
      const name = this.#directory.newPath();
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
    const place = this.#directory.newPath();
    if (!this.#link(change, place)) throw { code: 'it has several names, and the file system makes no more' };
    this.#held.set(change, toBinary(place));
  }

  /** Links the host's inode into the staging directory. False: the change has none, or the link is not possible. */
  #link(change: Change, place: string): boolean {
    if (change.kind === 'deleted' || change.host === undefined || !this.#origins.has(change)) return false;
    try {
      this.#folder.at(change.host, (path) => linkSync(path, place));
      return true;
    } catch {
      return false;
    }
  }

  /** Removes the staging directory. @param touched directories; the root gets its old time if it is not among them */
  end(touched: ReadonlySet<string>): void {
    this.#directory.remove(touched);
  }
}
