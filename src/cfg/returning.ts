/**
 * Which functions are seen to return. What stands behind a call of one that is not (abort, a throw) is not come to from there; compilers put
 * other code right behind it.
 */
import type { Addr } from '../base/units.ts';
import type { CfgBlock } from './block.ts';
import type { Cfg } from './build.ts';

/** Does control come back from what this block calls, as far as is seen? True for what calls nobody, or nobody knows whom. */
export function returning(cfg: Cfg): (block: CfgBlock) => boolean {
  const { blocks } = cfg;
  const callees = new Set<Addr>();
  for (const { returnPoint, target } of blocks)
    if (returnPoint !== undefined && target !== undefined) callees.add(target);
  const returns = new Set<Addr>();
  /** By callee: who calls it, and may return if it does. */
  const waiting = new Map<Addr, Set<Addr>>();
  const comesBack = ({ returnPoint, target }: CfgBlock) =>
    returnPoint === undefined || target === undefined || returns.has(target);

  const isSeenToReturn = (callee: Addr): boolean => {
    const seen = new Set<Addr>();
    const open = [callee];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const block = cfg.blockAt(at) ?? cfg.blockOver(at);
      // Where no code is known, anything may come.
      if (block === undefined) return true;
      const { ending, target, flow, returnPoint, leavesLink } = block;
      if (ending === 'return' || leavesLink || (ending === 'indirect' && target === undefined)) return true;
      if (returnPoint !== undefined && !comesBack(block)) {
        const list = waiting.get(target!);
        if (list === undefined) waiting.set(target!, new Set([callee]));
        else list.add(callee);
        continue;
      }
      open.push(...flow);
    }
    return false;
  };

  const pending = [...callees];
  for (let callee = pending.pop(); callee !== undefined; callee = pending.pop()) {
    if (returns.has(callee)) continue;
    if (!isSeenToReturn(callee)) continue;
    returns.add(callee);
    pending.push(...(waiting.get(callee) ?? []));
    waiting.delete(callee);
  }
  return comesBack;
}
