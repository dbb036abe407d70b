/**
 * Folding of additions into offsets.
 *
 * What: the sum of a value and a constant goes if all that the line does with it is to access memory at it or to add a constant to it:
 * those add both constants to the value itself. Side exits that need the sum compute it. So the increments of an unrolled loop become
 * one, and the others offsets.
 * Why it is safe: addresses are sums of register and offset modulo 2^64, so the terms are the same; the new offset has to fit.
 * Risk: code size: a larger offset may not fit in a compressed instruction, and exits get copies of the sum; their number is limited.
 */
import { fitsSigned } from '../src/base/bits.ts';
import { facts } from '../src/domain/record.ts';
import { runTerms, Terms } from '../src/domain/term.ts';
import type { Insn } from '../src/isa/row.ts';
import type { Op, Superblock, Value } from '../src/superblock/form.ts';
import { usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { MAX_COPIES, replaceOp, settled, sinkOp } from '../src/superblock/rewrite.ts';
import { weightOf } from '../src/superblock/weight.ts';

const OFFSET_BITS = 12;

/** It adds its immediate to rs1, and does nothing else. */
function isSum({ insn }: Op): boolean {
  if (!facts(insn).pure || !insn.row.operands.includes('rs1') || !insn.row.operands.includes('imm')) return false;
  const terms = new Terms();
  const rs1 = terms.input('rs1');
  const { result } = runTerms(terms, { ...insn, imm: 16 }, { rs1, pc: rs1 }, () => rs1);
  return result === terms.add(rs1, terms.const(16n));
}

const is = (value: Value | undefined, op: Op): boolean => value?.kind === 'op' && value.id === op.id;

/** The op with the sum's own operand and both constants; the same op if it does not read the sum, undefined if it reads it otherwise. */
function folded(op: Op, sum: Op): Op | undefined {
  if (is(op.rs2, sum) || is(op.rs3, sum)) return undefined;
  if (!is(op.rs1, sum)) return op;
  const imm = op.insn.imm + sum.insn.imm;
  if (!fitsSigned(imm, OFFSET_BITS) || !(op.insn.row.operands.includes('mem') || isSum(op))) return undefined;
  const insn: Insn = { ...op.insn, imm, size: 4 };
  return { ...op, insn, rs1: sum.rs1! };
}

/** The superblock without this sum; undefined if something needs it. */
function fold(superblock: Superblock, sum: Op): Superblock | undefined {
  const ops: Op[] = [];
  /** Sums with what cancels the other: copies, as where a frame is given back. */
  const copies: Op[] = [];
  for (const op of superblock.ops) {
    const now = folded(op, sum);
    if (now === undefined) return undefined;
    if (now !== op && now.insn.imm === 0 && isSum(now)) copies.push(now);
    ops.push(now);
  }
  let next = settled(superblock, sinkOp({ ...superblock, ops }, sum));
  for (const copy of copies) {
    const op = next?.ops.find(({ id }) => id === copy.id);
    if (op !== undefined) next = replaceOp(next!, op, op.rs1!) ?? next;
  }
  return next;
}

export const offsets: Pass = {
  name: 'offsets',
  description: 'folds additions of constants into the offsets of what reads them',
  run(superblock, { fuel }) {
    const byId = new Map(superblock.ops.map((op) => [op.id, op]));
    let current = superblock;
    for (const { id } of superblock.ops) {
      const sum = current.ops.find((op) => op.id === id);
      const base = sum?.rs1;
      // What is computed from the pc has an offset of its own, which depends on where the code will be.
      if (sum === undefined || base === undefined || base.kind === 'const' || base.kind === 'code' || !isSum(sum))
        continue;
      const maker = base.kind === 'op' ? byId.get(base.id) : undefined;
      if (maker !== undefined && facts(maker.insn).readsPc) continue;
      const uses = usesOf(current).get(id);
      if (uses === undefined || uses.line.length === 0 || uses.final) continue;
      if (new Set(uses.exits).size > MAX_COPIES) continue;
      const next = fold(current, sum);
      if (next === undefined || weightOf(next) >= weightOf(current)) continue;
      if (!fuel.spend('offsets', superblock.head)) return current;
      current = next;
    }
    return current;
  },
};
