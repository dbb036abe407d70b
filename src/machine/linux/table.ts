/** All syscalls by number, and how a syscall is run: arguments by kind, errors as results, time, signals, and a line for --strace. */

import { internal } from '../../base/errors.ts';
import { A0, type Reg } from '../../base/units.ts';
import type { Hart } from '../hart.ts';
import { GuestFault } from '../memory.ts';
import { CREDENTIAL_ROWS } from './credentials.ts';
import { EPOLL_ROWS } from './epoll.ts';
import { Blocked, Deadlock, E, Errno, errnoName } from './errno.ts';
import { EVENT_ROWS } from './events.ts';
import { FCNTL_ROWS } from './fcntl.ts';
import { FILE_ROWS } from './files.ts';
import { FUTEX_ROWS } from './futex.ts';
import { IDENTITY_ROWS } from './identity.ts';
import type { Kernel, Restart } from './kernel.ts';
import { MAPPING_ROWS } from './mappings.ts';
import { MEMFD_ROWS } from './memfd.ts';
import { SYSCALL_NAMES } from './names.ts';
import { OPEN_ROWS } from './open.ts';
import { POLL_ROWS } from './poll.ts';
import type { ArgumentKind, SyscallRow } from './row.ts';
import { SCHEDULING_ROWS } from './scheduling.ts';
import { SIGNAL_ROWS } from './signalcalls.ts';
import { CODE, type Delivered, deliver, send, signalName } from './signals.ts';
import { SOCKET_ROWS } from './sockets.ts';
import { STAT_ROWS } from './stat.ts';
import type { Pause, Steps } from './steps.ts';
import { TIME_ROWS } from './time.ts';
import { TRANSFER_ROWS } from './transfers.ts';
import { TREE_ROWS } from './tree.ts';
import { wait } from './wait.ts';

export const SYSCALLS = byNumber([
  ...FILE_ROWS,
  ...FCNTL_ROWS,
  ...POLL_ROWS,
  ...OPEN_ROWS,
  ...TRANSFER_ROWS,
  ...STAT_ROWS,
  ...TREE_ROWS,
  ...MAPPING_ROWS,
  ...MEMFD_ROWS,
  ...FUTEX_ROWS,
  ...IDENTITY_ROWS,
  ...CREDENTIAL_ROWS,
  ...SCHEDULING_ROWS,
  ...TIME_ROWS,
  ...SIGNAL_ROWS,
  ...SOCKET_ROWS,
  ...EVENT_ROWS,
  ...EPOLL_ROWS,
]);

/** @throws internal if two rows have one number */
function byNumber(rows: readonly SyscallRow[]): ReadonlyMap<number, SyscallRow> {
  const table = new Map<number, SyscallRow>();
  for (const row of rows) {
    const other = table.get(row.number);
    if (other !== undefined) throw internal(`syscalls ${other.name} and ${row.name} have one number, ${row.number}`);
    table.set(row.number, row);
  }
  return table;
}

/** The value of an argument register, by the kind of the argument (see ArgumentKind). */
function argument(hart: Hart, reg: Reg, kind: ArgumentKind): number {
  switch (kind) {
    case 'fd':
    case 'int':
    case 'signal':
    case 'flags':
    case 'mode':
      // Flags are signed machine integers, too: `&` and `|` on them stay exact.
      return hart.int32(reg);
    case 'offset': {
      const value = hart.number(reg);
      return value < 2 ** 63 ? value : value === 2 ** 63 ? -value : Number(BigInt.asIntN(64, hart.get(reg)));
    }
    default:
      return hart.number(reg);
  }
}

/**
 * Runs the syscall that a task's hart has just asked for with an ecall (pc behind it), then delivers signals.
 * @param trace gets one line, as strace prints it
 * @returns the remaining steps of a long syscall: the syscall is done at their end
 */
export function runSyscall(kernel: Kernel, number: number, trace?: (line: string) => void): Rest | undefined {
  const { task, clock } = kernel;
  const { hart } = task;
  clock.tick(hart.retired);
  const row = SYSCALLS.get(number);
  kernel.slow = row?.slow === true;
  const kinds = row?.arguments ?? [];
  const args: number[] = [];
  for (let index = 0; index < kinds.length; index++) args.push(argument(hart, A0 + index, kinds[index]!));
  return serve(kernel, { number, args }, trace);
}

type Rest = Generator<Pause, void>;
type Trace = ((line: string) => void) | undefined;

/** Runs a syscall, also one that is restarted behind a handler: its ecall has been counted, so control does not go back to the ecall. */
function serve(kernel: Kernel, call: Restart, trace: Trace): Rest | undefined {
  const given = make(kernel, call);
  return isUnfinished(given) ? inSteps(kernel, call, trace, given) : finish(kernel, call, trace, given);
}

/** The result of a row, or what became of an early end. */
type Given = ReturnType<SyscallRow['run']> | Outcome | typeof RETRY;
type Unfinished = Steps | typeof RETRY;

const isUnfinished = (given: Given): given is Unfinished =>
  given === RETRY || (typeof given === 'object' && 'next' in given);

function make(kernel: Kernel, call: Restart): Given {
  const row = SYSCALLS.get(call.number);
  if (!row) return reportUnknown(kernel, call.number);
  return attempt(kernel, () => row.run(kernel, ...call.args));
}

function* inSteps(kernel: Kernel, call: Restart, trace: Trace, first: Unfinished): Rest {
  let given: Given = first;
  while (isUnfinished(given)) {
    if (given === RETRY) {
      // A call that is blocked again although its event has come must not outlast the limits.
      yield 'look';
      given = make(kernel, call);
      continue;
    }
    const steps: Steps = given;
    const step = attempt(kernel, () => steps.next());
    if (step === RETRY || step instanceof Outcome) given = step;
    else if (step.done) given = step.value as number | undefined;
    else yield step.value;
  }
  const more = finish(kernel, call, trace, given);
  if (more) yield* more;
}

/** @param given a result, or an interrupted call to restart now */
function finish(kernel: Kernel, call: Restart, trace: Trace, given: Exclude<Given, Unfinished>): Rest | undefined {
  const { task } = kernel;
  const again = typeof given === 'object' && 'args' in given ? given : undefined;
  const { result, interrupted } = given instanceof Outcome ? given : new Outcome(again ? undefined : (given as number));
  if (result !== undefined) task.hart.setNumber(A0, result);
  if (trace) {
    const row = SYSCALLS.get(call.number);
    trace(`${describe(kernel, row, call.number, call.args)} = ${describeResult(row, result)}`);
  }
  if (!kernel.timers.none) kernel.timers.fire(kernel.clock.monotonic);
  let handler: Delivered['handler'];
  if (!kernel.ending && (task.pending.length > 0 || kernel.pending.length > 0)) {
    const delivered = deliver(kernel, task);
    if (trace) for (const { signal } of delivered) trace(`--- ${signalName(signal)} ---`);
    handler = delivered[0]?.handler;
  }
  // The first handler decides (arch/riscv/kernel/signal.c): handlers entered on top of the first interrupt that handler.
  const later = again ?? (interrupted && handler?.restarts ? call : undefined);
  if (!later || kernel.ending) return undefined;
  if (!handler) return serve(kernel, later, trace);
  task.restarts.set(handler.frame, later);
  return undefined;
}

/** The outcome of a syscall. */
class Outcome {
  /** Undefined: the registers are final already. */
  readonly result: number | undefined;
  /** A signal has ended its wait: the syscall fails with EINTR unless the handler has SA_RESTART. */
  readonly interrupted: boolean;
  constructor(result: number | undefined, interrupted = false) {
    this.result = result;
    this.interrupted = interrupted;
  }
}

/** The awaited event has come: the syscall is to be made once more. */
const RETRY = Symbol('again');

/** The result of a row or of a step; an exception that ends the row early becomes an Outcome or RETRY. */
function attempt<T>(kernel: Kernel, run: () => T): T | Outcome | typeof RETRY {
  try {
    return run();
  } catch (error) {
    if (error instanceof Errno) {
      if (error.signal) send(kernel, { signal: error.signal, code: CODE.USER }, kernel.task);
      return new Outcome(-error.code);
    }
    if (error instanceof GuestFault) return new Outcome(-E.FAULT);
    try {
      if (!(error instanceof Blocked)) throw error;
      const { kind } = wait(kernel, error.time, error);
      if (error.done > 0) return new Outcome(error.done);
      // Calls with a time-out of their own are not restarted (signal(7)).
      if (kind === 'signal') return new Outcome(-E.INTR, error.time === undefined);
      return kind === 'passed' ? new Outcome(-E.AGAIN) : RETRY;
    } catch (failure) {
      if (!(failure instanceof Deadlock)) throw failure;
      kernel.ending = { kind: 'deadlock', what: failure.what };
      return new Outcome(undefined);
    }
  }
}
function reportUnknown(kernel: Kernel, number: number): number {
  const name = SYSCALL_NAMES.get(number);
  const what = name === undefined ? `syscall ${number}` : `the syscall ${name}`;
  kernel.report(`the guest made ${what}, which is not supported; it gets ENOSYS`);
  return -E.NOSYS;
}

const SHOWN_BYTES = 32;

function describe(kernel: Kernel, row: SyscallRow | undefined, number: number, args: readonly number[]): string {
  if (!row) return `${SYSCALL_NAMES.get(number) ?? `syscall_${number}`}(...)`;
  const shown = row.arguments.map((kind, index) => {
    const value = args[index]!;
    switch (kind) {
      case 'path':
        return quoteAt(kernel, value, undefined);
      case 'buffer':
        return quoteAt(kernel, value, args[index + 1]);
      case 'address':
        return value === 0 ? 'NULL' : `0x${value.toString(16)}`;
      case 'flags':
        return `0x${(value >>> 0).toString(16)}`;
      case 'mode':
        return `0${(value >>> 0).toString(8)}`;
      case 'signal':
        return signalName(value);
      case 'fd':
        return value === -100 ? 'AT_FDCWD' : `${value}`;
      default:
        return `${value}`;
    }
  });
  return `${row.name}(${shown.join(', ')})`;
}

function quoteAt(kernel: Kernel, address: number, length: number | undefined): string {
  try {
    const text =
      length === undefined
        ? kernel.guest.string(address)
        : Buffer.from(kernel.guest.input(address, Math.min(length, SHOWN_BYTES))).toString('latin1');
    const escaped = text.replace(
      /[^ -~]|["\\]/g,
      (c) => ESCAPES[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
    return `"${escaped}"${length !== undefined && length > SHOWN_BYTES ? '...' : ''}`;
  } catch {
    return address === 0 ? 'NULL' : `0x${address.toString(16)}`;
  }
}
const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\t': '\\t',
  '\r': '\\r',
  '\0': '\\0',
  '"': '\\"',
  '\\': '\\\\',
};

function describeResult(row: SyscallRow | undefined, result: number | undefined): string {
  if (result === undefined) return '?';
  if (result < 0) return `-1 ${errnoName(-result)}`;
  return row && ['mmap', 'brk', 'mremap'].includes(row.name) ? `0x${result.toString(16)}` : `${result}`;
}
