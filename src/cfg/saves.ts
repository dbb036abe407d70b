/**
 * Which stores save a register (assumption A3). A save stores a preserved register or the return address below the stack pointer at the
 * function's entry, while the register still holds its value at entry; the function loads the register from that very slot again; and on
 * every way out the register holds its value at entry. A similar store that passes an argument, or that puts a variable into memory for
 * other code to read, is no save.
 *
 * The facts come from a forward dataflow over each function: the distance of the stack pointer (and of the frame pointer) from the stack
 * pointer at entry, the registers that hold their values at entry, and the slots that hold such values. A store without these facts is no
 * save: a wrong "no" costs an instruction.
 *
 * A variable that lives in a preserved register in the whole program (`-ffixed-s11`, GNU's global register variables) may be stored,
 * changed and loaded again in the same way, as a part of an object with an address. So if a function makes an address in its frame, a
 * register is not known to be saved there if some function of the image changes the register and never stores it to the stack, since that
 * function does not give it back; nor if some function uses the register's value at entry, which means nothing if it is only preserved for
 * the caller. A function that loads nearly all preserved registers from elsewhere (longjmp, setcontext) does not count.
 */
import { derived } from '../base/derived.ts';
import { hasReg, NO_REGS, type RegSet, union, without } from '../base/regset.ts';
import type { Addr } from '../base/units.ts';
import { imageLabels } from '../code/labels.ts';
import { landingPads } from '../elf/unwind/index.ts';
import type { CfgBlock } from './block.ts';
import type { Cfg } from './build.ts';
import { analyseFunction, type Found, type JumpTargets } from './function-saves.ts';
import { entriesOf, functionGroups, groupsByBlock } from './groups.ts';
import { madeLabels } from './landings.ts';
import { returning } from './returning.ts';

export interface Saves {
  /** Does the instruction at this address save a register? */
  savesAt(at: Addr): boolean;
}

/** What all functions save and change, by their groups (`functionGroups`). */
export interface AllFound {
  readonly found: ReadonlyMap<Addr, Found>;
  /** Preserved registers that a group's functions may change for their callers. */
  readonly changed: ReadonlyMap<Addr, RegSet>;
}

/**
 * What all functions of a graph save and change. What else is known of jumps to addresses in registers rests on this, so that such a jump
 * counts here as one to labels: `image-saves.ts` looks again at functions with such jumps.
 */
export const savesOf = derived('saves', findSaves);

function findSaves(cfg: Cfg): AllFound {
  const groups = functionGroups(cfg);
  const groupOf = groupsByBlock(cfg);
  const found = new Map<Addr, Found>();
  let changed: ReadonlyMap<Addr, RegSet> = new Map();
  const analyse = functionAnalysis(
    cfg,
    () => 'labels',
    (block) => changedByCall(block, groupOf, changed),
  );
  for (const group of groups.keys()) found.set(group, analyse(group));
  // A callee that changes a preserved register makes its callers' findings other ones, and so on; what counts as changed stays so.
  for (let more = true; more; ) {
    const was = changed;
    changed = new Map(
      [...changedIn(groups, groupOf, found)].map(([group, regs]) => [group, union(regs, was.get(group) ?? NO_REGS)]),
    );
    const isNew = (group: Addr | undefined): boolean => {
      const [now, before] = [changed, was].map((all) => (group === undefined ? undefined : all.get(group)) ?? NO_REGS);
      return now!.x !== before!.x || now!.f !== before!.f;
    };
    more = false;
    for (const [group, blocks] of groups)
      if (
        blocks.some(
          ({ returnPoint, target }) => returnPoint !== undefined && target !== undefined && isNew(groupOf.get(target)),
        )
      ) {
        found.set(group, analyse(group));
        more = true;
      }
  }
  return { found, changed };
}

/** The preserved registers that the callee of a block's call may change, if the code tells the callee. */
export function changedByCall(
  { returnPoint, target }: CfgBlock,
  groupOf: ReadonlyMap<Addr, Addr>,
  changed: ReadonlyMap<Addr, RegSet>,
): RegSet {
  const group = returnPoint === undefined || target === undefined ? undefined : groupOf.get(target);
  return (group === undefined ? undefined : changed.get(group)) ?? NO_REGS;
}

/** @returns what the function of a group saves and changes */
export function functionAnalysis(
  cfg: Cfg,
  jumpTargets: (block: CfgBlock) => JumpTargets,
  changedBy: (block: CfgBlock) => RegSet,
): (group: Addr) => Found {
  const entered = entriesOf(cfg);
  const comesBack = returning(cfg);
  const labels = imageLabels(cfg.image);
  const pads = landingPads(cfg.image);
  const enteredWithin = new Set(
    [...pads].flatMap((pad) => (cfg.blockAt(pad) ? [] : (cfg.blockOver(pad)?.start ?? []))),
  );
  for (const label of [...madeLabels(cfg).values()].flat())
    if (!entered.has(label)) enteredWithin.add((cfg.blockAt(label) ?? cfg.blockOver(label))!.start);
  const groups = functionGroups(cfg);
  return (group) => {
    const blocks = groups.get(group)!.filter(({ evidence }) => evidence !== 'guess');
    return analyseFunction({ cfg, blocks, entered, comesBack, jumpTargets, labels, pads, enteredWithin, changedBy });
  };
}

/** The saves of all functions together. */
export function savesIn(found: Iterable<Found>): Saves {
  const all = [...found];
  const careless = all.reduce((regs, one) => union(regs, one.careless), NO_REGS);
  const saves = new Set<Addr>();
  for (const each of all)
    for (const { at, reg } of each.saves) if (!each.exposed || !hasReg(careless, reg)) saves.add(at);
  return { savesAt: (at) => saves.has(at) };
}

/** Registers that functions lose, and that their callees lose unless the function itself saves them. */
function changedIn(
  groups: ReadonlyMap<Addr, readonly CfgBlock[]>,
  groupOf: ReadonlyMap<Addr, Addr>,
  found: ReadonlyMap<Addr, Found>,
): ReadonlyMap<Addr, RegSet> {
  const callers = new Map<Addr, Set<Addr>>();
  for (const [group, blocks] of groups)
    for (const { target, flow, returnPoint } of blocks)
      for (const to of returnPoint === undefined ? flow : [target ?? -1]) {
        const callee = groupOf.get(to);
        if (callee === undefined || callee === group) continue;
        const list = callers.get(callee);
        if (list === undefined) callers.set(callee, new Set([group]));
        else list.add(group);
      }
  const changed = new Map([...found].map(([group, { lost }]) => [group, lost]));
  const open = new Set(changed.keys());
  for (const callee of open) {
    open.delete(callee);
    for (const caller of callers.get(callee) ?? []) {
      const was = changed.get(caller)!;
      const now = union(was, without(changed.get(callee)!, found.get(caller)!.stored));
      if (now.x === was.x && now.f === was.f) continue;
      changed.set(caller, now);
      open.add(caller);
    }
  }
  return changed;
}
