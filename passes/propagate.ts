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
import { type Op, operandsOf, type Superblock, type Value } from '../src/superblock/form.ts';
import { opIn, usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { removable, replaceOp, replaceSomeUses } from '../src/superblock/rewrite.ts';
import { constantOf, type SuperblockTerms, termsOf } from '../src/superblock/terms.ts';
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
  run(superblock: Superblock, { fuel }) {
    const terms = termsOf(superblock);
    let current = superblock;
    for (const op of superblock.ops) {
      if (!removable(op)) continue;
      // Earlier replacements may have removed this op or changed its operands.
      const now = opIn(current, op.id);
      if (now === undefined) continue;
      const by = simplerValue(terms, now);
      if (by === undefined) continue;
      const uses = usesOf(current).get(op.id);
      if (uses === undefined) continue;
      const costs = now.known !== undefined || facts(op.insn).control === 'jump' ? 2 : 1;
      const gives = !uses.final || costOf(by) <= costs;
      const next = (gives ? replaceOp(current, now, by) : undefined) ?? replaceSomeUses(current, now, by);
      if (next === undefined || next === current) continue;
      if (!fuel.spend('propagate', superblock.head)) return current;
      current = next;
    }
    return current;
  },
};
