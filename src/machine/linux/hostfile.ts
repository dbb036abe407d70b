/** The bytes of a file of the host, read on demand; the host's file is never written. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { Reach } from '../../base/reach.ts';
import { E, fail } from './errno.ts';
import type { Usage } from './usage.ts';

/** The initial bytes of a file, which never change. */
export interface Base {
  readonly size: number;
  /** @param target lies within the size */
  read(position: number, target: Uint8Array): void;
  /** Gives the memory back: no more reads follow. */
  forget(): void;
}

/** Files of up to so many bytes are read whole at first use if there is memory left: the guest sees one state of them. */
const WHOLE_READ_LIMIT = 2 ** 24;
/** Other files are read through a window of so many bytes. */
const WINDOW_SIZE = 2 ** 20;

export class HostFile implements Base {
  readonly size: number;
  readonly #usage: Usage;
  readonly #reach: Reach;
  readonly #path: string;
  #window: { readonly start: number; readonly bytes: Uint8Array<ArrayBuffer> } | undefined;
  /** Bytes that are counted as used. */
  #taken = 0;

  /** @param path as a binary string */
  constructor(usage: Usage, reach: Reach, path: string, size: number) {
    this.#usage = usage;
    this.#reach = reach;
    this.#path = path;
    this.size = size;
  }

  read(position: number, target: Uint8Array): void {
    for (let done = 0; done < target.length; ) done += this.#part(position + done, target.subarray(done));
  }

  forget(): void {
    this.#usage.take(-this.#taken);
    this.#taken = 0;
    this.#window = undefined;
  }

  #part(position: number, target: Uint8Array): number {
    let window = this.#window;
    if (!window || position < window.start || position >= window.start + window.bytes.length)
      window = this.#load(position);
    const part = window.bytes.subarray(position - window.start, position - window.start + target.length);
    target.set(part);
    return part.length;
  }

  #load(position: number) {
    const whole = this.size <= WHOLE_READ_LIMIT && (this.#taken > 0 || this.#usage.tryTake(this.size));
    if (whole) this.#taken = this.size;
    const start = whole ? 0 : position - (position % WINDOW_SIZE);
    const length = whole ? this.size : Math.min(WINDOW_SIZE, this.size - start);
    // The memory of the old window is used again: new memory costs as much as reading into it.
    const room = whole ? new ArrayBuffer(length) : (this.#window?.bytes.buffer ?? new ArrayBuffer(WINDOW_SIZE));
    this.#window = undefined;
    const bytes = new Uint8Array(room, 0, length);
    // A host file that shrank meanwhile reads as zeros behind its end; the guest sees one size throughout.
    bytes.fill(0, this.#fromHost(start, bytes));
    this.#window = { start, bytes };
    return this.#window;
  }

  /** @returns bytes read: fewer than asked for where the file ends */
  #fromHost(position: number, target: Uint8Array): number {
    let fd: number;
    try {
      // A pipe may have taken the place of the file: opening must not wait.
      fd = this.#reach.at(this.#path, (path) => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
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
}
