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
import type { Image } from '../elf/image.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, imageCfg } from './build.ts';
import { analyseFunction, type Found } from './function-saves.ts';
import { entriesOf, functionGroups, groupsByBlock } from './groups.ts';
import { returning } from './returning.ts';

export interface Saves {
  /** Does the instruction at this address save a register? */
  savesAt(at: Addr): boolean;
}

export interface FunctionSaves extends Saves {
  /** By group of functions (`functionGroups`): preserved registers that its functions may change for their callers. */
  readonly changed: ReadonlyMap<Addr, RegSet>;
}

/** The saves in all code of a graph. */
export const savesOf = derived('saves', findSaves);

function findSaves(cfg: Cfg): FunctionSaves {
  const entered = entriesOf(cfg);
  const comesBack = returning(cfg);
  const groups = functionGroups(cfg);
  const found = new Map<Addr, Found>();
  for (const [group, blocks] of groups) {
    const certain = blocks.filter(({ evidence }) => evidence !== 'guess');
    found.set(group, analyseFunction({ cfg, blocks: certain, entered, comesBack }));
  }
  const careless = [...found.values()].reduce((all, one) => union(all, one.careless), NO_REGS);
  const saves = new Set<Addr>();
  for (const each of found.values())
    for (const { at, reg } of each.saves) if (!each.exposed || !hasReg(careless, reg)) saves.add(at);
  return { savesAt: (at) => saves.has(at), changed: changedBy(groups, groupsByBlock(cfg), found) };
}

/** Registers that functions lose, and that their callees lose unless the function itself saves them. */
function changedBy(
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

/** The saves in all code that is found in an image without a profile; the same object for the same image, as for liveness. */
export const imageSaves = (image: Image): Saves => savesOf(imageCfg(image));
