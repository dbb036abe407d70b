/**
 * Jump removal.
 *
 * What: a jump along the trace is removed, since its target comes next anyway. (Links of inlined calls are values and are left to the
 * other passes.)
 * Why it is safe: a jump that links nothing has no effect but the transfer.
 * Risk: none.
 */
import { facts } from '../src/domain/record.ts';
import type { Pass } from '../src/superblock/pass.ts';

export const jumps: Pass = {
  name: 'jumps',
  description: 'removes jumps along the trace',
  transfersOnly: true,
  run(superblock, { spend }) {
    let changed = false;
    const ops = superblock.ops.filter((op) => {
      const fact = facts(op.insn);
      if (fact.control !== 'jump' || fact.writes !== undefined || !spend()) return true;
      changed = true;
      return false;
    });
    return changed ? { ...superblock, ops } : superblock;
  },
};
