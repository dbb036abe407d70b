/** Spans of a line of numbers, none over another, each with something that belongs to it: mappings by address, views by file offset. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Look-ups take time that grows with the logarithm of the number of spans; additions and removals copy what lies behind. */
export class Spans<T extends Span> {
  /** Ascending. */
  readonly #spans: T[] = [];

  get size(): number {
    return this.#spans.length;
  }
  [Symbol.iterator](): Iterator<T> {
    return this.#spans[Symbol.iterator]();
  }

  /** Adds a span that overlaps none. */
  add(span: T): void {
    this.#spans.splice(this.#endingBehind(span.from), 0, span);
  }
  remove(span: T): void {
    const at = this.#endingBehind(span.from);
    if (this.#spans[at] === span) this.#spans.splice(at, 1);
  }

  /** The span that a number is in. */
  at(place: number): T | undefined {
    const span = this.#spans[this.#endingBehind(place)];
    return span !== undefined && span.from <= place ? span : undefined;
  }
  /** The spans that have something in common with [from, to), ascending; a list of its own. */
  over(from: number, to: number): T[] {
    const found: T[] = [];
    for (let k = this.#endingBehind(from); k < this.#spans.length && this.#spans[k]!.from < to; k++)
      found.push(this.#spans[k]!);
    return found;
  }

  /** Index of the first span that ends behind a number. */
  #endingBehind(place: number): number {
    let [low, high] = [0, this.#spans.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#spans[middle]!.to <= place) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
