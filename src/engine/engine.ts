/**
 * The interface that all engines implement. An engine runs one hart for a budget of instructions and says why it stopped; the meaning
 * of a syscall or a fault is the machine's business (machine/process.ts), not the engine's.
 */
import type { Addr, InsnCount, RunAddr } from '../base/units.ts';
import type { Hart } from '../machine/hart.ts';
import type { Kept } from './translate/kept.ts';

export type Stop =
  /** The budget is used up; hart.pc is the next instruction. */
  | { readonly kind: 'budget' }
  /** The time limit of the call has come before all other stops; hart.pc is the next instruction. */
  | { readonly kind: 'pause' }
  /** An ecall has retired; hart.pc is the instruction behind it. */
  | { readonly kind: 'ecall' }
  /** An ebreak was reached; hart.pc is the ebreak, which has not retired. */
  | { readonly kind: 'ebreak' }
  /** A memory access or an instruction fetch failed; hart.pc is the instruction, which has not retired and has changed nothing. */
  | { readonly kind: 'fault'; readonly access: 'load' | 'store' | 'fetch'; readonly address: bigint }
  /** An atomic access that is not naturally aligned (SIGBUS). */
  | { readonly kind: 'misaligned'; readonly address: bigint }
  /** Bytes that are no instruction; hart.pc is their address. */
  | { readonly kind: 'illegal' };

/** One executed control transfer, by site and target, with its exact count. */
export interface Transfer {
  /** The address of the instruction that ends the block: branch, jal, jalr or ecall. */
  readonly from: RunAddr;
  /** The address where control went: a target, or the instruction behind (branch not taken, ecall). */
  readonly to: RunAddr;
  readonly count: InsnCount;
}

export interface Engine {
  readonly name: string;
  /**
   * Runs until the budget is used up (exactly) or the guest needs the machine.
   * @param until time on the clock of `performance.now` at which, or a little later, the call returns, whatever is left of the budget
   * @returns the reason of the stop and the number of instructions that have retired in this call
   */
  run(hart: Hart, budget: InsnCount, until?: number): { readonly stop: Stop; readonly retired: InsnCount };
  /** All transfers so far, each (from, to) once, sorted by from, then to. Run-time addresses. An ecall counts when it retires. */
  transfers(): Transfer[];
  /** The engine's work besides running the guest, for `--stats`: numbers by name, times in milliseconds. */
  statistics?(): Readonly<Record<string, number>>;
  /** Translated code for the next run of the same program to begin with; undefined if it is hardly more than this run began with. */
  keep?(): Kept | undefined;
  /** Code in this range may have changed (mprotect, munmap, exec): forget decoded code there. */
  invalidate(address: Addr, length: number): void;
  /** The guest says that it has changed code (fence.i): forget decoded code that has been written to since. */
  flush(): void;
}
