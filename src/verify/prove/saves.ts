/**
 * Where the original saves registers (assumption A3): a function stores a register that it must preserve, or its return address, through
 * the stack pointer, below where the stack pointer stood when it was entered, while the register still holds what it held then. No
 * compiler stores that value there for another reason, and nobody else has the slot's address. A slot that is also stored to in any
 * other way with the same value is none.
 */
import { MASK64, toSigned } from '../../base/bits.ts';
import { RA, SP } from '../../base/units.ts';
import { PRESERVED } from '../../cfg/abi.ts';
import { hasReg } from '../../cfg/regset.ts';
import type { Term } from '../../domain/term.ts';
import type { Insn } from '../../isa/row.ts';
import type { State } from './step.ts';

interface Step {
  readonly insn: Insn;
  readonly before: State;
  readonly after: State;
  /** The state when the function was entered: at the head, or behind the last call. */
  readonly entered: State;
  /** A function that is jumped to, behind a return or by a tail call, may have been entered with what the registers held at the head. */
  readonly head: State;
}

export class Saves {
  readonly #saves = new Set<string>();
  readonly #others = new Set<string>();
  readonly #used = new Set<string>();
  readonly #trusted: boolean;

  /** @param trusted assumption A3 may be made; else nothing is a save */
  constructor(trusted: boolean) {
    this.#trusted = trusted;
  }

  /** A new round, with what is known so far. */
  begin(): void {
    this.#used.clear();
  }
  /** How many are known. */
  get known(): number {
    return this.#saves.size;
  }
  /** Something that was taken for a save in this round has turned out to be none. */
  mistaken(): boolean {
    return [...this.#used].some((key) => this.#others.has(key));
  }

  /** Looks at a step of the original. */
  note({ insn, before, after, entered, head }: Step): void {
    const access = after.accesses?.item;
    if (after.accesses === before.accesses || access?.kind !== 'store' || access.bytes !== 8) return;
    const { address, value } = access;
    if (value === undefined) return;
    const saved = insn.rs2;
    const asEntered = (registers: readonly Term[]) => value === registers[saved] && below(address, registers[SP]!);
    const isSave =
      insn.rs1 === SP &&
      (saved === RA || hasReg(PRESERVED, saved)) &&
      (asEntered(entered.registers) || asEntered(head.registers));
    (isSave ? this.#saves : this.#others).add(keyOf(address, value));
  }

  /** Is this store of 8 bytes, in either form, one of those? Asking is using. */
  readonly has = (address: Term, value: Term): boolean => {
    const key = keyOf(address, value);
    if (!this.#trusted || !this.#saves.has(key) || this.#others.has(key)) return false;
    this.#used.add(key);
    return true;
  };
}

const keyOf = (address: Term, value: Term): string => `${address.id},${value.id}`;

/** Both are the same unknown plus constants. */
function below(address: Term, stack: Term): boolean {
  const [a, b] = [address, stack].map((term) => {
    const constant = term.op === 'add' ? term.args[1]!.value : undefined;
    return constant === undefined ? { base: term, offset: 0n } : { base: term.args[0], offset: constant };
  });
  return a!.base === b!.base && toSigned((a!.offset - b!.offset) & MASK64) <= -8n;
}
