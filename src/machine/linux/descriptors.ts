/**
 * Open files and the table of file descriptors. The operations of a descriptor are methods of its open file; operations that a kind of
 * file lacks fail as in Linux.
 */
import { type Inode, PIPE_CAPACITY } from './buffer.ts';
import { MAX_FILE_SIZE } from './contents.ts';
import { E, Errno, fail } from './errno.ts';
import { checkSeals, type DeviceNode, type DirectoryNode, type FileNode, type Node } from './nodes.ts';
import type { Overlay } from './overlay.ts';

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

const SIGXFSZ = 25;

/** Fails with EFBIG, and raises SIGXFSZ, if RLIMIT_FSIZE forbids a file of a size. */
export function checkLength({ sizeLimit }: Overlay, size: number): void {
  if (size > sizeLimit) throw new Errno(E.FBIG, false, SIGXFSZ);
}

export class RegularFile extends OpenFile {
  override readonly node: FileNode;
  readonly #path: () => string;
  readonly #overlay: Overlay;
  constructor(node: FileNode, path: () => string, flags: number, overlay: Overlay) {
    super(flags);
    this.node = node;
    this.#path = path;
    this.#overlay = overlay;
    node.opens++;
  }
  /** The path that /proc/self/maps shows. */
  get path(): string {
    return this.#path();
  }
  override close(): void {
    this.node.opens--;
    this.#overlay.release(this.node);
  }
  read(target: Uint8Array): number {
    const count = this.node.contents.read(this.position, target);
    this.position += count;
    return count;
  }
  write(source: Uint8Array): number {
    if (this.flags & O.APPEND) this.position = this.node.contents.size;
    const count = this.#put(this.position, source);
    this.position += count;
    return count;
  }
  override readAt(at: number, target: Uint8Array): number {
    return this.node.contents.read(at, target);
  }
  override writeAt(at: number, source: Uint8Array): number {
    // With O_APPEND Linux appends whatever the offset (pwrite(2), "Bugs").
    return this.#put(this.flags & O.APPEND ? this.node.contents.size : at, source);
  }
  override end(): number {
    return this.node.contents.size;
  }
  override get limit(): number {
    return MAX_FILE_SIZE;
  }
  override nextData(position: number): number | undefined {
    return this.node.contents.nextData(position);
  }
  override nextHole(position: number): number {
    return this.node.contents.nextHole(position);
  }
  #put(at: number, source: Uint8Array): number {
    const { sizeLimit } = this.#overlay;
    const end = at + source.length;
    if (end > sizeLimit && source.length > 0) checkLength(this.#overlay, at + 1);
    if (this.node.seals && source.length > 0) checkSeals(this.node, true, Math.max(end, this.node.contents.size));
    const count = this.node.contents.write(
      at,
      end > sizeLimit ? source.subarray(0, Math.max(0, sizeLimit - at)) : source,
    );
    if (count > 0) this.#overlay.written(this.node);
    return count;
  }
}

export class OpenDirectory extends OpenFile {
  override readonly node: DirectoryNode;
  readonly #overlay: Overlay;
  #names: readonly string[] | undefined;
  constructor(node: DirectoryNode, flags: number, overlay: Overlay) {
    super(flags);
    this.node = node;
    this.#overlay = overlay;
  }
  /** Names as they were when reading began; the position counts entries. Fails with ENOSPC. */
  get names(): readonly string[] {
    this.#names ??= this.#overlay.names(this.node);
    return this.#names;
  }
  /** Makes the next read begin anew. */
  rewind(): void {
    if (this.#names) this.#overlay.forget(this.#names);
    this.#names = undefined;
  }
  override close(): void {
    this.rewind();
  }
  read(): number {
    return fail(E.ISDIR);
  }
  write(): number {
    return fail(E.BADF);
  }
  override readAt(): number {
    return fail(E.ISDIR);
  }
  override end(): number {
    return 2 ** 31 - 1;
  }
}

export class OpenDevice extends OpenFile {
  override readonly node: DeviceNode;
  readonly #random: (target: Uint8Array) => void;
  constructor(node: DeviceNode, flags: number, random: (target: Uint8Array) => void) {
    super(flags);
    this.node = node;
    this.#random = random;
  }
  read(target: Uint8Array): number {
    const { device } = this.node;
    if (device === 'null') return 0;
    if (device === 'random') this.#random(target);
    else target.fill(0);
    return target.length;
  }
  write(source: Uint8Array): number {
    return this.node.device === 'full' ? fail(E.NOSPC) : source.length;
  }
  override readAt(_at: number, target: Uint8Array): number {
    return this.read(target);
  }
  override writeAt(_at: number, source: Uint8Array): number {
    return this.write(source);
  }
  override end(): number {
    return 0;
  }
}

/** A path, not of a directory, that was opened with O_PATH: only its node can be used. */
export class OpenPath extends OpenFile {
  override readonly node: Node;
  constructor(node: Node, flags: number) {
    super(flags);
    this.node = node;
  }
  read(): number {
    return fail(E.BADF);
  }
  write(): number {
    return fail(E.BADF);
  }
}

/** Fills the target as far as possible. @returns bytes put there, 0 at the end */
export type Source = (target: Uint8Array) => number;
/** Takes bytes that are live in guest memory: a sink must use or copy them before it returns. */
export type Sink = (fd: 1 | 2, bytes: Uint8Array) => void;

/** Makes an error of the host's stream the guest's own: the same, or EIO if this Linux has none of that name. Other errors pass. */
function hostFailed(error: unknown): never {
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) throw error;
  return fail((E as Readonly<Record<string, number>>)[code.slice(1)] ?? E.IO);
}

export class InputStream extends OpenFile {
  readonly #source: Source;
  /** Bytes that the source has given before the guest has read them. */
  #ahead = new Uint8Array(0);
  constructor(source: Source) {
    super(0);
    this.#source = source;
  }
  read(target: Uint8Array): number {
    if (target.length === 0) return 0;
    try {
      if (this.#ahead.length === 0) return this.#source(target);
    } catch (error) {
      return hostFailed(error);
    }
    const part = this.#ahead.subarray(0, target.length);
    target.set(part);
    this.#ahead = this.#ahead.subarray(part.length);
    return part.length;
  }
  /** Bytes that a read would get now, for FIONREAD; 0 at the end. The first byte is waited for: may throw NotYet. */
  get waiting(): number {
    if (this.#ahead.length === 0) {
      const room = new Uint8Array(PIPE_CAPACITY);
      this.#ahead = room.subarray(0, this.#source(room));
    }
    return this.#ahead.length;
  }
  write(): number {
    return fail(E.BADF);
  }
  override poll(): number {
    return READABLE;
  }
}

export class OutputStream extends OpenFile {
  readonly #fd: 1 | 2;
  readonly #sink: Sink;
  constructor(fd: 1 | 2, sink: Sink) {
    super(O.WRONLY);
    this.#fd = fd;
    this.#sink = sink;
  }
  read(): number {
    return fail(E.BADF);
  }
  write(source: Uint8Array): number {
    try {
      if (source.length > 0) this.#sink(this.#fd, source);
    } catch (error) {
      hostFailed(error);
    }
    return source.length;
  }
  override poll(): number {
    return WRITABLE;
  }
}

const ANONYMOUS_NUMBER = 1;

/** The descriptors of a process. */
export class Descriptors {
  /** The highest RLIMIT_NOFILE. */
  static readonly LIMIT = 1024;
  /** RLIMIT_NOFILE. */
  limit = Descriptors.LIMIT;
  readonly #files = new Map<number, { file: OpenFile; cloexec: boolean }>();
  readonly #closed: (file: OpenFile, last: boolean) => void;

  /** @param closed called when a descriptor is closed; `last`: it was the last one of the open file */
  constructor(closed: (file: OpenFile, last: boolean) => void) {
    this.#closed = closed;
  }

  /** In order. */
  get numbers(): number[] {
    return [...this.#files.keys()].sort((a, b) => a - b);
  }

  #size = 64;
  /** The last inode number given to a pipe or a socket. All anonymous files share the first number, as in Linux. */
  #numbers = ANONYMOUS_NUMBER;

  /** Descriptors that the table has room for: the table grows as in Linux (fs/file.c, expand_fdtable), and select looks no further. */
  get size(): number {
    return this.#size;
  }

  find(fd: number): OpenFile | undefined {
    return this.#files.get(fd)?.file;
  }

  /** The open file of a descriptor; fails with EBADF. Most calls refuse descriptors opened with O_PATH in this way. */
  get(fd: number): OpenFile {
    const file = this.any(fd);
    return file.flags & O.PATH ? fail(E.BADF) : file;
  }
  /** The same, but descriptors opened with O_PATH are allowed. */
  any(fd: number): OpenFile {
    return this.#files.get(fd)?.file ?? fail(E.BADF);
  }
  /** The lowest free descriptor, not below `from`; fails with EMFILE. Calls that make a file ask first, as in Linux. */
  free(from = 0): number {
    let fd = from;
    while (this.#files.has(fd)) fd++;
    return fd < this.limit ? fd : fail(E.MFILE);
  }
  /** Gives an open file the lowest free descriptor. */
  add(file: OpenFile, cloexec: boolean, from = 0): number {
    const fd = this.free(from);
    this.#put(fd, file, cloexec);
    return fd;
  }
  /** Puts an open file at a descriptor and closes the file that was there. */
  replace(fd: number, file: OpenFile, cloexec: boolean): void {
    if (fd < 0 || fd >= this.limit) fail(E.BADF);
    // The new reference comes first: `file` may be the one that is closed.
    file.references++;
    if (this.#files.has(fd)) this.close(fd);
    file.references--;
    this.#put(fd, file, cloexec);
  }
  close(fd: number): void {
    const file = this.any(fd);
    this.#files.delete(fd);
    const last = --file.references === 0;
    this.#closed(file, last);
    if (last) file.close();
  }
  cloexec(fd: number): boolean {
    return this.#files.get(fd)?.cloexec ?? fail(E.BADF);
  }
  setCloexec(fd: number, cloexec: boolean): void {
    (this.#files.get(fd) ?? fail(E.BADF)).cloexec = cloexec;
  }
  #put(fd: number, file: OpenFile, cloexec: boolean): void {
    if (file.references++ === 0 && file.node === undefined && file.inode.number === 0)
      file.inode.number = file.nameless === 'anonymous' ? ANONYMOUS_NUMBER : ++this.#numbers;
    while (this.#size <= fd) this.#size *= 2;
    this.#files.set(fd, { file, cloexec });
  }
}
