/** futex(2) in a process of one thread: a wake finds no waiter, and a wait ends by its time-out or by a signal. */
import type { Addr } from '../../base/units.ts';
import { Blocked, E, fail } from './errno.ts';
import type { Guest } from './guest.ts';
import type { Kernel } from './kernel.ts';
import type { SyscallRow } from './row.ts';
import { wait } from './wait.ts';

const FUTEX = {
  WAIT: 0,
  WAKE: 1,
  REQUEUE: 3,
  CMP_REQUEUE: 4,
  WAKE_OP: 5,
  WAIT_BITSET: 9,
  WAKE_BITSET: 10,
} as const;
const COMMAND = 127;
const PRIVATE = 128;
const CLOCK_REALTIME = 256;

/** How many arguments an operation has (futex(2)); others: all six. */
const ARGUMENT_COUNTS: Readonly<Record<number, number>> = { 0: 4, 1: 3, 3: 5, 4: 6, 5: 6, 6: 4, 7: 1, 8: 1, 10: 6 };

/** Operations of WAKE_OP on a word: set, add, or, and-not, exclusive or. */
const OPERATIONS: readonly ((old: number, operand: number) => number)[] = [
  (_, operand) => operand,
  (old, operand) => old + operand,
  (old, operand) => old | operand,
  (old, operand) => old & ~operand,
  (old, operand) => old ^ operand,
];
const COMPARISONS = 6;

/** Checks the address of a word that is not read: a private futex need not be mapped. */
function checkAddress(guest: Guest, at: Addr, operation: number): void {
  if (at % 4 !== 0) fail(E.INVAL);
  if ((operation & PRIVATE) === 0) guest.i32(at);
  else guest.inside(at, 4);
}

/** @param encoded operation (its highest bit: the operand is a shift count), comparison, operand, comparand */
function changeWord(guest: Guest, at: Addr, encoded: number): void {
  const operand = (encoded << 8) >> 20;
  const operation = OPERATIONS[(encoded >>> 28) & 7] ?? fail(E.NOSYS);
  guest.setU32(at, operation(guest.i32(at), encoded >>> 31 ? 1 << operand : operand));
  // The comparison would decide whether waiters are woken; there are none.
  if (((encoded >>> 24) & 15) >= COMPARISONS) fail(E.NOSYS);
}

function waitForWake(kernel: Kernel, at: Addr, operation: number, value: number, timeout: Addr): number {
  const { guest, clock } = kernel;
  const time = timeout === 0 ? undefined : guest.timespec(timeout);
  if (guest.i32(at) !== value) fail(E.AGAIN);
  const wakeEvent = new Blocked('a futex that no other thread can wake');
  if (time === undefined) throw wakeEvent;
  // The time-out of WAIT is relative, that of WAIT_BITSET absolute.
  const now = operation & CLOCK_REALTIME ? clock.realtime : clock.monotonic;
  const left = (operation & COMMAND) === FUTEX.WAIT ? time : time - now;
  return fail(wait(kernel, left > 0n ? left : 0n, wakeEvent).kind === 'signal' ? E.INTR : E.TIMEDOUT);
}

function futex(
  kernel: Kernel,
  at: Addr,
  operation: number,
  value: number,
  timeout: number,
  other: Addr,
  third: number,
): number {
  const { guest } = kernel;
  const command = operation & COMMAND;
  if (operation & CLOCK_REALTIME && command !== FUTEX.WAIT_BITSET) fail(E.NOSYS);
  switch (command) {
    case FUTEX.WAIT:
    case FUTEX.WAIT_BITSET:
      if (command === FUTEX.WAIT_BITSET && third === 0) fail(E.INVAL);
      if (at % 4 !== 0) fail(E.INVAL);
      return waitForWake(kernel, at, operation, value, timeout);
    case FUTEX.WAKE:
    case FUTEX.WAKE_BITSET:
      if (command === FUTEX.WAKE_BITSET && third === 0) fail(E.INVAL);
      checkAddress(guest, at, operation);
      return 0;
    case FUTEX.REQUEUE:
    case FUTEX.CMP_REQUEUE:
      // The fourth argument is the number of waiters to move.
      if (value < 0 || timeout >= 2 ** 53 || (timeout | 0) < 0) fail(E.INVAL);
      checkAddress(guest, at, operation);
      checkAddress(guest, other, operation);
      if (command === FUTEX.CMP_REQUEUE && guest.i32(at) !== third) fail(E.AGAIN);
      return 0;
    case FUTEX.WAKE_OP:
      checkAddress(guest, at, operation);
      checkAddress(guest, other, operation);
      changeWord(guest, other, third);
      return 0;
    default:
      return fail(E.NOSYS);
  }
}

export const FUTEX_ROWS: readonly SyscallRow[] = [
  {
    number: 98,
    name: 'futex',
    arguments: ['address', 'int', 'int', 'address', 'address', 'int'],
    unused: (_, operation) => [0, 1, 2, 3, 4, 5].slice(ARGUMENT_COUNTS[operation & COMMAND] ?? 6),
    run: futex,
  },
];
