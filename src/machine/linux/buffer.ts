/** The buffers between two ends: the pages of a pipe, and the queue of a stream socket. */
import { type ByteCount, PAGE } from '../../base/units.ts';

export const PIPE_CAPACITY: ByteCount = 65536;

/** The inode of a file that is nowhere in the file system, as fstat shows it. */
export interface Inode {
  /** 0: the file has had no descriptor yet. */
  number: number;
  /** Permission bits that fchmod gave the file; undefined: those of a new file. */
  rights: number | undefined;
}

/** A page of a pipe: its bytes from start to end have not been read. */
interface Slot {
  readonly page: Uint8Array;
  start: number;
  end: number;
}

/** The bytes in a pipe, and how many ends are open. Room is counted in pages, which writes fill as in Linux (fs/pipe.c). */
export class Pipe {
  readonly inode: Inode = { number: 0, rights: undefined };
  readonly #slots: Slot[] = [];
  /** The page of a slot that has been read, for the next slot. */
  #spare: Uint8Array | undefined;
  #capacity = PIPE_CAPACITY;
  count = 0;
  readers = 0;
  writers = 0;
  /** Counts of events that wake waiters: bytes put into the pipe, pages taken from a full pipe, ends closed. */
  puts = 0;
  takes = 0;

  get capacity(): ByteCount {
    return this.#capacity;
  }
  /** @param capacity whole pages. False if more pages hold bytes. */
  resize(capacity: ByteCount): boolean {
    if (capacity < this.#slots.length * PAGE) return false;
    this.#capacity = capacity;
    return true;
  }
  /** Do all pages hold bytes? The last page may still have room for a few. */
  get full(): boolean {
    return this.#slots.length * PAGE >= this.#capacity;
  }

  take(target: Uint8Array): number {
    const { full } = this;
    let done = 0;
    for (let slot = this.#slots[0]; slot && done < target.length; slot = this.#slots[0]) {
      const part = slot.page.subarray(slot.start, Math.min(slot.end, slot.start + target.length - done));
      target.set(part, done);
      done += part.length;
      slot.start += part.length;
      if (slot.start < slot.end) break;
      this.#spare = slot.page;
      this.#slots.shift();
    }
    this.count -= done;
    if (full && !this.full) this.takes++;
    return done;
  }

  /**
   * Puts as many bytes into the pipe as it has room for; the bytes of one page go in together or not at all.
   * @param total bytes of the whole write; the source may hold only the first of them, those that the guest can read
   */
  put(source: Uint8Array, total: ByteCount): number {
    let done = 0;
    const last = this.#slots.at(-1);
    const rest = total % PAGE;
    if (last && rest > 0 && last.end + rest <= PAGE) {
      if (source.length < rest) return 0;
      last.page.set(source.subarray(0, rest), last.end);
      last.end += rest;
      done = rest;
    }
    while (done < total && !this.full) {
      const end = Math.min(PAGE, total - done);
      if (done + end > source.length) break;
      const page = this.#spare ?? new Uint8Array(PAGE);
      this.#spare = undefined;
      page.set(source.subarray(done, done + end));
      this.#slots.push({ page, start: 0, end });
      done += end;
    }
    this.count += done;
    if (done > 0) this.puts++;
    return done;
  }
}

/** A queue of bytes that grows with what is put there. */
export class ByteQueue {
  #ring = new Uint8Array(PAGE);
  #start = 0;
  count = 0;

  take(target: Uint8Array): number {
    const count = this.peek(target);
    this.#start = (this.#start + count) % this.#ring.length;
    this.count -= count;
    return count;
  }
  peek(target: Uint8Array): number {
    const size = this.#ring.length;
    const count = Math.min(target.length, this.count);
    for (let done = 0; done < count; ) {
      const at = (this.#start + done) % size;
      const part = this.#ring.subarray(at, Math.min(at + count - done, size));
      target.set(part, done);
      done += part.length;
    }
    return count;
  }
  put(source: Uint8Array): void {
    if (this.count + source.length > this.#ring.length) this.#grow(this.count + source.length);
    const size = this.#ring.length;
    for (let done = 0; done < source.length; ) {
      const at = (this.#start + this.count) % size;
      const part = source.subarray(done, done + size - at);
      this.#ring.set(part, at);
      this.count += part.length;
      done += part.length;
    }
  }
  #grow(needed: ByteCount): void {
    const ring = new Uint8Array(Math.max(needed, 2 * this.#ring.length));
    this.peek(ring);
    this.#ring = ring;
    this.#start = 0;
  }
}
