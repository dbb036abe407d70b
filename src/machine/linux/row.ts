/** What a row of the syscall table is. One row a syscall: its number, its name, what its arguments are, and what it does. */
import type { Kernel, Restart } from './kernel.ts';
import type { Steps } from './steps.ts';

/**
 * What an argument is: how its register becomes a number, and how --strace prints it. `fd`, `int` and `signal` are the low 32
 * bits, signed; `flags` and `mode` the low 32 bits, unsigned; `size` and `address` unsigned 64 bits and `offset` signed 64 bits
 * (beyond 2^53 rounded, which no check lets through). `path` is the address of a string, `buffer` the address of bytes whose
 * length is the next argument.
 */
export type ArgumentKind =
  | 'fd'
  | 'int'
  | 'signal'
  | 'flags'
  | 'mode'
  | 'size'
  | 'offset'
  | 'address'
  | 'path'
  | 'buffer';

export interface SyscallRow {
  /** As in asm-generic/unistd.h. */
  readonly number: number;
  readonly name: string;
  readonly arguments: readonly ArgumentKind[];
  /** It may take milliseconds, though not long enough for steps: whoever looks at the clock looks behind each of them. */
  readonly slow?: boolean;
  /** Places of arguments that play no part, where others decide that: libraries leave in them what was in the registers. */
  readonly unused?: (...args: number[]) => readonly number[];
  /**
   * @returns the result (a negative error number fails), or undefined: the registers are already as they shall be, or the
   * process has ended; or another call that goes on now. May throw Errno, GuestFault (EFAULT), Blocked, Deadlock. What can take long is
   * done in steps.
   */
  readonly run: (kernel: Kernel, ...args: number[]) => number | Restart | Steps | undefined;
}
