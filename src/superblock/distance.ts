/** Accesses at a distance from one value instead of another: shared by the passes that fold sums into offsets. */
import { fitsSigned } from '../base/bits.ts';
import { derived } from '../base/derived.ts';
import { facts } from '../domain/record.ts';
import { Terms } from '../domain/term.ts';
import { runTerms } from '../domain/term-step.ts';
import { makeInsn } from '../isa/encode.ts';
import type { Insn, Row } from '../isa/row.ts';
import { type Op, operandsOf, opWith, type Superblock, type Value } from './form.ts';
import { removeUnused, replaceOp, sinkOp, withFreeHomes } from './rewrite.ts';

const OFFSET_BITS = 12;

/** Is a row's result the sum of rs1 and the immediate, whatever the immediate is? An `or` with 0 only looks like one. */
const addsImmediate = derived('sum', (row: Row): boolean => {
  const terms = new Terms();
  const rs1 = terms.input('rs1');
  const { result } = runTerms(terms, makeInsn(row, { imm: 16 }), { rs1, pc: rs1 }, () => rs1);
  return result === terms.add(rs1, terms.const(16n));
});

/** Does an op add its immediate to rs1, and nothing else? */
export function isSum({ insn }: Op): boolean {
  const { operands } = insn.row;
  return facts(insn).pure && operands.includes('rs1') && operands.includes('imm') && addsImmediate(insn.row);
}

const is = (value: Value | undefined, op: Op): boolean => value?.kind === 'op' && value.id === op.id;

/** The op with `by` plus a distance for `address`; the same op if it does not read `address`; undefined if it cannot read a sum. */
function foldedOp(op: Op, address: Op, by: Value, distance: number): Op | undefined {
  if (is(op.rs2, address) || is(op.rs3, address)) return undefined;
  if (!is(op.rs1, address)) return op;
  const imm = op.insn.imm + distance;
  if (!fitsSigned(imm, OFFSET_BITS) || !(op.insn.row.operands.includes('mem') || isSum(op))) return undefined;
  const insn: Insn = { ...op.insn, imm, size: 4 };
  return opWith(op, { insn, rs1: by });
}

/**
 * The superblock in which every reader of `address` uses the value `by` plus a distance instead; side exits compute the address in their
 * stubs. Undefined if some op of the line needs the address itself, or if the change costs more than it saves.
 */
export function withDistance(superblock: Superblock, address: Op, by: Value, distance: number): Superblock | undefined {
  const ops: Op[] = [];
  /** Sums whose constants have cancelled to 0: copies, as where a frame is given back. */
  const copies: Op[] = [];
  for (const op of superblock.ops) {
    const now = foldedOp(op, address, by, distance);
    if (now === undefined) return undefined;
    if (now !== op && now.insn.imm === 0 && isSum(now)) copies.push(now);
    ops.push(now);
  }
  const sunk = sinkOp({ ...superblock, ops }, address);
  let next = withFreeHomes(superblock, removeUnused(sunk, operandsOf(address), by));
  for (const copy of copies) {
    const op = next?.ops.find(({ id }) => id === copy.id);
    if (op !== undefined) next = replaceOp(next!, op, op.rs1!) ?? next;
  }
  return next;
}
