/**
 * Locks on files (fs/locks.c): flock's, and those on ranges of bytes, which belong to the process (POSIX) or to an open file (OFD). The
 * guest is one process, so its POSIX locks never exclude each other; only the guest itself can free a lock that it waits for.
 */
import type { Addr } from '../../base/units.ts';
import { Blocked, E, fail } from './errno.ts';
import type { Guest } from './guest.ts';
import type { OpenFile } from './openfile.ts';

/** The lock types of struct flock. */
const TYPE = { READ: 0, WRITE: 1, NONE: 2 } as const;
const FLOCK = { SHARED: 1, EXCLUSIVE: 2, WITHOUT_WAITING: 4, NONE: 8 } as const;
const OFFSET_MAX = 2n ** 63n - 1n;
/** Most range locks of a process: locks take memory. */
const MOST_LOCKS = 65536;

interface RangeLock {
  /** The process, or an open file. */
  readonly owner: object;
  readonly type: number;
  /** First and last byte. */
  readonly first: bigint;
  readonly last: bigint;
}

/** How fcntl locks: who the owner is, and whether it waits. */
export interface LockCommand {
  readonly ofd: boolean;
  readonly waits: boolean;
}

export class Locks {
  /** Keys: what `#inodeOf` gives. */
  readonly #whole = new WeakMap<object, Map<OpenFile, number>>();
  readonly #ranges = new WeakMap<object, RangeLock[]>();
  #count = 0;
  /** The owner of POSIX locks. */
  readonly #process = {};
  /** The inode that all epolls, event counters, timers and signal files share (fs/anon_inodes.c). */
  readonly #anonymous = {};
  readonly #guest: Guest;
  readonly #pid: number;

  constructor(guest: Guest, pid: number) {
    this.#guest = guest;
    this.#pid = pid;
  }

  flock(file: OpenFile, operation: number): number {
    const how = operation & ~FLOCK.WITHOUT_WAITING;
    const key = this.#inodeOf(file);
    const holders = this.#whole.get(key) ?? new Map<OpenFile, number>();
    this.#whole.set(key, holders);
    if (holders.get(file) === how) return 0;
    // The old lock is given up first: a caller that does not get the new lock has none (flock_lock_inode).
    holders.delete(file);
    if (how === FLOCK.NONE) return 0;
    const excluded = () => [...holders.values()].some((held) => held === FLOCK.EXCLUSIVE || how === FLOCK.EXCLUSIVE);
    if (excluded()) {
      if (operation & FLOCK.WITHOUT_WAITING) fail(E.AGAIN);
      throw new Blocked('a lock on a file that the guest itself has locked', () => !excluded());
    }
    holders.set(file, how);
    return 0;
  }

  /** F_SETLK, F_SETLKW and their OFD forms. */
  set(file: OpenFile, at: Addr, { ofd, waits }: LockCommand): number {
    const lock = this.#asked(file, at, ofd);
    if (lock.type === TYPE.READ ? !file.readable : lock.type === TYPE.WRITE && !file.writable) fail(E.BADF);
    if (ofd && this.#guest.i32(at + 24) !== 0) fail(E.INVAL);
    const key = this.#inodeOf(file);
    if (lock.type !== TYPE.NONE && this.#other(key, lock)) {
      if (!waits) fail(E.AGAIN);
      throw new Blocked('a lock on a file that the guest itself has locked', () => !this.#other(key, lock));
    }
    this.#put(key, lock);
    return 0;
  }

  /** F_GETLK and F_OFD_GETLK. */
  get(file: OpenFile, at: Addr, ofd: boolean): number {
    const guest = this.#guest;
    const type = guest.i32(at) & 0xffff;
    if (type !== TYPE.READ && type !== TYPE.WRITE) fail(E.INVAL);
    const lock = this.#asked(file, at, ofd);
    if (ofd && guest.i32(at + 24) !== 0) fail(E.INVAL);
    const other = this.#other(this.#inodeOf(file), lock);
    guest.setU16(at, other?.type ?? TYPE.NONE);
    if (!other) return 0;
    guest.setU16(at + 2, 0);
    guest.setU64(at + 8, other.first);
    guest.setU64(at + 16, other.last === OFFSET_MAX ? 0n : other.last - other.first + 1n);
    guest.setU32(at + 24, other.owner === this.#process ? this.#pid : -1);
    return 0;
  }

  /** A closed descriptor ends all POSIX locks on its file; the last descriptor of an open file ends the open file's own locks. */
  closed(file: OpenFile, last: boolean): void {
    const key = this.#inodeOf(file);
    if (this.#count > 0)
      this.#keep(
        key,
        (this.#ranges.get(key) ?? []).filter(({ owner }) => owner !== this.#process && !(last && owner === file)),
      );
    if (last) this.#whole.get(key)?.delete(file);
  }

  /** What is locked: a node, the inode of all anonymous files, or that of a pipe (of both ends) or a socket. */
  #inodeOf(file: OpenFile): object {
    return file.node ?? (file.nameless === 'anonymous' ? this.#anonymous : file.inode);
  }

  /** struct flock (asm-generic/fcntl.h): type, whence, start, length, pid. */
  #asked(file: OpenFile, at: Addr, ofd: boolean): RangeLock {
    const guest = this.#guest;
    guest.input(at, 32);
    const [type, whence] = [guest.u16(at), guest.u16(at + 2)];
    const [start, length] = [guest.i64(at + 8), guest.i64(at + 16)];
    if (whence > 2) fail(E.INVAL);
    const size = file.node?.kind === 'file' ? file.node.contents.size : 0;
    const from = start + BigInt([0, file.position, size][whence]!);
    if (from > OFFSET_MAX) fail(E.OVERFLOW);
    const first = length < 0n ? from + length : from;
    const last = length === 0n ? OFFSET_MAX : length < 0n ? from - 1n : from + length - 1n;
    if (first < 0n) fail(E.INVAL);
    if (last > OFFSET_MAX) fail(E.OVERFLOW);
    if (type > TYPE.NONE) fail(E.INVAL);
    return { owner: ofd ? file : this.#process, type, first, last };
  }

  /** The first lock of another owner that excludes one. */
  #other(key: object, { owner, type, first, last }: RangeLock): RangeLock | undefined {
    return this.#ranges
      .get(key)
      ?.find(
        (held) =>
          held.owner !== owner &&
          (held.type === TYPE.WRITE || type === TYPE.WRITE) &&
          held.first <= last &&
          first <= held.last,
      );
  }

  /** A new lock replaces its owner's locks in its range, and is merged with adjacent locks of its type. */
  #put(key: object, lock: RangeLock): void {
    let { first, last } = lock;
    const mine: RangeLock[] = [];
    const others: RangeLock[] = [];
    for (const held of this.#ranges.get(key) ?? []) {
      if (held.owner !== lock.owner) {
        others.push(held);
        continue;
      }
      const same = held.type === lock.type;
      if (same ? held.last + 1n < first || held.first > last + 1n : held.last < first || held.first > last) {
        mine.push(held);
        continue;
      }
      if (same) {
        if (held.first < first) first = held.first;
        if (held.last > last) last = held.last;
        continue;
      }
      if (held.first < first) mine.push({ ...held, last: first - 1n });
      if (held.last > last) mine.push({ ...held, first: last + 1n });
    }
    if (lock.type !== TYPE.NONE) mine.push({ ...lock, first, last });
    mine.sort((a, b) => (a.first < b.first ? -1 : 1));
    this.#keep(key, [...others, ...mine]);
  }

  #keep(key: object, locks: RangeLock[]): void {
    const count = this.#count + locks.length - (this.#ranges.get(key)?.length ?? 0);
    if (count > MOST_LOCKS && count > this.#count) fail(E.NOLCK);
    this.#count = count;
    this.#ranges.set(key, locks);
  }
}

/** Is it an operation of flock? */
export const isFlock = (operation: number): boolean =>
  [FLOCK.SHARED, FLOCK.EXCLUSIVE, FLOCK.NONE].includes((operation & ~FLOCK.WITHOUT_WAITING) as 1);
