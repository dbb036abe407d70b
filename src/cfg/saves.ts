/**
 * Which stores save a register (assumption A3). A save is what the function gives back: it stores a preserved register, or its return
 * address, below where the stack pointer stood when it was entered, while the register still holds what it held then; it loads the register
 * from that very slot again; and on every way out the register holds what it held. The same store that passes an argument, or puts a
 * variable into memory for others to see, is none.
 *
 * What is known is known by a forward dataflow over each function: how far the stack pointer (and the frame pointer) is from where it stood,
 * which registers hold what they held, and in which slots that is kept. Unknown is not saved: a wrong "no" costs an instruction.
 *
 * A variable that is kept in a preserved register in the whole program (`-ffixed-s11`, GNU's global register variables) may be stored, changed
 * and loaded again in the same way, as a part of something that has an address. So where a function makes an address in its frame, a register
 * that some function of the image changes and never stores to the stack is not known to be saved: that function does not give it back. Nor is one
 * whose value at its entry some function goes by: what is only kept for the caller says nothing. What loads nearly all of them from elsewhere (longjmp, setcontext) is no such function.
 */
import { type Addr, RA, type Reg, S0, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { runTerms, Terms } from '../domain/term.ts';
import type { Image } from '../elf/image.ts';
import type { Insn } from '../isa/row.ts';
import { PRESERVED, RETURN_ADDRESS } from './abi.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, imageCfg, insnsOf } from './build.ts';
import { entriesOf, functionGroups } from './groups.ts';
import { hasReg, intersect, type RegSet, regSet, regsIn, union, without } from './regset.ts';
import { returning } from './returning.ts';

export interface Saves {
  /** Does the instruction at this address save a register? */
  savesAt(at: Addr): boolean;
}

/** What a function must give back, but for what points to memory. */
const TRACKED: RegSet = without(union(PRESERVED, RETURN_ADDRESS), regSet([SP, 3, 4]));
const NOTHING: RegSet = { x: 0, f: 0 };
/** Who loads so many preserved registers, which it does not save, and the stack pointer sets up another context. */
const CONTEXT = 8;

/** What is known before an instruction, relative to the function's entry. */
interface State {
  /** How far the stack pointer is from where it stood; undefined if unknown. */
  readonly sp: number | undefined;
  /** The same of the frame pointer, where it points into the stack. */
  readonly fp: number | undefined;
  /** Registers that hold what they held. */
  readonly held: RegSet;
  /** By distance from where the stack pointer stood: what register's value at the entry is kept there. */
  readonly slots: ReadonlyMap<number, Reg>;
}

const ENTRY: State = { sp: 0, fp: undefined, held: TRACKED, slots: new Map() };
const UNKNOWN: State = { sp: undefined, fp: undefined, held: NOTHING, slots: new Map() };

/** What both say; the first itself where the second says no less. */
function meet(a: State | undefined, b: State): State {
  if (a === undefined || a === b) return b;
  const sp = a.sp === b.sp ? a.sp : undefined;
  const fp = a.fp === b.fp ? a.fp : undefined;
  const held = intersect(a.held, b.held);
  const differs = ([slot, reg]: [number, Reg]) => b.slots.get(slot) !== reg;
  const slots = some(a.slots, differs) ? new Map([...a.slots].filter((kept) => !differs(kept))) : a.slots;
  const same = sp === a.sp && fp === a.fp && held.x === a.held.x && held.f === a.held.f && slots === a.slots;
  return same ? a : { sp, fp, held, slots };
}
function some<T>(items: Iterable<T>, is: (item: T) => boolean): boolean {
  for (const item of items) if (is(item)) return true;
  return false;
}

const sums = new WeakMap<Insn, boolean>();

/** It adds a constant to rs1, and does nothing else. */
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

/** What an instruction does to the stack, where that is known. */
type StackUse =
  /** Stores a register that still holds what it held, whole. */
  | { readonly kind: 'keep'; readonly slot: number; readonly reg: Reg }
  /** Loads a register from where that is kept. */
  | { readonly kind: 'restore'; readonly slot: number; readonly reg: Reg }
  /** Any other access. */
  | { readonly kind: 'other'; readonly slot: number; readonly bytes: number }
  /** Makes an address from the stack pointer, or from what may be a frame pointer, or stores one. */
  | { readonly kind: 'address'; readonly from: Reg };

/** Runs one instruction. @param see what it does to the stack */
function after(state: State, insn: Insn, see?: (use: StackUse) => void): State {
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
      // A frame pointer that is not followed is a pointer like any other: where it is known here, a proof may not know it.
      // Nor is anything kept below the stack pointer: nobody gives that back.
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
      // Whose place in the stack is not known may be any slot's: one that is stored to, or read as something else than what was saved.
    } else if (insn.rs1 === SP) slots = new Map();
    // The caller's frame pointer is kept before it is one's own.
    if (store !== undefined && (insn.rs2 === SP || (insn.rs2 === S0 && !hasReg(state.held, S0))))
      see?.({ kind: 'address', from: insn.rs2 });
  } else {
    if (base !== undefined && isSum(insn)) sum = base + insn.imm;
    // To move the stack pointer is to make no pointer, nor is to set the frame pointer to where the stack pointer stood or stands.
    const sets = writes === SP || (writes === S0 && sum !== undefined && (sum >= 0 || sum === sp));
    for (const from of sets ? [] : reads) if (from === SP || from === S0) see?.({ kind: 'address', from });
  }
  if (writes === SP) {
    sp = sum;
    // What lies below is nobody's.
    slots = sp === undefined ? new Map() : new Map([...slots].filter(([slot]) => slot >= sp!));
  } else if (writes !== undefined) {
    const only = regSet([writes]);
    held = restores ? union(held, only) : without(held, only);
    if (writes === S0) fp = sum;
  }
  return { sp, fp, held, slots };
}

/** The state behind a call, which keeps what is preserved; millicode, called by another link than ra, may move the stack. */
const afterCall = (state: State, insn: Insn): State =>
  facts(insn).writes === RA ? { ...state, held: without(state.held, RETURN_ADDRESS) } : UNKNOWN;

interface Save {
  readonly at: Addr;
  readonly reg: Reg;
}

/** What is found in one function with all its parts. */
interface Found {
  readonly saves: readonly Save[];
  /** It makes an address of its frame. */
  readonly exposed: boolean;
  /** Registers that it must preserve, changes, and never stores to the stack; and those whose value at the entry it goes by. */
  readonly careless: RegSet;
}

function look(
  cfg: Cfg,
  blocks: readonly CfgBlock[],
  entered: ReadonlySet<Addr>,
  comesBack: (block: CfgBlock) => boolean,
): Found {
  const index = new Map(blocks.map((block, i) => [block.start, i]));
  const into = new Set(blocks.flatMap(({ flow }) => flow).filter((to) => index.has(to)));
  const entries = new Set(blocks.filter(({ start }) => entered.has(start)).map(({ start }) => start));
  // Where nobody is seen to call any of it, it is entered where nothing else of it leads to.
  const all =
    entries.size > 0 ? entries : new Set(blocks.filter(({ start }) => !into.has(start)).map(({ start }) => start));
  /** Blocks that nothing leads to: targets of jump tables, landing pads. They are come to from the function's jumps and calls. */
  const loose = blocks.flatMap(({ start }, i) => (all.has(start) || into.has(start) ? [] : [i]));
  const before: (State | undefined)[] = blocks.map(({ start }) => (all.has(start) ? ENTRY : undefined));
  const waiting = new Set(blocks.flatMap((_, i) => (before[i] === undefined ? [] : [i])));
  const come = (i: number, state: State) => {
    const now = meet(before[i], state);
    if (now === before[i]) return;
    before[i] = now;
    waiting.add(i);
  };
  const outcome = (i: number, see?: (at: Addr, use: StackUse) => void): State => {
    let state = before[i]!;
    for (const { at, insn } of insnsOf(cfg, blocks[i]!)) state = after(state, insn, see && ((use) => see(at, use)));
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
    else if (block.leavesLink) state = UNKNOWN;
    for (const to of block.flow) if (index.has(to)) come(index.get(to)!, state);
    if (loose.length > 0 && (calls || (block.ending === 'indirect' && state.sp !== 0))) {
      const now = meet(around, state);
      if (now === around) continue;
      around = now;
      for (const at of loose) come(at, around);
    }
  }
  /** Blocks that the entries lead to: what landing pads find is what a call has left. */
  const straight = new Set(all);
  for (const start of straight) {
    const block = blocks[index.get(start)!]!;
    for (const to of comesBack(block) ? block.flow : []) if (index.has(to)) straight.add(to);
  }
  // Whatever was never come to is unknown; so it gives nothing back.
  for (const i of blocks.keys()) before[i] ??= UNKNOWN;

  const keeps: { at: Addr; slot: number; reg: Reg }[] = [];
  const restored = new Set<string>();
  const others: { slot: number; bytes: number }[] = [];
  const keyOf = (slot: number, reg: Reg) => `${slot},${reg}`;
  let given: RegSet = TRACKED;
  let [changed, used, loaded]: [RegSet, RegSet, RegSet] = [NOTHING, NOTHING, NOTHING];
  let [stored, passed, got]: [RegSet, RegSet, RegSet] = [NOTHING, NOTHING, NOTHING];
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
    let now = straight.has(block.start) ? before[i]! : UNKNOWN;
    for (const { at, insn } of insnsOf(cfg, block)) {
      const { writes, store, load, reads } = facts(insn);
      // To store it somewhere is to keep it, for oneself or another context.
      for (const reg of reads)
        if ((store === undefined || reg === insn.rs1) && hasReg(now.held, reg)) used = union(used, regSet([reg]));
      // A variable's value may be passed on the stack: what has changed when it is put there, and is not got back, is no save.
      if (store !== undefined && insn.rs1 === SP) {
        if (hasReg(now.held, insn.rs2)) stored = union(stored, regSet([insn.rs2]));
        else passed = union(passed, regSet([insn.rs2]));
      }
      if (load !== undefined && writes !== undefined) {
        if (insn.rs1 === SP) got = union(got, regSet([writes]));
        else loaded = union(loaded, regSet([writes]));
      }
      now = after(now, insn);
      if (writes !== undefined && !restoring.has(at)) changed = union(changed, regSet([writes]));
    }
    // Where it calls or ends, its registers are another's affair as well.
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
  const kept = without(TRACKED, RETURN_ADDRESS);
  const lost = matters ? without(intersect(changed, kept), union(stored, intersect(passed, got))) : NOTHING;
  // Another context comes with a stack of its own, from where its registers are.
  const context = hasReg(loaded, SP) && regsIn(intersect(lost, loaded)).length >= CONTEXT;
  const careless = union(context ? NOTHING : lost, intersect(used, kept));
  return { saves: keeps.filter(saves), exposed, careless };
}

export function savesOf(cfg: Cfg): Saves {
  const entries = entriesOf(cfg);
  const comesBack = returning(cfg);
  const found = [...functionGroups(cfg).values()].map((blocks) =>
    look(
      cfg,
      blocks.filter(({ evidence }) => evidence !== 'guess'),
      entries,
      comesBack,
    ),
  );
  const careless = found.reduce((all, one) => union(all, one.careless), NOTHING);
  const saves = new Set<Addr>();
  for (const each of found)
    for (const { at, reg } of each.saves) if (!each.exposed || !hasReg(careless, reg)) saves.add(at);
  return { savesAt: (at) => saves.has(at) };
}

const known = new WeakMap<Image, Saves>();

/** Of all of an image's code, as far as it is found without a profile; the same object for the same image, as liveness is. */
export function imageSaves(image: Image): Saves {
  let saves = known.get(image);
  if (saves === undefined) {
    saves = savesOf(imageCfg(image));
    known.set(image, saves);
  }
  return saves;
}
