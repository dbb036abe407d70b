/** The buffer between the ends of a pipe. */

export const PIPE_CAPACITY = 65536;
/** Writes of up to so many bytes go into a pipe whole or not at all. */
export const PIPE_BUF = 4096;

/** The bytes in a pipe or a stream socket, and how many ends are open. */
export class Pipe {
  readonly capacity: number;
  readonly #buffer: Uint8Array;
  #start = 0;
  count = 0;
  readers = 0;
  writers = 0;
  /** Permission bits that fchmod gave the pipe; undefined: those of a new pipe. */
  rights: number | undefined;
  /** Counts of events that wake waiters: bytes put into the pipe, bytes taken from a full pipe, ends closed. */
  puts = 0;
  takes = 0;
  constructor(capacity = PIPE_CAPACITY) {
    this.capacity = capacity;
    this.#buffer = new Uint8Array(capacity);
  }
  take(target: Uint8Array): number {
    const count = this.peek(target);
    if (this.count === this.capacity && count > 0) this.takes++;
    this.#start = (this.#start + count) % this.capacity;
    this.count -= count;
    return count;
  }
  peek(target: Uint8Array): number {
    const { capacity } = this;
    const count = Math.min(target.length, this.count);
    for (let done = 0; done < count; ) {
      const at = (this.#start + done) % capacity;
      const part = this.#buffer.subarray(at, Math.min(at + count - done, capacity));
      target.set(part, done);
      done += part.length;
    }
    return count;
  }
  put(source: Uint8Array): number {
    const { capacity } = this;
    const count = Math.min(source.length, capacity - this.count);
    for (let done = 0; done < count; ) {
      const at = (this.#start + this.count) % capacity;
      const part = source.subarray(done, done + Math.min(count - done, capacity - at));
      this.#buffer.set(part, at);
      this.count += part.length;
      done += part.length;
    }
    this.puts++;
    return count;
  }
}
