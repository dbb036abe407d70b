/** What is between the ends of a pipe. */

export const PIPE_CAPACITY = 65536;
/** Writes of up to so many bytes go into a pipe whole or not at all. */
export const PIPE_BUF = 4096;

/** The bytes in a pipe, and how many ends are open. */
export class Pipe {
  readonly #buffer = new Uint8Array(PIPE_CAPACITY);
  #start = 0;
  count = 0;
  readers = 0;
  writers = 0;
  take(target: Uint8Array): number {
    const count = Math.min(target.length, this.count);
    for (let done = 0; done < count; ) {
      const at = (this.#start + done) % PIPE_CAPACITY;
      const part = this.#buffer.subarray(at, Math.min(at + count - done, PIPE_CAPACITY));
      target.set(part, done);
      done += part.length;
    }
    this.#start = (this.#start + count) % PIPE_CAPACITY;
    this.count -= count;
    return count;
  }
  put(source: Uint8Array): number {
    const count = Math.min(source.length, PIPE_CAPACITY - this.count);
    for (let done = 0; done < count; ) {
      const at = (this.#start + this.count) % PIPE_CAPACITY;
      const part = source.subarray(done, done + Math.min(count - done, PIPE_CAPACITY - at));
      this.#buffer.set(part, at);
      this.count += part.length;
      done += part.length;
    }
    return count;
  }
}
