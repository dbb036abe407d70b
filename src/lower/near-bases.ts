/** Upper parts of pc-relative addresses that need not be exact. */
import type { Addr } from '../base/units.ts';
import { pcRelativeAddress } from '../isa/idioms.ts';
import { isSum } from '../superblock/distance.ts';
import { exitsOf, type Op, operandsOf, type Superblock, type Value } from '../superblock/form.ts';

/** Does an op read rs1 only as a base: to access memory at an offset from it, or to add its immediate to it? */
const readsBase = (op: Op): boolean => op.expect === undefined && (op.insn.row.operands.includes('mem') || isSum(op));

/**
 * Results of auipc that only serve as bases of 12-bit offsets: at another pc the upper part may differ, as long as the sum of
 * upper part and offset is the same. Maps op ids to the original addresses. Side exits may want such a result, and get the exact address.
 */
export function nearBases(superblock: Superblock): ReadonlyMap<number, Addr> {
  const { ops, final } = superblock;
  const bases = new Map<number, Addr>();
  for (const op of ops) {
    const address = pcRelativeAddress(op.insn, op.pc);
    if (address !== undefined) bases.set(op.id, address);
  }
  if (bases.size === 0) return bases;
  const drop = (value: Value | undefined) => {
    if (value?.kind === 'op') bases.delete(value.id);
  };
  for (const op of ops) {
    if (!readsBase(op)) drop(op.rs1);
    drop(op.rs2);
    drop(op.rs3);
  }
  for (const { exit } of exitsOf(superblock)) for (const op of exit.sunk) operandsOf(op).forEach(drop);
  for (const value of final.exit.snapshot.values()) drop(value);
  if (final.op !== undefined) operandsOf(final.op).forEach(drop);
  return bases;
}
