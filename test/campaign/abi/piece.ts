/**
 * A generated program is made of pieces: each uses one corner of the ABI in a hot loop and gives a number. All arithmetic is unsigned, all
 * indices are masked, types are punned by memcpy and unions only: there is no undefined behaviour, and what is printed depends on the
 * arguments alone.
 */
import type { Random } from '../../support/random.ts';

export interface Piece {
  readonly name: string;
  /** Left out where another compiler builds the program. */
  readonly only?: 'gcc';
  /** It needs more of the C library than the tiny one has. */
  readonly whole?: true;
  /** What the whole program then has to be built with. */
  readonly flags?: readonly string[];
  /**
   * C text that defines `static u P_run(u i, u x)`, with all its names beginning with P. `i` is the round, `x` a random number; `W(k)` for
   * k below MODE_BITS is 0 on the training input and anything on others.
   */
  make(random: Random, p: string): string;
}

export const MODE_BITS = 8;

/** A bit that is 0 in training. */
export const way = (random: Random): string => `W(${random.below(MODE_BITS)})`;

/** How a function is kept out of others: opaque, merely not inlined, or as the compiler likes. */
export const attribute = (random: Random): string => random.choose(['N', 'N', 'L', 'static']);

export const odd = (random: Random): number => 3 + 2 * random.below(500);

export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Lines of text, some of them. */
export const some = (random: Random, count: number, make: (() => string)[]): string =>
  times(count, () => random.choose(make)()).join('\n');

/** `from` shuffled. */
export function shuffled<T>(random: Random, from: readonly T[]): T[] {
  const left = [...from];
  const out: T[] = [];
  while (left.length > 0) out.push(...left.splice(random.below(left.length), 1));
  return out;
}
