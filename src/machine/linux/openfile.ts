/** Open files: their flags, and the operations that every kind of file has. Operations that a kind lacks fail as in Linux. */
import type { Inode } from './buffer.ts';
import { E, fail } from './errno.ts';
import type { Node } from './nodes.ts';

/** asm-generic/fcntl.h. */
export const O = {
  ACCMODE: 3,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DSYNC: 0o10000,
  ASYNC: 0o20000,
  DIRECT: 0o40000,
  LARGEFILE: 0o100000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  NOATIME: 0o1000000,
  CLOEXEC: 0o2000000,
  SYNC: 0o4010000,
  PATH: 0o10000000,
  TMPFILE: 0o20200000,
} as const;

export const POLL = {
  IN: 1,
  OUT: 4,
  ERR: 8,
  HUP: 16,
  NVAL: 32,
  RDNORM: 64,
  WRNORM: 256,
  WRBAND: 512,
  RDHUP: 8192,
} as const;
/** POLL bits of most kinds of files that can be read or written: normal data. */
export const READABLE = POLL.IN | POLL.RDNORM;
export const WRITABLE = POLL.OUT | POLL.WRNORM;

/** An open file description (POSIX): shared by the descriptors that dup makes. */
export abstract class OpenFile {
  flags: number;
  position = 0;
  /** Process and signal of F_SETOWN and F_SETSIG, kept only. */
  owner = 0;
  signal = 0;
  /** Number of descriptors that refer to this file. */
  references = 0;
  constructor(flags: number) {
    this.flags = flags;
  }
  /** The inode of a file without a node. */
  get inode(): Inode {
    this.#inode ??= { number: 0, rights: undefined };
    return this.#inode;
  }
  /** With both bits of the access mode set, a file is neither readable nor writable (open(2), "The nonportable access mode 3"). */
  get readable(): boolean {
    const access = this.flags & O.ACCMODE;
    return (access === 0 || access === O.RDWR) && (this.flags & O.PATH) === 0;
  }
  get writable(): boolean {
    const access = this.flags & O.ACCMODE;
    return (access === O.WRONLY || access === O.RDWR) && (this.flags & O.PATH) === 0;
  }
  get blocking(): boolean {
    return (this.flags & O.NONBLOCK) === 0;
  }
  /** Does this kind of file read, or write, at all (FMODE_CAN_READ, FMODE_CAN_WRITE)? Else EINVAL, whatever the buffer is. */
  readonly canRead: boolean = true;
  readonly canWrite: boolean = true;
  /** The node that stat describes; undefined if the file is nowhere in the file system. */
  readonly node: Node | undefined = undefined;
  /** The path by which it was opened. */
  where: (() => string) | undefined;
  /** Kind of a file without a node. The standard streams look like pipes, as in a shell's pipeline. */
  readonly nameless: 'pipe' | 'socket' | 'anonymous' = 'pipe';
  #inode: Inode | undefined;
  /** Reads at the position and moves it. @returns bytes read, 0 at the end */
  abstract read(target: Uint8Array): number;
  abstract write(source: Uint8Array): number;
  /** Reads at an offset, without moving the position. */
  readAt(_at: number, _target: Uint8Array): number {
    return fail(E.SPIPE);
  }
  writeAt(_at: number, _source: Uint8Array): number {
    return fail(E.SPIPE);
  }
  /** The size that SEEK_END counts from. */
  end(): number {
    return fail(E.SPIPE);
  }
  /** The greatest position. */
  get limit(): number {
    return Number.POSITIVE_INFINITY;
  }
  /** The first byte in no hole, at or behind a position before the end; undefined if there is none. */
  nextData(position: number): number | undefined {
    return position;
  }
  /** The first byte in a hole, at or behind a position before the end; else the end. */
  nextHole(_position: number): number {
    return this.end();
  }
  /** POLL bits that are ready now. */
  poll(): number {
    return READABLE | WRITABLE;
  }
  /** A counter that grows with each event that wakes waiters (edge-triggered epoll). */
  get arrivals(): number {
    return 0;
  }
  close(): void {}
}

export const isPipe = ({ node, nameless }: OpenFile): boolean => (node ? node.kind === 'fifo' : nameless === 'pipe');
