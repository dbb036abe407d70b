/**
 * Constant and copy propagation.
 *
 * What: an op whose result is a constant, or one of its own operands unchanged, gives way to that value. A load that gives back a
 * return address the line itself saved counts as that constant.
 * Why it is safe: the result's term, computed by the row itself, is the constant's or the operand's; equal terms are equal values
 * for all inputs. A saved return address rests on assumption A3.
 * Risk: a constant at the final exit costs as much there as the op did; it is left alone where it would cost more.
 */
import { facts } from '../src/domain/record.ts';
import { type Op, operandsOf, type Superblock, type Value } from '../src/superblock/form.ts';
import { opIn, usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { removable, replaceOp, replaceSomeUses } from '../src/superblock/rewrite.ts';
import { constantOf, type SuperblockTerms, termsOf } from '../src/superblock/terms.ts';
import { costOf } from '../src/superblock/weight.ts';

/** Bytes; half of what an upper part reaches, for code is placed behind the image. */
const FAR = 2 ** 30;

function simpler(terms: SuperblockTerms, op: Op): Value | undefined {
  const term = terms.result(op);
  if (term === undefined) return undefined;
  const constant = constantOf(term);
  // What is computed from an address need not be near the code, and then cannot be made from where the code is.
  if (constant?.kind === 'code' && Math.abs(constant.address - op.pc) >= FAR) return undefined;
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
      // It may have gone with another by now, or its operands may have been replaced.
      const now = opIn(current, op.id);
      if (now === undefined) continue;
      const by = simpler(terms, now);
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
