/**
 * Branch inversion.
 *
 * What: where the trace goes on along the taken side, the branch is turned round, so that the hot way falls through.
 * Why it is safe: the inverse branch is taken exactly when the original is not; the exit's snapshot is of the same place.
 * Risk: none.
 */
import { invertBranch } from '../src/isa/idioms.ts';
import { opWith } from '../src/superblock/form.ts';
import type { Pass } from '../src/superblock/pass.ts';

export const invert: Pass = {
  name: 'invert',
  description: 'turns branches round so that the trace falls through',
  run(superblock, { fuel }) {
    let changed = false;
    const ops = superblock.ops.map((op) => {
      if (op.leaves !== 'untaken' || !fuel.spend('invert', superblock.head)) return op;
      changed = true;
      return opWith(op, { insn: invertBranch(op.insn), leaves: 'taken' });
    });
    return changed ? { ...superblock, ops } : superblock;
  },
};
