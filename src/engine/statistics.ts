/** Counts that follow from the transfers of a run. */
import type { InsnCount } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { decodeAt } from '../isa/decode.ts';
import type { Memory } from '../machine/memory.ts';
import type { Transfer } from './engine.ts';

/**
 * Executed control transfers that do not fall through: taken conditional branches, jumps, calls, returns.
 * @param memory holds the code that ran
 */
export function takenBranches(transfers: readonly Transfer[], memory: Memory): InsnCount {
  let taken = 0;
  for (const { from, to, count } of transfers) {
    const insn = decodeAt(memory.bytes, from);
    // Code that is gone (overwritten, unmapped) is judged by where control went alone.
    const control = insn ? facts(insn).control : 'branch';
    if (control === 'jump' || control === 'indirect') taken += count;
    else if (control === 'branch' && to !== from + (insn?.size ?? 4)) taken += count;
  }
  return taken;
}
