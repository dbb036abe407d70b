/** Accounts for the memory that one overlay takes for the guest: files, names, nodes. */
import { E, fail } from './errno.ts';

/** Bytes of the host's memory for all that the guest writes; beyond, the guest's disk is full. */
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
  /** Takes bytes, or gives them back if negative; fails with ENOSPC. */
  take(bytes: number): void {
    if (bytes <= 0) this.#used += bytes;
    else if (!this.tryTake(bytes)) fail(E.NOSPC);
  }
  /** Takes bytes without a check: as many as have just been given back, or about as many. */
  keep(bytes: number): void {
    this.#used += bytes;
  }
}
