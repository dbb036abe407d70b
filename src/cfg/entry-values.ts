/**
 * The facts on which saves rest (saves.ts), and how instructions change these facts: the distances of the stack pointer and of the frame
 * pointer from the stack pointer at the function's entry, and the registers and slots that hold values that registers had at entry.
 */
import { derived } from '../base/derived.ts';
import { hasReg, intersect, NO_REGS, type RegSet, regSet, union, without } from '../base/regset.ts';
import { RA, type Reg, S0, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { Terms } from '../domain/term.ts';
import { runTerms } from '../domain/term-step.ts';
import type { Insn } from '../isa/row.ts';
import { POINTERS, PRESERVED, RETURN_ADDRESS } from './abi.ts';

/** Registers that a function must give back, except sp, gp and tp. */
export const TRACKED_REGS: RegSet = without(union(PRESERVED, RETURN_ADDRESS), POINTERS);

/** The facts before an instruction, relative to the function's entry. */
export interface State {
  /** Distance of the stack pointer from the stack pointer at entry; undefined if unknown. */
  readonly sp: number | undefined;
  /** Distance of the frame pointer from the stack pointer at entry; undefined if unknown. */
  readonly fp: number | undefined;
  /** Registers that hold their values at entry. */
  readonly held: RegSet;
  /** By distance from the stack pointer at entry: the register whose value at entry the slot holds. */
  readonly slots: ReadonlyMap<number, Reg>;
}

export const ENTRY_STATE: State = { sp: 0, fp: undefined, held: TRACKED_REGS, slots: new Map() };
export const UNKNOWN_STATE: State = { sp: undefined, fp: undefined, held: NO_REGS, slots: new Map() };

/** The facts that two states share; the first state itself if the second has all its facts. */
export function meet(a: State | undefined, b: State): State {
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

/** Does an instruction add a constant to rs1, and nothing else? */
export const isSum = derived('sum', (insn: Insn): boolean => {
  const terms = new Terms();
  const rs1 = terms.input('rs1');
  const { result } = runTerms(terms, insn, { rs1, rs2: terms.input('rs2'), pc: terms.input('pc') }, () => rs1);
  return facts(insn).pure && result === terms.add(rs1, terms.const(BigInt(insn.imm)));
});

/** An effect of an instruction on the stack, where known. */
export type StackUse =
  /** Stores a whole register that still holds its value at entry. */
  | { readonly kind: 'keep'; readonly slot: number; readonly reg: Reg }
  /** Loads a register from a slot that holds the register's value at entry. */
  | { readonly kind: 'restore'; readonly slot: number; readonly reg: Reg }
  /** Any other access. */
  | { readonly kind: 'other'; readonly slot: number; readonly bytes: number }
  /** Makes an address from the stack pointer or from s0, which may be the frame pointer, or stores one of these registers. */
  | { readonly kind: 'address'; readonly from: Reg };

/** The state behind one instruction. @param see is called with the instruction's effects on the stack */
export function stateAfter(state: State, insn: Insn, see?: (use: StackUse) => void): State {
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

/**
 * The state behind a call. Millicode, called by another link than ra, may move the stack pointer.
 * @param changed preserved registers that the callee may change all the same
 */
export function afterCall(state: State, insn: Insn, changed: RegSet): State {
  if (facts(insn).writes !== RA) return UNKNOWN_STATE;
  const held = without(state.held, union(RETURN_ADDRESS, changed));
  return { ...state, held, ...(hasReg(changed, S0) && { fp: undefined }) };
}
