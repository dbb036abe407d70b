/**
 * Which functions are seen to return. A call of a function that never returns (abort, a throw) does not lead to the code behind the call:
 * compilers put other code right behind it. A function that calls may go on at a landing pad, at a label (longjmp), or at a
 * block of its own that no edge leads to.
 */
import { derived } from '../base/derived.ts';
import type { Addr } from '../base/units.ts';
import { type CfgBlock, entersUnknown } from './block.ts';
import type { Cfg } from './build.ts';
import { groupsByBlock } from './groups.ts';
import { landingsByGroup } from './landings.ts';

/** Does control seem to return from a block's callee? True also for a block that calls nothing or an unknown callee. */
export const returning = derived('returning', findReturning);

function findReturning(cfg: Cfg): (block: CfgBlock) => boolean {
  const { blocks } = cfg;
  const landings = landingsByGroup(cfg);
  const groupOf = groupsByBlock(cfg);
  const callees = new Set<Addr>();
  for (const { returnPoint, target } of blocks)
    if (returnPoint !== undefined && target !== undefined) callees.add(target);
  const returns = new Set<Addr>();
  /** By callee: functions that call it and that may return if the callee does. */
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
      // Unknown code may return.
      if (block === undefined) return true;
      const { ending, target, flow, returnPoint, leavesLink } = block;
      if (ending === 'return' || leavesLink || (ending === 'indirect' && target === undefined)) return true;
      if (entersUnknown(block)) return true;
      if (returnPoint !== undefined) open.push(...(landings.get(groupOf.get(block.start)!) ?? []));
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
