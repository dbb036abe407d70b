/** From bits to an instruction. Tables are made from the rows' masks. */
import type { Alias } from './alias.ts';
import { fieldsOf, layoutOf } from './fields.ts';
import type { Insn, Row } from './row.ts';
import { COMPRESSED, ROWS } from './table.ts';

/** Rows by the bits that nearly all of them fix: opcode bits 6..2 and funct3. A bucket is filled when a word first falls into it. */
const buckets: (readonly Row[] | undefined)[] = new Array(256).fill(undefined);

function bucketOf(word: number): readonly Row[] {
  const index = (((word >>> 2) & 31) << 3) | ((word >>> 12) & 7);
  let bucket = buckets[index];
  if (bucket === undefined) {
    const KEY = 0x0000707f;
    bucket = ROWS.filter((row) => ((word ^ row.match) & row.mask & KEY) === 0);
    buckets[index] = bucket;
  }
  return bucket;
}

/** The alias of each instruction that a halfword was expanded to. */
const aliases = new WeakMap<Insn, Alias>();

/** The compressed encoding that an instruction was decoded from; for an instruction that was not decoded, the first that fits it. */
export const aliasOf = (insn: Insn): Alias | undefined =>
  aliases.get(insn) ?? COMPRESSED.find((alias) => alias.compress(insn) !== undefined);

/** Expansions of halfwords, each filled when the halfword is first met; null: no instruction. */
const expansions: (Insn | null | undefined)[] = new Array(0x10000).fill(undefined);

function expand(half: number): Insn | undefined {
  let insn = expansions[half];
  if (insn === undefined) {
    insn = null;
    for (const alias of COMPRESSED) {
      const found = alias.expand(half);
      if (found) {
        insn = found;
        aliases.set(found, alias);
        break;
      }
    }
    expansions[half] = insn;
  }
  return insn ?? undefined;
}

function decodeFull(word: number): Insn | undefined {
  for (const row of bucketOf(word)) {
    if ((word & row.mask) >>> 0 !== row.match) continue;
    const insn = fieldsOf(row, word);
    // Rounding modes 5 and 6 are reserved (manual, chapter "F", table of rounding modes).
    return layoutOf(row).rounds && (insn.rm === 5 || insn.rm === 6) ? undefined : insn;
  }
  return undefined;
}

/**
 * Bytes of an instruction, with or without a row here, by its first halfword (unprivileged manual, "Expanded Instruction-Length
 * Encoding"). 0 for all zeros, which are defined to be no instruction; 8 also for longer encodings.
 */
export function encodedLength(half: number): 0 | 2 | 4 | 6 | 8 {
  if (half === 0) return 0;
  if ((half & 0x1f) !== 0x1f) return lengthOf(half);
  return (half & 0x3f) === 0x1f ? 6 : 8;
}

/** Bytes of the instruction that begins with these bits (unprivileged manual, "Expanded Instruction-Length Encoding"). */
export const lengthOf = (bits: number): 2 | 4 => ((bits & 3) === 3 ? 4 : 2);

/** Decoded words. A word decodes to one object, so that maps can be keyed by it. Bounded: fuzzed code has no end of words. */
const decoded = new Map<number, Insn | undefined>();
const DECODED_LIMIT = 1 << 18;

/**
 * The instruction in a 32-bit word (signed or unsigned), or undefined if the word is none. If the low two bits are not 3, only the low
 * 16 bits count and the result is the full instruction that they encode, with size 2. Equal words give the same object until `decoded`
 * is cleared.
 */
export function decode(word: number): Insn | undefined {
  if ((word & 3) !== 3) return expand(word & 0xffff);
  const key = word | 0;
  const known = decoded.get(key);
  if (known !== undefined || decoded.has(key)) return known;
  if (decoded.size >= DECODED_LIMIT) decoded.clear();
  const insn = decodeFull(word >>> 0);
  decoded.set(key, insn);
  return insn;
}

/** Decodes at an offset; undefined also where the bytes end too early. Two bytes are enough for a compressed instruction. */
export function decodeAt(bytes: Uint8Array, offset: number): Insn | undefined {
  if (offset < 0 || offset + 2 > bytes.length) return undefined;
  const low = bytes[offset]! | (bytes[offset + 1]! << 8);
  if ((low & 3) !== 3) return expand(low);
  if (offset + 4 > bytes.length) return undefined;
  return decode(low | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24));
}
