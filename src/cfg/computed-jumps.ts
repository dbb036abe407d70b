/**
 * Jumps to an address in a register that is computed, or may be, from parts that are not all seen. The address may have been put into a
 * variable in between: one in the frame is followed to all stores to it by the same base and offset. What was stored elsewhere, and what other
 * functions do with an address, nobody can tell: if code makes the address of a label in the function's middle, something may have been
 * added to that address, and a target that is no constant may be such a sum.
 */
import { derived } from '../base/derived.ts';
import type { Addr } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Insn } from '../isa/row.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, insnsOf } from './build.ts';
import { functionGroups, groupsByBlock } from './groups.ts';
import { madeLabels } from './landings.ts';
import { mayBeComputed, originsOf } from './origins.ts';
import { isOnStack, slotOf } from './stack.ts';

/** May the target of a block's jump be computed? For jumps that link nothing; calls and returns have rules of their own. */
export const isComputedJump = derived('computed jumps', (cfg: Cfg): ((block: CfgBlock) => boolean) => {
  const origins = originsOf(cfg);
  const groupOf = groupsByBlock(cfg);
  const groups = functionGroups(cfg);
  const labelled = madeLabels(cfg);

  const stores = (group: Addr, slot: string): { readonly block: CfgBlock; readonly at: Addr; readonly insn: Insn }[] =>
    groups.get(group)!.flatMap((block) =>
      insnsOf(cfg, block)
        .filter(({ insn }) => isOnStack(insn) && facts(insn).store?.bytes === 8 && slotOf(insn) === slot)
        .map((found) => ({ block, ...found })),
    );
  /** @param seen slots that are being followed already */
  const isComputed = (group: Addr, found: ReturnType<typeof origins>, seen: Set<string>): boolean => {
    for (const origin of found) {
      if (mayBeComputed(origin) || (labelled.has(group) && origin.kind !== 'constant')) return true;
      const load = origin.kind === 'loaded' ? origin.insn! : undefined;
      if (load === undefined || !isOnStack(load)) continue;
      const slot = slotOf(load);
      if (seen.has(slot)) continue;
      seen.add(slot);
      const stored = stores(group, slot);
      if (stored.length === 0) return true;
      for (const { block, at, insn } of stored)
        if (isComputed(group, origins({ ...block, site: at }, insn.rs2), seen)) return true;
    }
    return false;
  };
  const known = new Map<Addr, boolean>();
  return (block) => {
    let is = known.get(block.site);
    if (is === undefined)
      known.set(block.site, (is = isComputed(groupOf.get(block.start)!, origins(block), new Set())));
    return is;
  };
});
