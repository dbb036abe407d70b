/** The table of executed indirect jumps (jumps.ts) as generated code sees it: finding a pair of site and target, and counting the pair. */
import type { Code, Label } from '../base/wasm-code.ts';
import { emitIncrement } from './frame.ts';

/** The table of executed indirect jumps: open addressing, linear probing, never full. */
export const JUMPS = {
  BITS: 16,
  /** Bytes of an entry: the i64 key, record of the site << 32 | target; at COUNT, the i64 count. */
  ENTRY: 16,
  COUNT: 8,
  /** Knuth's multiplicative hash. */
  FACTOR: 0x9e3779b1 | 0,
} as const;

/** Sets `entry` to the byte offset in the table of jumps where probing starts. Must agree with `jumpHash`. */
export function emitJumpHash(code: Code, record: number, pushTarget: () => void, entry: number): void {
  code.get(record).i32(5).op('i32.shr_u');
  pushTarget();
  code.i32(1).op('i32.shr_u', 'i32.xor').i32(JUMPS.FACTOR).op('i32.mul');
  code
    .i32(32 - JUMPS.BITS)
    .op('i32.shr_u')
    .i32(4)
    .op('i32.shl')
    .set(entry);
}

/** As `emitJumpHash`: the index of the entry where probing starts. */
export const jumpHash = (record: number, target: number): number =>
  Math.imul((record >>> 5) ^ (target >>> 1), JUMPS.FACTOR) >>> (32 - JUMPS.BITS);

/** Locals for a search in the table. */
interface Search {
  /** The i64 key. */
  readonly key: number;
  /** Byte offset of the entry where probing starts; then of the entry found. */
  readonly entry: number;
  /** i64, for the search's own use. */
  readonly found: number;
}

/** Counts the jump in the table at `jumps`, or goes to `unknown` if it is not there yet. */
export function emitJumpCount(code: Code, jumps: number, { key, entry, found }: Search, unknown: Label): void {
  const hit = code.block();
  const probe = code.loop();
  code.get(entry).access('i64.load', jumps).tee(found).get(key).op('i64.eq').brIf(hit);
  code.get(found).op('i64.eqz').brIf(unknown);
  code.get(entry).i32(JUMPS.ENTRY).op('i32.add');
  code
    .i32(2 ** JUMPS.BITS * JUMPS.ENTRY - 1)
    .op('i32.and')
    .set(entry)
    .br(probe);
  code.end();
  code.end();
  emitIncrement(code, () => code.get(entry), jumps + JUMPS.COUNT);
}
