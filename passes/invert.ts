/**
 * Branch inversion.
 *
 * What: a branch along whose taken side the trace goes on is inverted, so that the hot path falls through.
 * Why it is safe: the inverse branch is taken exactly when the original is not; the exit's snapshot stays the same.
 * Risk: none.
 */
import { invertBranch } from '../src/isa/idioms.ts';
import { opWith } from '../src/superblock/form.ts';
import type { Pass } from '../src/superblock/pass.ts';

export const invert: Pass = {
  name: 'invert',
  description: 'turns branches round so that the trace falls through',
  transfersOnly: true,
  run(superblock, { spend }) {
    let changed = false;
    const ops = superblock.ops.map((op) => {
      if (op.leaves !== 'untaken' || !spend()) return op;
      changed = true;
      return opWith(op, { insn: invertBranch(op.insn), leaves: 'taken' });
    });
    return changed ? { ...superblock, ops } : superblock;
  },
};
