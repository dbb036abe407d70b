/** Registers that calls preserve: for direct callees as their code shows, for others as the psABI says. */
import { derived } from '../base/derived.ts';
import { ALL_REGS, NO_REGS, type RegSet, without } from '../base/regset.ts';
import { PRESERVED, SYSCALL_RESULT } from './abi.ts';
import type { CfgBlock } from './block.ts';
import type { Cfg } from './build.ts';
import { groupsByBlock } from './groups.ts';
import { savesOf } from './saves.ts';

/**
 * @returns the registers that hold after a block, for its successors other than a direct callee, what they held before the block's last
 * instruction. A jump that links against the psABI may come back with any register changed; a direct callee is not held to the psABI.
 */
export const preservation = derived('preserved registers', (cfg: Cfg): ((block: CfgBlock) => RegSet) => {
  const { changed } = savesOf(cfg);
  const groupOf = groupsByBlock(cfg);
  return ({ returnPoint, leavesLink, target, ending }) => {
    if (leavesLink) return NO_REGS;
    if (returnPoint === undefined) return ending === 'syscall' ? without(ALL_REGS, SYSCALL_RESULT) : ALL_REGS;
    const group = target === undefined ? undefined : groupOf.get(target);
    const lost = group === undefined ? NO_REGS : changed.get(group)!;
    return without(PRESERVED, lost);
  };
});
