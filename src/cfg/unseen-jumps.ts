/**
 * Unseen jumps: jumps that compute their targets from parts that are not all seen, such as labels' distances in a table that was passed as
 * an argument or whose address was made too far away. Such a jump may lead to any instruction of its function. A jump to an unchanged
 * address that was loaded, returned or passed leads to code addresses that the data holds or code makes. A jump that reads one table on all
 * paths leads to the targets of the table's entries (`accesses.ts`). The same search tells a jump through a link register from a return.
 */
import { derived } from '../base/derived.ts';
import { once } from '../base/once.ts';
import { type Addr, RA, type Reg, S0, SP } from '../base/units.ts';
import type { Ending } from '../code/endings.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import { imageAccesses } from './accesses.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, imageCfg, insnsOf } from './build.ts';
import { isComputedJump } from './computed-jumps.ts';
import { functionGroups, functionsBy, namedParts } from './groups.ts';
import { isOpenJump, jumpsByGroup } from './landings.ts';
import { mayBeComputed, originsIn, originsOf, TRIAL_VALUES } from './origins.ts';
import { returning } from './returning.ts';
import { isOnStack, slotOf } from './stack.ts';

/** [start, end) */
export type Extent = readonly [Addr, Addr];

const INDIRECT_ENDINGS: ReadonlySet<Ending> = new Set(['indirect', 'indirect-call', 'return']);

/** The extents in which the unseen jumps of an image may lead anywhere: their functions, with parts. */
export function unseenJumps(image: Image): readonly Extent[] {
  const cfg = imageCfg(image);
  const isUnseen = hasUnseenTarget(cfg);
  const ownerOf = functionsBy(cfg);
  const functions = new Set<Addr>();
  for (const block of cfg.blocks) if (isUnseen(block)) functions.add(ownerOf(block.site));
  const extentsOf = functionExtents(image);
  return [...new Set([...functions].flatMap(extentsOf))];
}

/** Groups of functions with a jump to an address that is computed in an unseen way: it may lead to any instruction of them. */
export const unseenGroups = derived('unseen groups', (cfg: Cfg): ReadonlySet<Addr> => {
  const isUnseen = hasUnseenTarget(cfg);
  const found = new Set<Addr>();
  for (const [group, jumps] of jumpsByGroup(cfg)) if (jumps.some(isUnseen)) found.add(group);
  return found;
});

/** Does a block end in a jump, call or return whose target is computed in an unseen way? */
export function hasUnseenTarget(cfg: Cfg): (block: CfgBlock) => boolean {
  const resolved = new Set(imageAccesses(cfg.image).reads.map(({ site }) => site));
  const origins = originsOf(cfg);
  const isComputed = isComputedJump(cfg);
  return (block) => {
    const { ending, target, site } = block;
    if (!INDIRECT_ENDINGS.has(ending) || target !== undefined || resolved.has(site)) return false;
    if (isOpenJump(cfg, block)) return isComputed(block);
    for (const origin of origins(block)) {
      if (!mayBeComputed(origin)) continue;
      const { kind, insn, changed } = origin;
      // Pointers that are called may be disguised (glibc's PTR_MANGLE): an exclusive or gives the whole pointer back.
      if (kind === 'computed' && ending === 'indirect-call' && undoesItself(insn!)) continue;
      // A link in ra that is not followed to its beginning is a link all the same.
      if (kind === 'nowhere' && !changed && ending === 'return' && cfg.code.insnAt(site)!.rs1 === RA) continue;
      return true;
    }
    return false;
  };
}

/** The extents of the function that an address lies in and of its parts; the same object for the same extent of an image. */
export const functionExtents = (image: Image): ((address: Addr) => readonly Extent[]) => extentsBy(imageCfg(image));

const extentsBy = derived('extents', (cfg: Cfg): ((address: Addr) => readonly Extent[]) => {
  const ownerOf = functionsBy(cfg);
  const all = once(() => extents(cfg, ownerOf));
  const parts = once(() => joinedParts(cfg, ownerOf));
  return (address) => {
    const owner = ownerOf(address);
    return [owner, ...(parts().get(owner) ?? [])].flatMap((part) => (all().has(part) ? [all().get(part)!] : []));
  };
});

/**
 * Is a jump to ra or t0 no return: is its target, on some path, anything else than the link that a call has left in one of these registers,
 * kept in registers or on the stack? An address that was passed, returned, computed or loaded from elsewhere may be any function's, which
 * then reads arguments.
 * @param links link registers of calls behind which only the psABI's results, and registers that are seen to be read there, are expected
 */
export function jumpsByLink(cfg: Cfg, links: readonly Reg[]): (block: CfgBlock) => boolean {
  const origins = originsIn(cfg, returning(cfg), unseenGroups(cfg));
  const kept = linkSlots(cfg, links);
  const byHand = once(() => enteredByHand(cfg, origins));
  return (block) => {
    if (block.ending !== 'return') return false;
    for (const { kind, reg, insn, changed, at } of origins(block)) {
      if (kind === 'constant' || kind === 'computed' || kind === 'result' || changed) return true;
      if (kind === 'loaded' ? !isOnStack(insn!) || !kept.get(at)!(insn!) : !links.includes(reg)) return true;
      // At an entry t0 holds no link of a call, and ra holds one unless code jumps there with another value.
      if (kind === 'passed' && (reg !== RA || byHand().has(at))) return true;
    }
    return false;
  };
}

/** May a jump be a return by one of these registers, in which jumps link against the psABI, or by a copy of such a link on the stack? */
export function mayReturnBy(cfg: Cfg, links: ReadonlySet<Reg>): (block: CfgBlock) => boolean {
  if (links.size === 0) return () => false;
  const origins = originsOf(cfg);
  return (block) => {
    for (const { kind, reg, insn } of origins(block)) {
      if (kind === 'loaded' && isOnStack(insn!)) return true;
      if ((kind === 'passed' || kind === 'result' || kind === 'nowhere') && links.has(reg)) return true;
    }
    return false;
  };
}

/** Entries of functions that code jumps to with a link in ra that it has made by hand. */
function enteredByHand(cfg: Cfg, origins: ReturnType<typeof originsIn>): ReadonlySet<Addr> {
  const ownerOf = functionsBy(cfg);
  const found = new Set<Addr>();
  for (const block of cfg.blocks) {
    if (block.evidence === 'guess' || (block.ending !== 'jump' && block.ending !== 'branch')) continue;
    const target = targetOf(cfg.code.insnAt(block.site)!, block.site);
    if (target === undefined || ownerOf(target) !== target || found.has(target)) continue;
    for (const { kind } of origins(block, RA)) if (kind === 'constant' || kind === 'computed') found.add(target);
  }
  return found;
}

/**
 * By block, may a load from the stack load a link that its function has stored there? In a function that stores no link (millicode), a
 * load of ra through sp may load a link that another function has stored. A function that changes to another frame or stack loads what
 * that frame holds.
 */
function linkSlots(cfg: Cfg, links: readonly Reg[]): ReadonlyMap<Addr, (load: Insn) => boolean> {
  const found = new Map<Addr, (load: Insn) => boolean>();
  for (const blocks of functionGroups(cfg).values()) {
    const stored = { links: new Set<string>(), others: new Set<string>() };
    let [framed, switches] = [false, false];
    const mayHold = (load: Insn) =>
      !switches &&
      (load.rs1 !== S0 || framed) &&
      !stored.others.has(slotOf(load)) &&
      (stored.links.size === 0 ? load.rd === RA && load.rs1 === SP : stored.links.has(slotOf(load)));
    for (const block of blocks) {
      found.set(block.start, mayHold);
      for (const { insn } of insnsOf(cfg, block)) {
        const { writes, store, load, reads } = facts(insn);
        if (isOnStack(insn) && store?.bytes === 8)
          stored[links.includes(insn.rs2) ? 'links' : 'others'].add(slotOf(insn));
        framed ||= writes === S0 && reads.length === 1 && insn.rs1 === SP;
        // A stack pointer that comes from elsewhere than the stack pointer or the frame pointer is another frame's, or another stack's.
        switches ||= writes === SP && (load !== undefined || (insn.rs1 !== SP && insn.rs1 !== S0));
      }
    }
  }
  return found;
}

/** Does the instruction, applied to its own result and the same rs2, give rs1 back, for all trial values? */
function undoesItself(insn: Insn): boolean {
  const apply = (rs1: bigint | undefined, rs2: bigint) => rs1 && evaluate(insn, { rs1, rs2 });
  return TRIAL_VALUES.slice(1).every((rs1) =>
    TRIAL_VALUES.slice(1).every((rs2) => apply(apply(rs1, rs2), rs2) === rs1),
  );
}

/**
 * By function, its other parts, such as `.cold` ones: functions into whose middle it jumps, or that jump into its own, and functions that
 * names join with it.
 */
function joinedParts(cfg: Cfg, ownerOf: (address: Addr) => Addr): ReadonlyMap<Addr, ReadonlySet<Addr>> {
  const joined = new Map<Addr, Set<Addr>>();
  const join = (one: Addr, other: Addr) => {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const list = joined.get(from);
      if (list === undefined) joined.set(from, new Set([to]));
      else list.add(to);
    }
  };
  for (const { site, ending } of cfg.blocks) {
    if (ending !== 'branch' && ending !== 'jump') continue;
    const to = targetOf(cfg.code.insnAt(site)!, site);
    if (to === undefined) continue;
    const [here, there] = [ownerOf(site), ownerOf(to)];
    if (here !== there && to !== there) join(here, there);
  }
  for (const [part, whole] of namedParts(cfg)) if (part !== whole) join(ownerOf(part), ownerOf(whole));
  return joined;
}

function extents({ blocks }: Cfg, ownerOf: (address: Addr) => Addr): ReadonlyMap<Addr, Extent> {
  const found = new Map<Addr, [Addr, Addr]>();
  for (const { start, end } of blocks) {
    const extent = found.get(ownerOf(start));
    if (extent === undefined) found.set(ownerOf(start), [start, end]);
    else extent[1] = Math.max(extent[1], end);
  }
  return found;
}
