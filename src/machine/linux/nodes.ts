/**
 * What the overlay file system is made of: directories, files, symbolic links, devices, all in memory. A node that stands for
 * something on the host reads it when first asked and never writes it. Names and link targets are strings of bytes ("binary"
 * strings, one character a byte): a Linux name is bytes, and need not be UTF-8.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Pipe } from './buffer.ts';
import { E, fail } from './errno.ts';

/** Bytes as one character each, and back. */
export const toBinary = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
export const fromBinary = (name: string): string => Buffer.from(name, 'latin1').toString('utf8');
export const hostPath = (path: string): Buffer => Buffer.from(path, 'latin1');

/** No file may grow beyond this. */
export const MAX_FILE_SIZE = 2 ** 30;
/** All that the guest writes may take so much of the host's memory; beyond, the disk is full. */
const CAPACITY = 2 ** 31;

/** Bytes of memory that the files of one overlay take. */
export class Usage {
  #used = 0;
  /** Takes so many bytes more (or gives back, if negative); fails with ENOSPC. */
  take(bytes: number): void {
    if (bytes > 0 && this.#used + bytes > CAPACITY) fail(E.NOSPC);
    this.#used += bytes;
  }
}
/** Host files up to this size are read whole at first use; larger ones through a window of WINDOW bytes until they are written. */
const WHOLE = 2 ** 24;
const WINDOW = 2 ** 20;

/** Nanoseconds since the epoch. */
export interface Times {
  accessed: bigint;
  modified: bigint;
  changed: bigint;
}

interface Common {
  readonly ino: number;
  /** Permission bits, 0..07777. */
  mode: number;
  links: number;
  readonly times: Times;
  /** Contents, mode or times differ from the host's. */
  changed: boolean;
}

export interface DirectoryNode extends Common {
  readonly kind: 'directory';
  /** Known entries; null: the host has one of this name, and the guest deleted it. */
  readonly entries: Map<string, Node | null>;
  /** Names that the guest put there (created, renamed, linked), as opposed to those found on the host. */
  readonly placed: Set<string>;
  /** Where it is on the host, if it is there. */
  host: string | undefined;
  /** Only the entries that are known can be seen: above a granted directory. */
  sealed: boolean;
  parent: DirectoryNode;
  name: string;
  /** Removed: nothing can be created in it. */
  gone: boolean;
}

export interface FileNode extends Common {
  readonly kind: 'file';
  readonly contents: Contents;
  /** Open file descriptions that refer to it. */
  opens: number;
  /** The guest's own executable. */
  readonly runs?: boolean;
  /** What the kernel writes, when it is opened (/proc). */
  readonly made?: () => Uint8Array;
}

export interface LinkNode extends Common {
  readonly kind: 'link';
  readonly target: string;
}

export interface DeviceNode extends Common {
  readonly kind: 'device';
  readonly device: 'null' | 'zero' | 'full' | 'random';
}

/** What only has a name in the file system: processes meet there. */
export interface MeetingNode extends Common {
  readonly kind: 'fifo' | 'socket';
  /** What is in a FIFO that is open. */
  pipe: Pipe | undefined;
}

export type Node = DirectoryNode | FileNode | LinkNode | DeviceNode | MeetingNode;

/** A shared mapping of a part of a file: guest memory, live. */
export interface View {
  /** Where the part begins in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** The guest may have written to it. */
  readonly writable: boolean;
}

/** The bytes of a file: in memory, or still on the host. Bytes between what was written and `size` are zero. */
export class Contents {
  readonly #usage: Usage;
  #size: number;
  #data: Uint8Array;
  #host: string | undefined;
  /** #data is somebody else's: copied before it is written to. */
  #borrowed = false;
  /** Parts that are mapped into guest memory: there, not in #data, are their bytes. */
  #views: readonly View[] = [];
  #window: { readonly start: number; readonly bytes: Uint8Array<ArrayBuffer> } | undefined;

  /** @param host a host file of `size` bytes to read from, as a binary string */
  constructor(usage: Usage, host?: string, size = 0) {
    this.#usage = usage;
    this.#host = host;
    this.#size = size;
    this.#data = new Uint8Array(0);
  }

  /** A file that has these bytes; they are not copied before the guest writes to it. */
  static from(usage: Usage, bytes: Uint8Array): Contents {
    const contents = new Contents(usage, undefined, bytes.length);
    contents.#data = bytes;
    contents.#borrowed = true;
    return contents;
  }

  get size(): number {
    return this.#size;
  }

  /** Reads at a position. @returns bytes read; 0 at the end */
  read(position: number, target: Uint8Array): number {
    const count = Math.min(target.length, this.#size - position);
    if (count <= 0) return 0;
    this.#readBase(position, target, count);
    for (const view of this.#views) copyOverlap(view.offset, view.bytes, position, target.subarray(0, count));
    return count;
  }

  #readBase(position: number, target: Uint8Array, count: number): void {
    if (this.#host !== undefined && this.#size > WHOLE) {
      // A read from a file is never short but at its end.
      for (let done = 0; done < count; ) done += this.#readWindow(position + done, target.subarray(done, count));
      return;
    }
    this.#load();
    const known = this.#data.subarray(position, position + count);
    target.set(known);
    target.fill(0, known.length, count);
  }

  write(position: number, source: Uint8Array): void {
    const end = position + source.length;
    if (end > MAX_FILE_SIZE) fail(E.FBIG);
    if (source.length === 0) return;
    this.#own();
    this.#reserve(end);
    this.#data.set(source, position);
    this.#size = Math.max(this.#size, end);
    for (const view of this.#views) copyOverlap(position, source, view.offset, view.bytes);
  }

  /** Begins to share a part with guest memory, which gets the file's bytes. False if another mapping shares some of it. */
  attach(view: View): boolean {
    const end = (v: View) => v.offset + v.bytes.length;
    if (this.#views.some((v) => v.offset < end(view) && view.offset < end(v))) return false;
    this.read(view.offset, view.bytes);
    this.#views = [...this.#views, view];
    return true;
  }
  /** Ends it: what was written there is now in the file. */
  detach(view: View): void {
    this.#views = this.#views.filter((v) => v !== view);
    const count = Math.min(view.bytes.length, this.#size - view.offset);
    if (view.writable && count > 0) this.write(view.offset, view.bytes.subarray(0, count));
  }

  resize(size: number): void {
    if (size > MAX_FILE_SIZE) fail(E.FBIG);
    if (size === 0) {
      this.#host = undefined;
      this.discard();
    }
    this.#own();
    // What is cut off must read as zero if the file grows again.
    if (size < this.#data.length) this.#data.fill(0, size);
    for (const view of this.#views) view.bytes.fill(0, Math.max(0, Math.min(size, this.#size) - view.offset));
    this.#size = size;
  }

  /** Gives the memory back: the file is empty, or nobody can reach it any more. */
  discard(): void {
    if (!this.#borrowed) this.#usage.take(-this.#data.length);
    this.#borrowed = false;
    this.#data = new Uint8Array(0);
    this.#size = 0;
  }

  /** A copy of all bytes. */
  all(): Uint8Array {
    const bytes = new Uint8Array(this.#size);
    this.read(0, bytes);
    return bytes;
  }

  #reserve(size: number): void {
    if (size <= this.#data.length) return;
    const capacity = Math.max(size, Math.min(2 * this.#data.length, MAX_FILE_SIZE), 256);
    this.#usage.take(capacity - this.#data.length);
    const grown = new Uint8Array(capacity);
    grown.set(this.#data);
    this.#data = grown;
  }

  /** The bytes in memory, to be changed. */
  #own(): void {
    this.#load();
    if (!this.#borrowed) return;
    this.#usage.take(this.#data.length);
    this.#data = Uint8Array.from(this.#data);
    this.#borrowed = false;
  }

  #load(): void {
    if (this.#host === undefined) return;
    this.#usage.take(this.#size);
    const bytes = new Uint8Array(this.#size);
    // A host file that shrank meanwhile reads as zeros behind its end; the guest sees one size throughout.
    readHost(this.#host, 0, bytes);
    this.#data = bytes;
    this.#host = undefined;
    this.#window = undefined;
  }

  #readWindow(position: number, target: Uint8Array): number {
    let window = this.#window;
    if (!window || position < window.start || position >= window.start + window.bytes.length) {
      const start = position - (position % WINDOW);
      const length = Math.min(WINDOW, this.#size - start);
      // The old one's memory is taken again: new memory costs as much as what is read into it.
      const room = window?.bytes.buffer ?? new ArrayBuffer(WINDOW);
      this.#window = undefined;
      const bytes = new Uint8Array(room, 0, length);
      // Behind the end of a host file that has shrunk there are zeros.
      bytes.fill(0, readHost(this.#host!, start, bytes));
      window = { start, bytes };
      this.#window = window;
    }
    const part = window.bytes.subarray(position - window.start, position - window.start + target.length);
    target.set(part);
    return part.length;
  }
}

/** Copies what two stretches of a file have in common. */
function copyOverlap(from: number, source: Uint8Array, to: number, target: Uint8Array): void {
  const start = Math.max(from, to);
  const end = Math.min(from + source.length, to + target.length);
  if (start < end) target.set(source.subarray(start - from, end - from), start - to);
}

/** @returns bytes read: fewer than asked for where the file ends */
function readHost(path: string, position: number, target: Uint8Array): number {
  let fd: number;
  try {
    fd = openSync(hostPath(path), 'r');
  } catch (error) {
    return fail((error as NodeJS.ErrnoException).code === 'EMFILE' ? E.MFILE : E.ACCES);
  }
  try {
    let at = 0;
    for (let got = -1; at < target.length && got !== 0; at += got)
      got = readSync(fd, target, at, target.length - at, position + at);
    return at;
  } catch {
    return fail(E.IO);
  } finally {
    closeSync(fd);
  }
}
