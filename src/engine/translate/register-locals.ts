/** The guest's registers at the point of a region's code that is being emitted: in slots of the hart's block, in locals, or in both. */
import { intersect, NO_REGS, type RegSet, regsIn, union, without } from '../../base/regset.ts';
import type { Reg } from '../../base/units.ts';
import type { Code } from '../../base/wasm-code.ts';
import { I64 } from '../../base/wasm-opcodes.ts';
import { slotOf } from '../../machine/hart.ts';

export class RegisterLocals {
  readonly #code: Code;
  /** Address of the hart's block. */
  readonly #hart: number;
  readonly #locals = new Map<Reg, number>();
  /** Registers whose locals are valid, and those of them whose locals may be newer than their slots. */
  #valid: RegSet = NO_REGS;
  #pending: RegSet = NO_REGS;

  /** @param all the registers that the region touches */
  constructor(code: Code, hart: number, all: RegSet) {
    this.#code = code;
    this.#hart = hart;
    for (const reg of regsIn(all)) this.#locals.set(reg, code.local(I64));
  }

  get count(): number {
    return this.#locals.size;
  }
  of(reg: Reg): number {
    return this.#locals.get(reg)!;
  }
  /** Registers that may be newer in their locals. */
  get pending(): RegSet {
    return this.#pending;
  }

  /** Loads those of the registers whose locals are not valid. */
  load(set: RegSet): void {
    const missing = without(set, this.#valid);
    for (const reg of regsIn(missing)) this.#code.i32(this.#slotOf(reg)).access('i64.load', 0).set(this.of(reg));
    this.#valid = union(this.#valid, missing);
  }
  /** Notes that registers have been written in their locals. */
  wrote(set: RegSet): void {
    this.#valid = union(this.#valid, set);
    this.#pending = union(this.#pending, set);
  }
  /** Stores the newer registers but for some, whose locals may stay newer. */
  flush(kept: RegSet = NO_REGS): void {
    this.#store(without(this.#pending, kept));
    this.#pending = intersect(this.#pending, kept);
  }
  /** Stores the newer registers on a way out of the region; other ways go on from here with newer locals. */
  storeForExit(): void {
    this.#store(this.#pending);
  }
  #store(set: RegSet): void {
    for (const reg of regsIn(set)) this.#code.i32(this.#slotOf(reg)).get(this.of(reg)).access('i64.store', 0);
  }
  #slotOf(reg: Reg): number {
    return this.#hart + slotOf(reg);
  }

  /** Called code may have changed every register's slot. None may be newer in its local. */
  forget(): void {
    this.#valid = NO_REGS;
  }
  /** Sets the state that holds where ways meet. */
  meet(held: RegSet, dirty: RegSet): void {
    this.#valid = held;
    this.#pending = dirty;
  }
  /** @returns a function that restores the state as it is now */
  mark(): () => void {
    const [valid, pending] = [this.#valid, this.#pending];
    return () => this.meet(valid, pending);
  }
}
