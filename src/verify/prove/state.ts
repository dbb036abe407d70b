/**
 * The state of symbolic execution (step.ts): registers and memory as terms, and all that has happened since the head, as far as a proof
 * compares it.
 */

import { regsIn } from '../../base/regset.ts';
import { REG_COUNT, type Reg, regName, SP } from '../../base/units.ts';
import { POINTERS } from '../../cfg/abi.ts';
import type { Term } from '../../domain/term.ts';
import type { ExtensionSet } from '../../isa/extensions.ts';
import type { List } from './list.ts';
import type { ProofTerms } from './terms.ts';

export interface Access {
  readonly kind: 'load' | 'store';
  readonly address: Term;
  readonly bytes: number;
  /** The value that a store stores. */
  readonly value: Term | undefined;
  /** What others can see of the access; absent under assumption A11. */
  readonly seen: Seen | undefined;
}

/** Equal for accesses of one kind to the same bytes. */
export const accessKey = ({ kind, address, bytes }: Access): string => `${kind}${bytes}:${address.id}`;

/** Where others may look: the pinned registers at an access, and the loads that the access depends on, a bit each by number. */
export interface Seen {
  readonly pinned: readonly Term[];
  readonly address: bigint;
  readonly data: bigint;
  readonly control: bigint;
}

/**
 * The registers that a signal handler relies on wherever it interrupts: the kernel puts its frame below the stack pointer, and the handler
 * finds its data by global and thread pointer.
 */
export const PINNED: readonly Reg[] = regsIn(POINTERS);

/** A value that was put into a pinned register, `behind` so many accesses. */
export interface Pinned {
  readonly reg: Reg;
  readonly value: Term;
  readonly behind: number;
  /** The value is only the upper part of an address, to which the rest is added. */
  readonly part: boolean;
}

/** Immutable: a step makes a new state. */
export interface State {
  /** By register; entry 0 is the constant 0. */
  readonly registers: readonly Term[];
  readonly memory: Term;
  /** All ordered events so far: CSR accesses, atomics, fences. */
  readonly order: Term;
  /** The dynamic rounding mode. */
  readonly rounding: Term;
  /** Operations since the last CSR access that accrued flags or needed a legal rounding mode: neither order nor repetition matters. */
  readonly flags: List<Term> | undefined;
  readonly accesses: List<Access> | undefined;
  readonly accessCount: number;
  /** Where others may look: the loads that each register depends on, and the loads that the decisions so far depend on. */
  readonly depends: { readonly registers: readonly bigint[]; readonly control: bigint } | undefined;
  /** Where others may look: writes to pinned registers. */
  readonly pinned: List<Pinned> | undefined;
  /** Extensions of all instructions so far. */
  readonly extensions: ExtensionSet;
}

/** The name of the term that is the stack pointer at the head. */
export const stackName = regName(SP);

/** The state at a head: every register and the memory unknown. */
export function headState(terms: ProofTerms): State {
  const registers = Array.from({ length: REG_COUNT }, (_, reg) => terms.input(regName(reg)));
  registers[0] = terms.const(0n);
  return {
    registers,
    memory: terms.memory,
    order: terms.input('order'),
    rounding: terms.input('frm'),
    flags: undefined,
    accesses: undefined,
    accessCount: 0,
    depends: terms.watched ? { registers: registers.map(() => 0n), control: 0n } : undefined,
    pinned: undefined,
    extensions: 0n,
  };
}
