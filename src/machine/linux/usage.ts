/** Memory that the files of one overlay take, and all else that it keeps for the guest. */
import { E, fail } from './errno.ts';

/** All that the guest writes may take so much of the host's memory; beyond, the disk is full. */
const CAPACITY = 2 ** 31;

export class Usage {
  readonly #capacity: number;
  #used = 0;
  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
  }
  get used(): number {
    return this.#used;
  }
  /** Takes so many bytes more, if there is room. */
  tryTake(bytes: number): boolean {
    if (this.#used + bytes > this.#capacity) return false;
    this.#used += bytes;
    return true;
  }
  /** The same (or gives back, if negative); fails with ENOSPC. */
  take(bytes: number): void {
    if (bytes <= 0) this.#used += bytes;
    else if (!this.tryTake(bytes)) fail(E.NOSPC);
  }
  /** The same where it cannot fail: what has been given back just now, or about as much. */
  keep(bytes: number): void {
    this.#used += bytes;
  }
}
