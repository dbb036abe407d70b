/** Sets of numbers as ranges [from, to): parts of a file. */

export interface Range {
  readonly from: number;
  readonly to: number;
}

export class Ranges {
  /** Ascending; no range touches the next. */
  readonly #ranges: Range[] = [];

  get count(): number {
    return this.#ranges.length;
  }
  get empty(): boolean {
    return this.#ranges.length === 0;
  }
  [Symbol.iterator](): Iterator<Range> {
    return this.#ranges[Symbol.iterator]();
  }

  add(from: number, to: number): void {
    if (from >= to) return;
    // Ranges that touch the new one are merged with it.
    const [first, last] = [this.#endingFrom(from), this.#endingFrom(to)];
    const stop = last < this.#ranges.length && this.#ranges[last]!.from <= to ? last + 1 : last;
    const touched = this.#ranges.slice(first, stop);
    const whole = { from: Math.min(from, touched[0]?.from ?? from), to: Math.max(to, touched.at(-1)?.to ?? to) };
    this.#ranges.splice(first, stop - first, whole);
  }

  remove(from: number, to: number): void {
    if (from >= to) return;
    const first = this.#endingFrom(from + 1);
    let stop = first;
    const left: Range[] = [];
    for (; stop < this.#ranges.length && this.#ranges[stop]!.from < to; stop++) {
      const range = this.#ranges[stop]!;
      if (range.from < from) left.push({ from: range.from, to: from });
      if (range.to > to) left.push({ from: to, to: range.to });
    }
    if (stop > first) this.#ranges.splice(first, stop - first, ...left);
  }

  /** The parts of [from, to) that are in the set, ascending. */
  *within(from: number, to: number): Generator<Range> {
    for (let k = this.#endingFrom(from + 1); k < this.#ranges.length && this.#ranges[k]!.from < to; k++)
      yield { from: Math.max(from, this.#ranges[k]!.from), to: Math.min(to, this.#ranges[k]!.to) };
  }

  /** Index of the first range that ends at or behind a number. */
  #endingFrom(end: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]!.to < end) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
