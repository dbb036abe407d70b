/** A set of numbers below 2^30 that finds the next member in a few steps, however many members there are and wherever they lie. */

const LEVELS = 6;
const BITS = 5;

export class SparseSet {
  /** Level 0 has a bit for each number, by words of 32 bits; level k a bit for each word of level k - 1 that is not zero. */
  readonly #levels = Array.from({ length: LEVELS }, () => new Map<number, number>());

  add(number: number): void {
    for (let level = 0, at = number; level < LEVELS; level++, at >>= BITS) {
      const words = this.#levels[level]!;
      const old = words.get(at >> BITS) ?? 0;
      words.set(at >> BITS, old | (1 << (at & 31)));
      if (old !== 0) return;
    }
  }

  delete(number: number): void {
    for (let level = 0, at = number; level < LEVELS; level++, at >>= BITS) {
      const words = this.#levels[level]!;
      const left = (words.get(at >> BITS) ?? 0) & ~(1 << (at & 31));
      if (left !== 0) {
        words.set(at >> BITS, left);
        return;
      }
      words.delete(at >> BITS);
    }
  }

  /** The smallest member that is not below a number. */
  next(number: number): number | undefined {
    for (let level = 0, at = number; level < LEVELS; level++, at = (at >> BITS) + 1) {
      const word = this.#levels[level]!.get(at >> BITS) ?? 0;
      const later = word & (-1 << (at & 31));
      if (later === 0) continue;
      let found = ((at >> BITS) << BITS) + lowest(later);
      for (let below = level - 1; below >= 0; below--)
        found = (found << BITS) + lowest(this.#levels[below]!.get(found)!);
      return found;
    }
    return undefined;
  }
}

/** The number of the lowest bit that is set. */
const lowest = (word: number): number => 31 - Math.clz32(word & -word);
