/**
 * Folding of additions into offsets.
 *
 * What: the sum of a value and a constant is removed if the line only accesses memory at the sum or adds constants to it. These loads,
 * stores and additions then add both constants to the value itself. Side exits that need the sum compute it in their stubs. So one
 * increment of an unrolled loop's pointer remains, and the others become offsets.
 * Why it is safe: addresses are sums of register and offset modulo 2^64, so the terms are the same; the new offset has to fit.
 * Risk: code size: a larger offset may not fit in a compressed instruction, and exits get copies of the sum, whose number is limited.
 */
import { facts } from '../src/domain/record.ts';
import { isSum, withDistance } from '../src/superblock/distance.ts';
import type { Op, Superblock } from '../src/superblock/form.ts';
import { usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { MAX_COPIES, sinkable } from '../src/superblock/rewrite.ts';
import { rewriteEachOp } from '../src/superblock/rewrite-each.ts';
import { weightOf } from '../src/superblock/weight.ts';

/** The superblock without this sum; undefined if something needs it. */
const fold = (superblock: Superblock, sum: Op): Superblock | undefined =>
  withDistance(superblock, sum, sum.rs1!, sum.insn.imm);

export const offsets: Pass = {
  name: 'offsets',
  description: 'folds additions of constants into the offsets of what reads them',
  run(superblock, context) {
    const byId = new Map(superblock.ops.map((op) => [op.id, op]));
    return rewriteEachOp(superblock, context, (current, sum) => {
      const base = sum.rs1;
      if ((base?.kind !== 'op' && base?.kind !== 'head') || !isSum(sum) || !sinkable(sum)) return undefined;
      // A base that is computed from the pc is skipped: its low part depends on where the code will be placed.
      const maker = base.kind === 'op' ? byId.get(base.id) : undefined;
      if (maker !== undefined && facts(maker.insn).readsPc) return undefined;
      const uses = usesOf(current).get(sum.id);
      if (uses === undefined || uses.line.length === 0 || uses.final) return undefined;
      if (new Set(uses.exits).size > MAX_COPIES) return undefined;
      const next = fold(current, sum);
      return next !== undefined && weightOf(next) < weightOf(current) ? next : undefined;
    });
  },
};
