/** Rows of the syscall table. A row has the number, the name, the kinds of arguments and the handler of one syscall. */
import type { Kernel, Restart } from './kernel.ts';
import type { Steps } from './steps.ts';

/**
 * Kind of an argument: how its register becomes a number, and how --strace prints it. `fd`, `int`, `signal`, `flags` and `mode` are
 * the low 32 bits, signed (`&` and `|` on them stay exact); `size` and `address` unsigned 64 bits and `offset` signed 64 bits
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
  /** The syscall may take milliseconds, but not long enough for steps: time limits are checked behind each slow syscall. */
  readonly slow?: boolean;
  /** Indexes of arguments that the other arguments make meaningless: libraries leave old register contents in them. */
  readonly unused?: (...args: number[]) => readonly number[];
  /**
   * @returns the result (a negative error number fails); or undefined: the registers are final already, or the process has
   * ended; or an interrupted call to restart now; or the steps of a long call. May throw Errno, GuestFault (EFAULT), Blocked, Deadlock.
   */
  readonly run: (kernel: Kernel, ...args: number[]) => number | Restart | Steps | undefined;
}
