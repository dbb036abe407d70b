/** The rules by which liveness finds the registers that are live behind a block: one for each way in which control may leave a block. */
import { isLink, RA, type Reg, T0, ZERO } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { CfgBlock } from './block.ts';
import type { Cfg } from './build.ts';
import { hasUnseenTarget, jumpsByLink, mayReturnBy } from './unseen-jumps.ts';

/**
 * - `flow`: control goes to known blocks and nowhere else;
 * - `all`: control may go anywhere, under no convention;
 * - `call`: a call of known code; `linked-jump`: the same with another link than ra; `unknown-call`: a call by the convention;
 * - `return`: to a caller, by the convention;
 * - `unknown-jump`: within the function, to a table's targets, or to another function by the convention;
 * - `syscall`: into the kernel and back; `trap`: to a handler.
 */
export type Rule =
  | 'flow'
  | 'all'
  | 'trap'
  | 'return'
  | 'call'
  | 'unknown-call'
  | 'linked-jump'
  | 'unknown-jump'
  | 'syscall';

/** The rule of a block, by its ending alone; `callsKnown`: the block calls a block of the graph. */
export function rulesIn(cfg: Cfg): (block: CfgBlock, callsKnown: boolean) => Rule {
  const { blocks, code } = cfg;
  /** Does any call link through t0? */
  const usesAlternateLink = blocks.some(
    ({ returnPoint, site }) => returnPoint !== undefined && facts(code.insnAt(site)!).writes !== RA,
  );
  /** Does a block that ends like a return jump to anything else than a link? */
  const isJump = jumpsByLink(cfg, usesAlternateLink ? [RA] : [RA, T0]);
  /** Does a jump compute its target in an unseen way? May a jump be a return against the psABI? */
  const isUnseen = hasUnseenTarget(cfg);
  const mayReturn = mayReturnBy(cfg, otherLinks(cfg));

  return (block, callsKnown) => {
    const { ending, target } = block;
    const last = code.insnAt(block.site)!;
    const linked = facts(last).writes;
    switch (ending) {
      case 'none':
      case 'branch':
      case 'jump':
        return block.flowKnown ? 'flow' : 'all';
      case 'syscall':
        return block.flowKnown ? 'syscall' : 'all';
      case 'trap':
        return 'trap';
      case 'return':
        if (last.imm !== 0 || isJump(block)) return 'all';
        return last.rs1 === RA || !usesAlternateLink ? 'return' : 'all';
      case 'call':
      case 'indirect-call':
        if (callsKnown) return linked === RA ? 'call' : 'linked-jump';
        // A call through ra or t0, or with its link in another register than ra, may be a coroutine switch between caller and callee.
        if (ending === 'call' || target !== undefined || linked !== RA || isLink(last.rs1)) return 'all';
        return 'unknown-call';
      case 'indirect':
        if (target !== undefined) return block.flowKnown ? 'flow' : 'all';
        // The jump may be a return to a link in another register, after which any register may be read.
        if (mayReturn(block) || isUnseen(block)) return 'all';
        return linked === undefined || linked === ZERO ? 'unknown-jump' : 'all';
    }
  };
}

/** Registers other than ra and t0 that jumps leave links in, against the psABI. */
const otherLinks = ({ blocks, code }: Cfg): ReadonlySet<Reg> =>
  new Set(blocks.flatMap(({ leavesLink, site }) => (leavesLink ? [facts(code.insnAt(site)!).writes!] : [])));
