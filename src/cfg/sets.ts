/** Data structures for fixpoints over a hundred thousand blocks: numbers in typed arrays, by the blocks' indexes. */
import type { RegSet } from '../base/regset.ts';

/** A set of registers for each of many items, in place. */
export class Sets {
  readonly x: Int32Array;
  readonly f: Int32Array;
  constructor(size: number) {
    this.x = new Int32Array(size);
    this.f = new Int32Array(size);
  }
  get(i: number): RegSet {
    return { x: this.x[i]!, f: this.f[i]! };
  }
  /** Adds registers to the set of item i. @returns whether the set grew */
  add(i: number, x: number, f: number): boolean {
    const newX = this.x[i]! | x;
    const newF = this.f[i]! | f;
    if (newX === this.x[i] && newF === this.f[i]) return false;
    this.x[i] = newX;
    this.f[i] = newF;
    return true;
  }
}

/** A list of numbers for each of many items, end to end: a hundred thousand small arrays take long to make and to collect. */
export class Lists {
  /** The numbers of item i are `items[starts[i]]` up to, but without, `items[starts[i + 1]]`. */
  readonly starts: Int32Array;
  readonly items: Int32Array;
  /** @param visit calls back with each pair of item and number; it is called twice, and must give the same pairs in the same order */
  constructor(size: number, visit: (add: (item: number, number: number) => void) => void) {
    this.starts = new Int32Array(size + 1);
    visit((item) => {
      this.starts[item + 1]!++;
    });
    for (let i = 0; i < size; i++) this.starts[i + 1]! += this.starts[i]!;
    this.items = new Int32Array(this.starts[size]!);
    const next = this.starts.slice();
    visit((item, number) => {
      this.items[next[item]!++] = number;
    });
  }
}

/** A first-in, first-out queue; an item that waits already is not added again. */
export class Queue {
  readonly #waiting: Uint8Array;
  readonly #ring: Int32Array;
  #first = 0;
  #length = 0;
  constructor(size: number) {
    this.#waiting = new Uint8Array(size);
    this.#ring = new Int32Array(size);
  }
  push(i: number): void {
    if (this.#waiting[i] === 1) return;
    this.#waiting[i] = 1;
    const at = this.#first + this.#length++;
    this.#ring[at < this.#ring.length ? at : at - this.#ring.length] = i;
  }
  shift(): number | undefined {
    if (this.#length === 0) return undefined;
    const i = this.#ring[this.#first]!;
    if (++this.#first === this.#ring.length) this.#first = 0;
    this.#length--;
    this.#waiting[i] = 0;
    return i;
  }
}
