/**
 * Constant and copy propagation.
 *
 * What: an op whose result is a constant, or one of its own operands unchanged, is replaced by that value. A load of a return address
 * that the line itself saved counts as a constant.
 * Why it is safe: the result's term, computed by the row itself, is the term of the constant or the operand; equal terms are equal values
 * for all inputs. The value of a saved return address rests on assumption A3.
 * Risk: an exit has to make a constant itself. An op that the final exit needs stays where the constant would cost more than the op.
 */
import { facts } from '../src/domain/record.ts';
import { type Op, operandsOf, type Value } from '../src/superblock/form.ts';
import { usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { removable, replaceOp, replaceSomeUses } from '../src/superblock/rewrite.ts';
import { rewriteEachOp } from '../src/superblock/rewrite-each.ts';
import { constantOf, type SuperblockTerms } from '../src/superblock/terms.ts';
import { costOf } from '../src/superblock/weight.ts';

/** Half of what a pc-relative upper part reaches, since optimized code is placed behind the image. */
const CODE_REACH_BYTES = 2 ** 30;

function simplerValue(terms: SuperblockTerms, op: Op): Value | undefined {
  const term = terms.result(op);
  if (term === undefined) return undefined;
  const constant = constantOf(term);
  // A sum of a code address and a constant may lie so far from the code that no pc-relative pair makes it.
  if (constant?.kind === 'code' && Math.abs(constant.address - op.pc) >= CODE_REACH_BYTES) return undefined;
  return constant ?? operandsOf(op).find((value) => terms.of(value) === term);
}

export const propagate: Pass = {
  name: 'propagate',
  description: 'lets uses of constants and copies use the original value',
  run(superblock, context) {
    const terms = context.termsOf(superblock);
    return rewriteEachOp(superblock, context, (current, op) => {
      if (!removable(op)) return undefined;
      const by = simplerValue(terms, op);
      const uses = by && usesOf(current).get(op.id);
      if (by === undefined || uses === undefined) return undefined;
      const costs = op.known !== undefined || facts(op.insn).control === 'jump' ? 2 : 1;
      const gives = !uses.final || costOf(by) <= costs;
      return (gives ? replaceOp(current, op, by) : undefined) ?? replaceSomeUses(current, op, by);
    });
  },
};
