/** Syscalls about signals. */
import type { Addr } from '../../base/units.ts';
import { Blocked, E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { SyscallRow } from './row.ts';
import { blockable, CODE, maskOf, returnFromHandler, SIG, SIGNAL_COUNT, send, setAlternateStack } from './signals.ts';
import { wait, withMask } from './wait.ts';

const HOW = { BLOCK: 0, UNBLOCK: 1, SETMASK: 2 } as const;
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
  if (next) kernel.actions.set(signal, next);
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
    if (how === HOW.BLOCK) task.mask = blockable(before | set);
    else if (how === HOW.UNBLOCK) task.mask &= ~set;
    else if (how === HOW.SETMASK) task.mask = blockable(set);
    else fail(E.INVAL);
  }
  if (old !== 0) guest.setU64(old, before);
  return 0;
}

function toTask(kernel: Kernel, tid: number, signal: number, code: number, value?: bigint): number {
  if (signal < 0 || signal > SIGNAL_COUNT) fail(E.INVAL);
  const task = kernel.tasks.find((t) => t.tid === tid) ?? fail(E.SRCH);
  if (signal !== 0) send(kernel, task, { signal, code, value });
  return 0;
}

/** kill(2): the one process can be meant by its id, by 0 (its group), by -1 (all) or by its group's id. */
function kill(kernel: Kernel, pid: number, signal: number): number {
  const meant = pid === kernel.pid || pid === 0 || pid === -1 || pid === -kernel.pid;
  return meant ? toTask(kernel, kernel.task.tid, signal, CODE.USER) : fail(E.SRCH);
}

function suspend(kernel: Kernel, set: Addr, setSize: number): number {
  return withMask(kernel, set, setSize, () => {
    wait(kernel, undefined, 'a signal that nobody sends');
    return -E.INTR;
  });
}

function waitFor(kernel: Kernel, set: Addr, info: Addr, timeout: Addr, size: number): number {
  if (size !== 8) fail(E.INVAL);
  const { guest, task } = kernel;
  const wanted = guest.u64(set);
  // The lowest number first; of one number, the first that came.
  const lowest = Math.min(...task.pending.flatMap(({ signal }) => ((wanted & maskOf(signal)) !== 0n ? [signal] : [])));
  const index = task.pending.findIndex(({ signal }) => signal === lowest);
  if (index >= 0) {
    const [pending] = task.pending.splice(index, 1);
    if (info !== 0) {
      guest.output(info, 128).fill(0);
      guest.setU32(info, pending.signal);
      guest.setU32(info + 8, pending.code);
      guest.setU32(info + 16, kernel.pid);
      guest.setU32(info + 20, kernel.uid);
      if (pending.value !== undefined) guest.setU64(info + 24, pending.value);
    }
    return pending.signal;
  }
  if (timeout === 0 && !kernel.alarm) throw new Blocked('a signal that nobody sends');
  const interrupted = wait(kernel, timeout === 0 ? undefined : guest.timespec(timeout), 'a signal that nobody sends');
  return fail(interrupted === undefined ? E.AGAIN : E.INTR);
}

export const SIGNAL_ROWS: readonly SyscallRow[] = [
  { number: 129, name: 'kill', arguments: ['int', 'signal'], run: kill },
  {
    number: 130,
    name: 'tkill',
    arguments: ['int', 'signal'],
    run: (k, tid, signal) => toTask(k, tid, signal, CODE.TKILL),
  },
  {
    number: 131,
    name: 'tgkill',
    arguments: ['int', 'int', 'signal'],
    run: (k, pid, tid, signal) => (pid === k.pid ? toTask(k, tid, signal, CODE.TKILL) : fail(E.SRCH)),
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
      k.guest.setU64(
        at,
        k.task.pending.reduce((set, p) => set | maskOf(p.signal), 0n),
      );
      return 0;
    },
  },
  { number: 137, name: 'rt_sigtimedwait', arguments: ['address', 'address', 'address', 'size'], run: waitFor },
  {
    number: 138,
    name: 'rt_sigqueueinfo',
    arguments: ['int', 'signal', 'address'],
    run: (k, pid, signal, info) =>
      pid === k.pid ? toTask(k, k.task.tid, signal, k.guest.i32(info + 8), k.guest.u64(info + 24)) : fail(E.SRCH),
  },
  {
    number: 139,
    name: 'rt_sigreturn',
    arguments: [],
    run: (k) => {
      returnFromHandler(k, k.task);
      return undefined;
    },
  },
];
