/** Marks of the places where code may be. */
import type { Addr } from '../base/units.ts';
import type { Code } from './code.ts';

/** One byte of marks for each halfword of the executable ranges. The bits' meaning is their user's. */
export class Marks {
  readonly #ranges: readonly { readonly start: Addr; readonly end: Addr; readonly marks: Uint8Array }[];

  constructor(code: Code) {
    this.#ranges = code.ranges.map(({ start, end }) => {
      const even = start + (start % 2);
      return { start: even, end, marks: new Uint8Array(Math.max(0, (end - even + 1) >> 1)) };
    });
  }
  /** The marks at an address; none outside of the executable ranges. */
  get(address: Addr): number {
    for (const { start, end, marks } of this.#ranges)
      if (address >= start && address < end) return marks[(address - start) >> 1]!;
    return 0;
  }
  /** Adds marks at an address; nothing happens outside of the executable ranges. */
  set(address: Addr, bits: number): void {
    for (const { start, end, marks } of this.#ranges)
      if (address >= start && address < end) marks[(address - start) >> 1]! |= bits;
  }
  /** The addresses with any of these marks, range by range. */
  addressesWith(bits: number): Addr[] {
    const found: Addr[] = [];
    for (const { start, marks } of this.#ranges)
      for (let i = 0; i < marks.length; i++) if ((marks[i]! & bits) !== 0) found.push(start + 2 * i);
    return found;
  }
}
