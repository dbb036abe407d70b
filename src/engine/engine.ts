/**
 * The interface that all engines implement. An engine runs one hart for a budget of instructions and says why it stopped; what a
 * syscall or a fault means is the machine's business (machine/process.ts), not the engine's.
 */
import type { Addr, InsnCount } from '../base/units.ts';
import type { Hart } from '../machine/hart.ts';
import type { Kept } from './translate/kept.ts';

export type Stop =
  /** The budget is used up; hart.pc is the next instruction. */
  | { readonly kind: 'budget' }
  /** The time until which it was to run has come, before all that; hart.pc is the next instruction. */
  | { readonly kind: 'pause' }
  /** An ecall has retired; hart.pc is the instruction behind it. */
  | { readonly kind: 'ecall' }
  /** An ebreak was reached; hart.pc is the ebreak, which has not retired. */
  | { readonly kind: 'ebreak' }
  /** A memory access or an instruction fetch failed; hart.pc is the instruction, which has not retired and has changed nothing. */
  | { readonly kind: 'fault'; readonly access: 'load' | 'store' | 'fetch'; readonly address: bigint }
  /** An atomic access that is not naturally aligned (SIGBUS). */
  | { readonly kind: 'misaligned'; readonly address: bigint }
  /** Bytes that are no instruction; hart.pc is where they are. */
  | { readonly kind: 'illegal' };

/** One executed control transfer site and where it went, with its exact count. */
export interface Transfer {
  /** The address of the instruction that ends the block: branch, jal, jalr or ecall. */
  readonly from: Addr;
  /** Where control went: a target, or the instruction behind (branch not taken, ecall). */
  readonly to: Addr;
  readonly count: InsnCount;
}

export interface Engine {
  readonly name: string;
  /**
   * Runs until the budget is used up (exactly) or something needs the machine.
   * @param until come back by then, or little later, whatever is left of the budget: on the clock of `performance.now`
   * @returns why it stopped and how many instructions have retired in this call
   */
  run(hart: Hart, budget: InsnCount, until?: number): { readonly stop: Stop; readonly retired: InsnCount };
  /** Everything executed so far, each (from, to) once, sorted by from, then to. Run-time addresses. An ecall's transfer counts when it retires. */
  transfers(): Transfer[];
  /** What the engine has done besides running, for `--stats`: numbers by name, times in milliseconds. */
  statistics?(): Readonly<Record<string, number>>;
  /** What the next run of the same program may begin with; undefined if that is hardly more than what this one began with. */
  keep?(): Kept | undefined;
  /** Code in this range may have changed (mprotect, munmap, exec): forget what was decoded. */
  invalidate(address: Addr, length: number): void;
  /** The guest says that it has changed code (fence.i): forget what has been written to since it was decoded. */
  flush(): void;
}
