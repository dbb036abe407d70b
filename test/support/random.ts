/** Seeded random numbers and edge-case operands for tests. The same seed gives the same sequence everywhere. */

export interface Random {
  /** 32 random bits, unsigned. */
  next(): number;
  /** 0 .. limit-1. */
  below(limit: number): number;
  bits64(): bigint;
  choose<T>(from: readonly T[]): T;
  /** True with a chance of one in `n`. */
  oneIn(n: number): boolean;
}

/** sfc32 (Doty-Humphrey, PractRand), seeded and warmed up. */
export const makeRandom = (seed: number): Random => {
  let a = seed >>> 0;
  let b = 0x9e3779b9;
  let c = 0x243f6a88;
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum;
  };
  for (let i = 0; i < 16; i++) next();
  const below = (limit: number) => Math.floor((next() / 2 ** 32) * limit);
  return {
    next,
    below,
    bits64: () => (BigInt(next()) << 32n) | BigInt(next()),
    choose: (from) => from[below(from.length)]!,
    oneIn: (n) => below(n) === 0,
  };
};

/** Integers where something changes: signs, widths, and their neighbours. */
export const INTEGER_EDGES: readonly bigint[] = [
  ...new Set(
    [0n, 1n << 7n, 1n << 8n, 1n << 11n, 1n << 15n, 1n << 16n, 1n << 31n, 1n << 32n, 1n << 53n, 1n << 63n].flatMap(
      (edge) => [edge - 1n, edge, edge + 1n, -edge, -edge - 1n].map((value) => BigInt.asUintN(64, value)),
    ),
  ),
];

/** One of each class of binary64: zeros, subnormals, normals near edges, halfway cases, infinities, NaNs; then random ones. */
export const doublePatterns = (random: Random): bigint[] => {
  const sign = random.oneIn(2) ? 1n << 63n : 0n;
  const fraction = random.choose([0n, 1n, 0xfffffffffffffn, 0x8000000000000n, random.bits64() & 0xfffffffffffffn]);
  const near = BigInt(1023 + random.below(130) - 65);
  return [
    sign,
    sign | fraction,
    sign | (1n << 52n) | fraction,
    sign | (0x7fen << 52n) | fraction,
    sign | (0x7ffn << 52n) | fraction,
    sign | (0x7ffn << 52n),
    sign | (near << 52n) | fraction,
    sign | (near << 52n) | (random.bits64() & 0xfffffffffffffn),
    sign | (near << 52n) | (random.bits64() & 0xfffffe0000000n),
    // Around the limits of binary32.
    sign |
      (BigInt(random.choose([1023 + 127, 1023 + 128, 1023 - 126, 1023 - 127, 1023 - 149, 1023 - 150])) << 52n) |
      fraction,
    // Halfway between two binary32 numbers.
    sign | (near << 52n) | (random.bits64() & 0xfffffe0000000n) | (1n << 28n),
    random.bits64(),
  ];
};

/** The same of binary32. */
export const singlePatterns = (random: Random): bigint[] => {
  const sign = random.oneIn(2) ? 1n << 31n : 0n;
  const fraction = random.choose([0n, 1n, 0x7fffffn, 0x400000n, BigInt(random.next()) & 0x7fffffn]);
  const near = BigInt(127 + random.below(130) - 65);
  return [
    sign,
    sign | fraction,
    sign | (1n << 23n) | fraction,
    sign | (0xfen << 23n) | fraction,
    sign | (0xffn << 23n) | fraction,
    sign | (0xffn << 23n),
    sign | (near << 23n) | fraction,
    sign | (near << 23n) | (BigInt(random.next()) & 0x7fffffn),
    sign | (near << 23n) | (BigInt(random.next()) & 0x7ff000n),
    BigInt(random.next()),
  ];
};
