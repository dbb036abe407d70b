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
import { type Addr, RA, type Reg, S0, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { runTerms, Terms } from '../domain/term.ts';
import type { Image } from '../elf/image.ts';
import type { Insn } from '../isa/row.ts';
import { PRESERVED, RETURN_ADDRESS } from './abi.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, imageCfg, insnsOf } from './build.ts';
import { entriesOf, functionGroups, groupsByBlock } from './groups.ts';
import { hasReg, intersect, type RegSet, regSet, regsIn, union, without } from './regset.ts';
import { returning } from './returning.ts';

export interface Saves {
  /** Does the instruction at this address save a register? */
  savesAt(at: Addr): boolean;
}

export interface FunctionSaves extends Saves {
  /** By group of functions (`functionGroups`): preserved registers that its functions may change for their callers. */
  readonly changed: ReadonlyMap<Addr, RegSet>;
}

/** Registers that a function must give back, except sp, gp and tp. */
const TRACKED_REGS: RegSet = without(union(PRESERVED, RETURN_ADDRESS), regSet([SP, 3, 4]));
const NO_REGS: RegSet = { x: 0, f: 0 };
/** A function that loads sp and at least this many preserved registers, which it does not save, sets up another context. */
const MIN_CONTEXT_LOADS = 8;

/** The facts before an instruction, relative to the function's entry. */
interface State {
  /** Distance of the stack pointer from the stack pointer at entry; undefined if unknown. */
  readonly sp: number | undefined;
  /** Distance of the frame pointer from the stack pointer at entry; undefined if unknown. */
  readonly fp: number | undefined;
  /** Registers that hold their values at entry. */
  readonly held: RegSet;
  /** By distance from the stack pointer at entry: the register whose value at entry the slot holds. */
  readonly slots: ReadonlyMap<number, Reg>;
}

const ENTRY_STATE: State = { sp: 0, fp: undefined, held: TRACKED_REGS, slots: new Map() };
const UNKNOWN_STATE: State = { sp: undefined, fp: undefined, held: NO_REGS, slots: new Map() };

/** The facts that two states share; the first state itself if the second has all its facts. */
function meet(a: State | undefined, b: State): State {
  if (a === undefined || a === b) return b;
  const sp = a.sp === b.sp ? a.sp : undefined;
  const fp = a.fp === b.fp ? a.fp : undefined;
  const held = intersect(a.held, b.held);
  const differs = ([slot, reg]: [number, Reg]) => b.slots.get(slot) !== reg;
  const slots = anyOf(a.slots, differs) ? new Map([...a.slots].filter((kept) => !differs(kept))) : a.slots;
  const same = sp === a.sp && fp === a.fp && held.x === a.held.x && held.f === a.held.f && slots === a.slots;
  return same ? a : { sp, fp, held, slots };
}
function anyOf<T>(items: Iterable<T>, is: (item: T) => boolean): boolean {
  for (const item of items) if (is(item)) return true;
  return false;
}

const sums = new WeakMap<Insn, boolean>();

/** Does an instruction add a constant to rs1, and nothing else? */
function isSum(insn: Insn): boolean {
  let known = sums.get(insn);
  if (known === undefined) {
    const terms = new Terms();
    const rs1 = terms.input('rs1');
    const { result } = runTerms(terms, insn, { rs1, rs2: terms.input('rs2'), pc: terms.input('pc') }, () => rs1);
    known = facts(insn).pure && result === terms.add(rs1, terms.const(BigInt(insn.imm)));
    sums.set(insn, known);
  }
  return known;
}

/** An effect of an instruction on the stack, where known. */
type StackUse =
  /** Stores a whole register that still holds its value at entry. */
  | { readonly kind: 'keep'; readonly slot: number; readonly reg: Reg }
  /** Loads a register from a slot that holds the register's value at entry. */
  | { readonly kind: 'restore'; readonly slot: number; readonly reg: Reg }
  /** Any other access. */
  | { readonly kind: 'other'; readonly slot: number; readonly bytes: number }
  /** Makes an address from the stack pointer or from s0, which may be the frame pointer, or stores one of these registers. */
  | { readonly kind: 'address'; readonly from: Reg };

/** The state behind one instruction. @param see is called with the instruction's effects on the stack */
function stateAfter(state: State, insn: Insn, see?: (use: StackUse) => void): State {
  const { load, store, writes, ordered, reads } = facts(insn);
  let { sp, fp, held, slots } = state;
  const base = insn.rs1 === SP ? sp : insn.rs1 === S0 ? fp : undefined;
  let restores = false;
  let sum: number | undefined;
  if (load !== undefined || store !== undefined) {
    if (base !== undefined) {
      const slot = base + insn.imm;
      const bytes = (load ?? store)!.bytes;
      const whole = bytes === 8 && !ordered;
      // Only accesses through sp count: a proof may not know the frame pointer's distance, and take it for a pointer like any other.
      // A slot below the stack pointer does not count either: no function gives it back.
      const kept = whole && insn.rs1 === SP && insn.imm >= 0;
      if (kept && store !== undefined && slot <= -8 && hasReg(held, insn.rs2)) {
        see?.({ kind: 'keep', slot, reg: insn.rs2 });
        slots = new Map([...slots].filter(([at]) => at >= slot + 8 || slot >= at + 8)).set(slot, insn.rs2);
      } else if (kept && store === undefined && writes !== undefined && slots.get(slot) === writes) {
        see?.({ kind: 'restore', slot, reg: writes });
        restores = true;
      } else {
        see?.({ kind: 'other', slot, bytes });
        if (store !== undefined) slots = new Map([...slots].filter(([at]) => at >= slot + bytes || slot >= at + 8));
      }
      // An access through sp at an unknown distance may concern any slot: a store may overwrite a slot, a load may read it for another use.
    } else if (insn.rs1 === SP) slots = new Map();
    // A store of s0 that still holds its value at entry saves the caller's frame pointer, and exposes no address of this frame.
    if (store !== undefined && (insn.rs2 === SP || (insn.rs2 === S0 && !hasReg(state.held, S0))))
      see?.({ kind: 'address', from: insn.rs2 });
  } else {
    if (base !== undefined && isSum(insn)) sum = base + insn.imm;
    // An instruction that moves sp makes no pointer, nor does one that sets s0 to the present sp, or to the sp at entry or above.
    const sets = writes === SP || (writes === S0 && sum !== undefined && (sum >= 0 || sum === sp));
    for (const from of sets ? [] : reads) if (from === SP || from === S0) see?.({ kind: 'address', from });
  }
  if (writes === SP) {
    sp = sum;
    // Memory below the stack pointer holds nothing.
    slots = sp === undefined ? new Map() : new Map([...slots].filter(([slot]) => slot >= sp!));
  } else if (writes !== undefined) {
    const only = regSet([writes]);
    held = restores ? union(held, only) : without(held, only);
    if (writes === S0) fp = sum;
  }
  return { sp, fp, held, slots };
}

/** The state behind a call, which preserves preserved registers. Millicode, called by another link than ra, may move the stack pointer. */
const afterCall = (state: State, insn: Insn): State =>
  facts(insn).writes === RA ? { ...state, held: without(state.held, RETURN_ADDRESS) } : UNKNOWN_STATE;

interface Save {
  readonly at: Addr;
  readonly reg: Reg;
}

/** The findings of one function with all its parts. */
interface Found {
  readonly saves: readonly Save[];
  /** Preserved registers that the function changes and never stores to the stack. */
  readonly lost: RegSet;
  /** Registers that the function stores to the stack while they hold their values at entry. */
  readonly stored: RegSet;
  /** The function makes an address in its frame. */
  readonly exposed: boolean;
  /** Preserved registers that the function changes and never stores to the stack, or whose values at entry it uses. */
  readonly careless: RegSet;
}

function analyseFunction(
  cfg: Cfg,
  blocks: readonly CfgBlock[],
  entered: ReadonlySet<Addr>,
  comesBack: (block: CfgBlock) => boolean,
): Found {
  const index = new Map(blocks.map((block, i) => [block.start, i]));
  const into = new Set(blocks.flatMap(({ flow }) => flow).filter((to) => index.has(to)));
  const entries = new Set(blocks.filter(({ start }) => entered.has(start)).map(({ start }) => start));
  // A function without a known call is entered at its blocks without predecessors.
  const all =
    entries.size > 0 ? entries : new Set(blocks.filter(({ start }) => !into.has(start)).map(({ start }) => start));
  /** Blocks without predecessors: targets of jump tables, landing pads. Indirect jumps and calls of the function may lead there. */
  const loose = blocks.flatMap(({ start }, i) => (all.has(start) || into.has(start) ? [] : [i]));
  const before: (State | undefined)[] = blocks.map(({ start }) => (all.has(start) ? ENTRY_STATE : undefined));
  const waiting = new Set(blocks.flatMap((_, i) => (before[i] === undefined ? [] : [i])));
  const come = (i: number, state: State) => {
    const now = meet(before[i], state);
    if (now === before[i]) return;
    before[i] = now;
    waiting.add(i);
  };
  const outcome = (i: number, see?: (at: Addr, use: StackUse) => void): State => {
    let state = before[i]!;
    for (const { at, insn } of insnsOf(cfg, blocks[i]!))
      state = stateAfter(state, insn, see && ((use) => see(at, use)));
    return state;
  };
  let around: State | undefined;
  for (let next = waiting.values().next(); !next.done; next = waiting.values().next()) {
    const i = next.value;
    waiting.delete(i);
    const block = blocks[i]!;
    let state = outcome(i);
    const calls = block.returnPoint !== undefined;
    if (calls) state = afterCall(state, cfg.code.insnAt(block.site)!);
    else if (block.leavesLink) state = UNKNOWN_STATE;
    for (const to of block.flow)
      if (index.has(to)) come(index.get(to)!, to === block.behindUnknown ? UNKNOWN_STATE : state);
    if (loose.length > 0 && (calls || (block.ending === 'indirect' && state.sp !== 0))) {
      const now = meet(around, state);
      if (now === around) continue;
      around = now;
      for (const at of loose) come(at, around);
    }
  }
  /** Blocks that edges reach from the entries. Landing pads are not among them: they find registers as a call has left them. */
  const straight = new Set(all);
  for (const start of straight) {
    const block = blocks[index.get(start)!]!;
    for (const to of comesBack(block) ? block.flow : []) if (index.has(to)) straight.add(to);
  }
  // Blocks that were never reached have the unknown state, in which no register is given back.
  for (const i of blocks.keys()) before[i] ??= UNKNOWN_STATE;

  const keeps: { at: Addr; slot: number; reg: Reg }[] = [];
  const restored = new Set<string>();
  const others: { slot: number; bytes: number }[] = [];
  const keyOf = (slot: number, reg: Reg) => `${slot},${reg}`;
  let given: RegSet = TRACKED_REGS;
  let [changed, used, loaded]: [RegSet, RegSet, RegSet] = [NO_REGS, NO_REGS, NO_REGS];
  let [stored, passed, got]: [RegSet, RegSet, RegSet] = [NO_REGS, NO_REGS, NO_REGS];
  let matters = false;
  let exposed = false;
  const framed = blocks.some((block) =>
    insnsOf(cfg, block).some(({ insn }) => insn.rd === S0 && insn.rs1 === SP && isSum(insn)),
  );
  blocks.forEach((block, i) => {
    const restoring = new Set<Addr>();
    const state = outcome(i, (at, use) => {
      if (use.kind === 'keep') keeps.push({ at, ...use });
      else if (use.kind === 'restore') {
        restored.add(keyOf(use.slot, use.reg));
        restoring.add(at);
      } else if (use.kind === 'address') exposed ||= use.from === SP || framed;
      else others.push(use);
    });
    let now = straight.has(block.start) ? before[i]! : UNKNOWN_STATE;
    for (const { at, insn } of insnsOf(cfg, block)) {
      const { writes, store, load, reads } = facts(insn);
      // A store only keeps a register's value, for this function or another context; every other read uses the value.
      for (const reg of reads)
        if ((store === undefined || reg === insn.rs1) && hasReg(now.held, reg)) used = union(used, regSet([reg]));
      // A register that is stored to the stack after a change, and never loaded back, passes a variable's value: such a store is no save.
      if (store !== undefined && insn.rs1 === SP) {
        if (hasReg(now.held, insn.rs2)) stored = union(stored, regSet([insn.rs2]));
        else passed = union(passed, regSet([insn.rs2]));
      }
      if (load !== undefined && writes !== undefined) {
        if (insn.rs1 === SP) got = union(got, regSet([writes]));
        else loaded = union(loaded, regSet([writes]));
      }
      now = stateAfter(now, insn);
      if (writes !== undefined && !restoring.has(at)) changed = union(changed, regSet([writes]));
    }
    // Only a function that calls or returns has registers that concern other functions.
    if (block.returnPoint !== undefined || block.ending === 'return') matters ||= block.evidence !== 'swept';
    const leaves = block.returnPoint === undefined && block.flow.some((to) => !index.has(to));
    const maybe = block.ending === 'indirect' && block.target === undefined && (state.sp === 0 || loose.length === 0);
    if (block.ending === 'return' || leaves || maybe) {
      given = intersect(given, state.held);
    }
  });
  const overlap = (a: number, b: number, bytes: number) => b < a + 8 && a < b + bytes;
  const saves = ({ slot, reg }: { slot: number; reg: Reg }) =>
    hasReg(given, reg) &&
    restored.has(keyOf(slot, reg)) &&
    (reg === RA || hasReg(changed, reg)) &&
    !others.some((other) => overlap(slot, other.slot, other.bytes)) &&
    !keeps.some((other) => overlap(slot, other.slot, 8) && (other.slot !== slot || other.reg !== reg));
  const kept = without(TRACKED_REGS, RETURN_ADDRESS);
  const unsaved = matters ? without(intersect(changed, kept), union(stored, intersect(passed, got))) : NO_REGS;
  // A switch to another context also loads sp, from where that context's registers are.
  const context = hasReg(loaded, SP) && regsIn(intersect(unsaved, loaded)).length >= MIN_CONTEXT_LOADS;
  const lost = context ? NO_REGS : unsaved;
  return { saves: keeps.filter(saves), lost, stored, exposed, careless: union(lost, intersect(used, kept)) };
}

/** The saves in all code of a graph. */
export const savesOf = derived('saves', findSaves);

function findSaves(cfg: Cfg): FunctionSaves {
  const entries = entriesOf(cfg);
  const comesBack = returning(cfg);
  const groups = functionGroups(cfg);
  const found = new Map<Addr, Found>();
  for (const [group, blocks] of groups) {
    const certain = blocks.filter(({ evidence }) => evidence !== 'guess');
    found.set(group, analyseFunction(cfg, certain, entries, comesBack));
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
