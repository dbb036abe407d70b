/** Puts bytes, modes and times into the host's inodes, once all names are in their places. */
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lutimesSync,
  openSync,
  readSync,
  type Stats,
  utimesSync,
} from 'node:fs';
import type { Change } from '../machine/process.ts';
import { copy, hostTime, isForeign, nodeTime, RIGHT_BITS, SPECIAL_BITS, STICKY_BIT } from './inodes.ts';
import type { HostFolder } from './writethrough-folder.ts';
import { folderOf } from './writethrough-plan.ts';
import type { Staged } from './writethrough-staging.ts';

export class HostInodes {
  readonly #folder: HostFolder;
  readonly #staged: Staged;
  /** Inodes that have their new bytes. */
  readonly #filled = new Set<number>();
  /** By path: a directory before anything is written. */
  readonly #folders = new Map<string, Stats>();

  constructor(folder: HostFolder, staged: Staged) {
    this.#folder = folder;
    this.#staged = staged;
  }

  /** Notes the time of a directory in which a file is replaced by one with new bytes: the guest has only written to the file. */
  note(change: Change): void {
    if (change.kind !== 'file' || change.host === undefined || !change.written || change.made) return;
    const folder = folderOf(change.path);
    const stat = this.#folders.has(folder) ? undefined : this.#folder.stat(folder);
    if (stat) this.#folders.set(folder, stat);
  }

  /** Gives the owner all rights to a directory whose mode will change, until setMode sets the final mode. */
  unlock({ kind, path }: Change): void {
    const stat = kind === 'directory' ? this.#folder.stat(path) : undefined;
    if (stat?.isDirectory()) this.#folder.unlock(path, stat.mode);
  }

  /** Writes new bytes into a host file in place. */
  fill(change: Change): void {
    if (change.kind !== 'file') return;
    const { ino, contents } = change;
    const path = this.#staged.pathOf(change);
    const { place, into } = this.#staged.writtenOf(ino) ?? {};
    if (!into || !contents || this.#filled.has(ino)) return;
    this.#filled.add(ino);
    const from = openSync(place!, 'r');
    try {
      const stat = this.#folder.stat(path);
      if (stat?.ino !== into.ino || stat.dev !== into.dev) throw { code: 'it is not the same file any more' };
      if (!(stat.mode & 0o200) && !isForeign(stat))
        this.#folder.at(path, (reached) => chmodSync(reached, (stat.mode & RIGHT_BITS) | 0o200));
      const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const fd = this.#folder.at(path, (reached) => openSync(reached, flags));
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

  /** Sets the mode of an inode that is no link. Special bits stay where the host has them, the guest keeps them and the bytes are the same. */
  setMode(change: Change): void {
    const { kind } = change;
    if (kind === 'deleted' || kind === 'link') return;
    const path = this.#staged.pathOf(change);
    const there = this.#folder.stat(path);
    // Another process may have put a link there, which chmod would follow.
    const same = kind === 'special' || (kind === 'file' ? there?.isFile() : there?.isDirectory());
    if (!there || !same || there.isSymbolicLink()) throw { code: `it is no ${kind} any more` };
    const origin = change.made ? this.#staged.originOf(change) : undefined;
    const had = (origin ?? there).mode & SPECIAL_BITS;
    // A directory keeps its sticky bit: without the bit others could delete its entries.
    const keeps = kind === 'directory' ? change.mode | STICKY_BIT : kind === 'file' && change.written ? 0 : change.mode;
    const mode = (change.mode & RIGHT_BITS) | (had & keeps);
    if ((there.mode & (RIGHT_BITS | SPECIAL_BITS)) !== mode)
      this.#folder.at(path, (reached) => chmodSync(reached, mode));
  }

  /** Sets the times that the guest has set, to a microsecond. */
  setTimes(change: Change): void {
    if (change.kind === 'deleted') return;
    const { times } = change;
    const path = this.#staged.pathOf(change);
    const isNew = change.kind === 'file' && change.written && times.modified === 'now';
    if (times.accessed === undefined && (isNew || times.modified === undefined)) return;
    const there = this.#folder.stat(path);
    if (!there) return;
    const [accessed, modified] = [hostTime(times.accessed, there.atimeMs), hostTime(times.modified, there.mtimeMs)];
    this.#folder.at(path, (reached) => lutimesSync(reached, accessed, modified));
  }

  /** Gives directories in which files were only written their old time. */
  keepTimes(touched: ReadonlySet<string>): void {
    for (const [path, stat] of this.#folders)
      if (!touched.has(path) && !isForeign(stat) && this.#folder.stat(path)?.isDirectory())
        this.#folder.at(path, (reached) => utimesSync(reached, nodeTime(stat.atimeMs), nodeTime(stat.mtimeMs)));
  }
}
