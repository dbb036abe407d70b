/** Exact counts of control transfers, by site and target. Programs can have millions of transfers, so counts are in arrays of numbers. */
import type { Addr, InsnCount, RunAddr } from '../base/units.ts';
import type { Transfer } from './engine.ts';

/** A power of two. */
const INITIAL_ENTRIES = 64;

export class TransferCounts {
  /** One entry a pair, in the order of insertion. */
  #from = new Float64Array(INITIAL_ENTRIES);
  #to = new Float64Array(INITIAL_ENTRIES);
  #count = new Float64Array(INITIAL_ENTRIES);
  #size = 0;
  /** Open addressing, at most half full: numbers of entries, plus 1. */
  #index = new Uint32Array(2 * INITIAL_ENTRIES);

  add(from: Addr, to: Addr, count: InsnCount): void {
    if (count === 0) return;
    let slot = this.#slot(from, to);
    for (; this.#index[slot] !== 0; slot = (slot + 1) & (this.#index.length - 1)) {
      const entry = this.#index[slot]! - 1;
      if (this.#from[entry] !== from || this.#to[entry] !== to) continue;
      this.#count[entry]! += count;
      return;
    }
    this.#from[this.#size] = from;
    this.#to[this.#size] = to;
    this.#count[this.#size] = count;
    this.#index[slot] = ++this.#size;
    if (this.#size === this.#from.length) this.#grow();
  }
  #slot(from: Addr, to: Addr): number {
    const hash = Math.imul(Math.imul(from, 0x9e3779b1) ^ to, 0x85ebca6b);
    return (hash ^ (hash >>> 15)) & (this.#index.length - 1);
  }
  #grow(): void {
    const twice = (old: Float64Array) => {
      const grown = new Float64Array(2 * old.length);
      grown.set(old);
      return grown;
    };
    [this.#from, this.#to, this.#count] = [twice(this.#from), twice(this.#to), twice(this.#count)];
    this.#index = new Uint32Array(2 * this.#from.length);
    for (let entry = 0; entry < this.#size; entry++) {
      let slot = this.#slot(this.#from[entry]!, this.#to[entry]!);
      while (this.#index[slot] !== 0) slot = (slot + 1) & (this.#index.length - 1);
      this.#index[slot] = entry + 1;
    }
  }

  copy(): TransferCounts {
    const copy = new TransferCounts();
    copy.addAll(this);
    return copy;
  }
  addAll(others: TransferCounts): void {
    for (let entry = 0; entry < others.#size; entry++)
      this.add(others.#from[entry]!, others.#to[entry]!, others.#count[entry]!);
  }
  /** Each (from, to) once, sorted by from, then to. */
  list(): Transfer[] {
    const [from, to] = [this.#from, this.#to];
    const order = new Uint32Array(this.#size).map((_, entry) => entry);
    order.sort((a, b) => from[a]! - from[b]! || to[a]! - to[b]!);
    return Array.from(order, (entry) => ({
      from: from[entry]! as RunAddr,
      to: to[entry]! as RunAddr,
      count: this.#count[entry]!,
    }));
  }
}
