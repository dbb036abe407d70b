/** Bit operations on machine integers (number) and on 64-bit values (bigint). 64-bit values are kept in their unsigned form. */

export const MASK64 = (1n << 64n) - 1n;

/** Bits hi..lo (inclusive) of a 32-bit word, unsigned. */
export const field = (word: number, hi: number, lo: number): number => (word >>> lo) & (-1 >>> (31 - hi + lo));
/** The low `bits` bits (1..32) of a number, sign-extended. */
export const signExtend = (value: number, bits: number): number => (value << (32 - bits)) >> (32 - bits);
/** A 64-bit value from its unsigned form to a signed bigint. */
export const toSigned = (value: bigint): bigint => BigInt.asIntN(64, value);
/** Any bigint to its unsigned 64-bit form. */
export const toUnsigned = (value: bigint): bigint => value & MASK64;
/** Does a number fit in a signed field of so many bits? */
export const fitsSigned = (value: number, bits: number): boolean =>
  value >= -(2 ** (bits - 1)) && value < 2 ** (bits - 1);
/** The next multiple of a power of two (works beyond 2^32). */
export const alignUp = (value: number, alignment: number): number => Math.ceil(value / alignment) * alignment;
export const alignDown = (value: number, alignment: number): number => Math.floor(value / alignment) * alignment;

/** Pieces one behind the other. */
export function concat(...parts: readonly ArrayLike<number>[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
