/** The bytes of a file of the host, read when they are asked for; the host's file is never written. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { Reach } from '../../base/reach.ts';
import { E, fail } from './errno.ts';
import type { Usage } from './usage.ts';

/** What a file had at the beginning: bytes that stay as they are. */
export interface Base {
  readonly size: number;
  /** @param target lies within the size */
  read(position: number, target: Uint8Array): void;
  /** Nobody will read it any more. */
  forget(): void;
}

/** Files up to this size are read whole at first use, so that the guest sees one state of them; larger ones by a window of WINDOW bytes. */
const WHOLE = 2 ** 24;
const WINDOW = 2 ** 20;

export class HostFile implements Base {
  readonly size: number;
  readonly #usage: Usage;
  readonly #reach: Reach;
  readonly #path: string;
  #window: { readonly start: number; readonly bytes: Uint8Array<ArrayBuffer> } | undefined;
  /** What of it is counted as used. */
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
    const whole = this.size <= WHOLE && (this.#taken > 0 || this.#usage.tryTake(this.size));
    if (whole) this.#taken = this.size;
    const start = whole ? 0 : position - (position % WINDOW);
    const length = whole ? this.size : Math.min(WINDOW, this.size - start);
    // The old one's memory is taken again: new memory costs as much as what is read into it.
    const room = whole ? new ArrayBuffer(length) : (this.#window?.bytes.buffer ?? new ArrayBuffer(WINDOW));
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
      // Where a pipe is now, opening must not wait.
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
