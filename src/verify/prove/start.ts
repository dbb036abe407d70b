/** The state that both forms of a superblock are run on. */

export interface Start {
  /** By register, unsigned; entry 0 is 0. */
  readonly registers: readonly bigint[];
  readonly frm: number;
  /** Memory where it is not noise: a byte by address. */
  readonly bytes: ReadonlyMap<bigint, number>;
  readonly seed: number;
}

/** The range of made-up pointers: [from, from + size). */
export const POINTERS = { from: 2 ** 28, size: 2 ** 28 } as const;

function mix(a: number, b: number): number {
  let x = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return x ^ (x >>> 15);
}

/**
 * The contents of unwritten memory: small numbers, words, doubles of moderate size, pointers, so that branches on them go both ways.
 */
function noise(seed: number, address: bigint): number {
  const index = Number(BigInt.asUintN(32, address >> 3n));
  const at = Number(address & 7n);
  const kind = mix(seed, index);
  const [low, high] = [mix(kind, 1), mix(kind, 2)];
  const byteOf = (word: number) => (word >>> (8 * (at & 3))) & 0xff;
  switch (kind & 3) {
    case 0:
      return at === 0 ? (kind >>> 8) & 7 : 0;
    case 1:
      return at < 4 ? byteOf(low) : 0;
    case 2:
      return byteOf(at < 4 ? low : (high & 0x800fffff) | ((1000 + ((kind >>> 8) & 31)) << 20));
    default:
      if ((kind & 28) === 0) return byteOf(at < 4 ? low : high);
      return at < 4 ? byteOf(POINTERS.from + (low & (POINTERS.size - 8))) : 0;
  }
}

export const startByte = (start: Start, address: bigint): number =>
  start.bytes.get(address) ?? noise(start.seed, address);
