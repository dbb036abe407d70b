/** Syscalls about signals. */
import type { Addr } from '../../base/units.ts';
import { Blocked, E, fail } from './errno.ts';
import type { Kernel, Task } from './kernel.ts';
import type { SyscallRow } from './row.ts';
import {
  blockable,
  CODE,
  forgetIgnored,
  pendingSet,
  putInfo,
  returnFromHandler,
  SIG,
  SIGNAL_COUNT,
  send,
  setAlternateStack,
  take,
} from './signals.ts';
import { wait, withMask } from './wait.ts';

const MASK_CHANGE = { BLOCK: 0, UNBLOCK: 1, SETMASK: 2 } as const;
const SET_SIZE = 8;

function action(kernel: Kernel, signal: number, wanted: Addr, old: Addr, setSize: number): number {
  if (setSize !== SET_SIZE || signal < 1 || signal > SIGNAL_COUNT) fail(E.INVAL);
  if (wanted !== 0 && (signal === SIG.KILL || signal === SIG.STOP)) fail(E.INVAL);
  const { guest } = kernel;
  const next =
    wanted === 0
      ? undefined
      : { handler: guest.word(wanted), flags: guest.u64(wanted + 8), mask: blockable(guest.u64(wanted + 16)) };
  const known = kernel.actions.get(signal) ?? { handler: 0, flags: 0n, mask: 0n };
  if (old !== 0) {
    guest.setU64(old, known.handler);
    guest.setU64(old + 8, known.flags);
    guest.setU64(old + 16, known.mask);
  }
  if (next) {
    kernel.actions.set(signal, next);
    forgetIgnored(kernel, signal);
  }
  // 0 is SIG_DFL, 1 is SIG_IGN.
  if (next && next.handler > 1) kernel.others.add('signal handler');
  return 0;
}

function changeMask(kernel: Kernel, how: number, wanted: Addr, old: Addr, setSize: number): number {
  if (setSize !== SET_SIZE) fail(E.INVAL);
  const { guest, task } = kernel;
  const set = wanted === 0 ? undefined : guest.u64(wanted);
  const before = task.mask;
  if (set !== undefined) {
    if (how === MASK_CHANGE.BLOCK) task.mask = blockable(before | set);
    else if (how === MASK_CHANGE.UNBLOCK) task.mask &= ~set;
    else if (how === MASK_CHANGE.SETMASK) task.mask = blockable(set);
    else fail(E.INVAL);
  }
  if (old !== 0) guest.setU64(old, before);
  return 0;
}

const checkedSignal = (signal: number): number => (signal < 0 || signal > SIGNAL_COUNT ? fail(E.INVAL) : signal);

/** Sends a signal to a task, or (undefined) to the process; signal 0 only asks whether sending is possible. */
function signalTo(kernel: Kernel, signal: number, code: number, task?: Task, info?: Uint8Array): number {
  if (signal !== 0) send(kernel, { signal, code, info }, task);
  return 0;
}

const taskOf = (kernel: Kernel, tid: number): Task =>
  tid <= 0 ? fail(E.INVAL) : (kernel.tasks.find((task) => task.tid === tid) ?? fail(E.SRCH));

/**
 * kill(2). The own id, 0 (the group), -1 (all processes) and the group's id all mean the only process; init and the parent are there, but
 * get no signals.
 */
function kill(kernel: Kernel, pid: number, signal: number): number {
  checkedSignal(signal);
  if ([kernel.pid, 0, -1, -kernel.traits.group].includes(pid)) return signalTo(kernel, signal, CODE.USER);
  return fail(pid === 1 || pid === kernel.parent ? E.PERM : E.SRCH);
}

/** Sends a signal with a siginfo_t of the sender; a siginfo_t like those of the kernel or of tkill may go to the own process only. */
function queue(kernel: Kernel, pid: number, signal: number, at: Addr, task?: Task): number {
  const info = Uint8Array.from(kernel.guest.input(at, 128));
  const code = kernel.guest.i32(at + 8);
  if (pid !== kernel.pid) fail(code >= 0 || code === CODE.TKILL ? E.PERM : E.SRCH);
  return signalTo(kernel, checkedSignal(signal), code, task, info);
}

const UNSENT_SIGNAL = new Blocked('a signal that nobody sends');

function suspend(kernel: Kernel, set: Addr, setSize: number): number {
  return withMask(kernel, set, setSize, () => {
    wait(kernel, undefined, UNSENT_SIGNAL);
    return -E.INTR;
  });
}

function waitForSignal(kernel: Kernel, set: Addr, info: Addr, timeout: Addr, size: number): number {
  if (size !== 8) fail(E.INVAL);
  const { guest, task } = kernel;
  const wanted = blockable(guest.u64(set));
  const limit = timeout === 0 ? undefined : guest.timespec(timeout);
  const { kind } = wait(
    kernel,
    limit,
    new Blocked(UNSENT_SIGNAL.what, () => (pendingSet(kernel, task) & wanted) !== 0n),
  );
  if (kind !== 'ready') return fail(kind === 'passed' ? E.AGAIN : E.INTR);
  const pending = take(kernel, task, wanted)!;
  if (info !== 0) putInfo(kernel, info, pending);
  return pending.signal;
}

export const SIGNAL_ROWS: readonly SyscallRow[] = [
  { number: 129, name: 'kill', arguments: ['int', 'signal'], run: kill },
  {
    number: 130,
    name: 'tkill',
    arguments: ['int', 'signal'],
    run: (k, tid, signal) => signalTo(k, checkedSignal(signal), CODE.TKILL, taskOf(k, tid)),
  },
  {
    number: 131,
    name: 'tgkill',
    arguments: ['int', 'int', 'signal'],
    run: (k, pid, tid, signal) => {
      if (pid <= 0) return fail(E.INVAL);
      const task = taskOf(k, tid);
      return pid === k.pid ? signalTo(k, checkedSignal(signal), CODE.TKILL, task) : fail(E.SRCH);
    },
  },
  { number: 132, name: 'sigaltstack', arguments: ['address', 'address'], run: setAlternateStack },
  { number: 133, name: 'rt_sigsuspend', arguments: ['address', 'size'], run: suspend },
  { number: 134, name: 'rt_sigaction', arguments: ['signal', 'address', 'address', 'size'], run: action },
  { number: 135, name: 'rt_sigprocmask', arguments: ['int', 'address', 'address', 'size'], run: changeMask },
  {
    number: 136,
    name: 'rt_sigpending',
    arguments: ['address', 'size'],
    run: (k, at, size) => {
      if (size > 8) return fail(E.INVAL);
      k.guest.setU64(at, pendingSet(k, k.task) & k.task.mask);
      return 0;
    },
  },
  { number: 137, name: 'rt_sigtimedwait', arguments: ['address', 'address', 'address', 'size'], run: waitForSignal },
  {
    number: 138,
    name: 'rt_sigqueueinfo',
    arguments: ['int', 'signal', 'address'],
    run: (k, pid, signal, at) => queue(k, pid, signal, at),
  },
  { number: 139, name: 'rt_sigreturn', arguments: [], run: (k) => returnFromHandler(k, k.task) },
  {
    number: 240,
    name: 'rt_tgsigqueueinfo',
    arguments: ['int', 'int', 'signal', 'address'],
    run: (k, pid, tid, signal, at) => (pid <= 0 ? fail(E.INVAL) : queue(k, pid, signal, at, taskOf(k, tid))),
  },
];
