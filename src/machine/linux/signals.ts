/**
 * Signals: delivery, default actions, and the frame that Linux puts on the guest's stack for a handler
 * (arch/riscv/kernel/signal.c, uapi/asm/{ucontext,sigcontext,ptrace}.h).
 */
import { A0, type Addr, F0, RA, SP } from '../../base/units.ts';
import { GuestFault, PERMISSION } from '../memory.ts';
import { E, Errno, fail } from './errno.ts';
import { type Action, type Kernel, type Pending, type Restart, SIGNALS_PENDING, type Task } from './kernel.ts';

export const SIG = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
} as const;
export const SIGNAL_COUNT = 64;

const NAMES = new Map<number, string>(Object.entries(SIG).map(([name, number]) => [number, `SIG${name}`]));
/** `SIGSEGV` for 11. */
export const signalName = (signal: number): string => NAMES.get(signal) ?? `SIGRT${signal - 32}`;

/** si_code values (uapi/asm-generic/siginfo.h). */
export const CODE = {
  USER: 0,
  QUEUE: -1,
  TIMER: -2,
  TKILL: -6,
  KERNEL: 128,
  ILL_ILLOPC: 1,
  TRAP_BRKPT: 1,
  BUS_ADRALN: 1,
  BUS_ADRERR: 2,
  SEGV_MAPERR: 1,
  SEGV_ACCERR: 2,
} as const;

const SIG_DFL = 0;
const SIG_IGN = 1;
const FLAG = {
  SIGINFO: 4n,
  ONSTACK: 0x08000000n,
  RESTART: 0x10000000n,
  NODEFER: 0x40000000n,
  RESETHAND: 0x80000000n,
} as const;
const SIGNALS_IGNORED_BY_DEFAULT: ReadonlySet<number> = new Set([SIG.CHLD, SIG.CONT, SIG.URG, SIG.WINCH]);
const SIGNALS_STOPPING_BY_DEFAULT: ReadonlySet<number> = new Set([SIG.STOP, SIG.TSTP, SIG.TTIN, SIG.TTOU]);
const DEFAULT_ACTION: Action = { handler: SIG_DFL, flags: 0n, mask: 0n };

export const maskOf = (signal: number): bigint => 1n << BigInt(signal - 1);
/** SIGKILL and SIGSTOP cannot be blocked. */
export const blockable = (mask: bigint): bigint => mask & ~(maskOf(SIG.KILL) | maskOf(SIG.STOP));

/** struct rt_sigframe { siginfo_t; struct ucontext }; offsets from its start. */
const FRAME = {
  SIGNO: 0,
  CODE: 8,
  ADDRESS: 16,
  PID: 16,
  UID: 20,
  VALUE: 24,
  CONTEXT: 128,
  STACK: 128 + 16,
  MASK: 128 + 40,
  PC: 128 + 176,
  X1: 128 + 184,
  F: 128 + 432,
  FCSR: 128 + 432 + 256,
  SIZE: 128 + 960,
} as const;
const SS = { ONSTACK: 1, DISABLE: 2 } as const;
const MIN_ALT_STACK = 2048;

/** Signals of faults, which are delivered before all others (kernel/signal.c, SYNCHRONOUS_MASK). */
const FAULT_SIGNALS = [SIG.SEGV, SIG.BUS, SIG.ILL, SIG.TRAP, SIG.FPE, SIG.SYS].reduce(
  (set, signal) => set | maskOf(signal),
  0n,
);

const ignores = ({ handler }: Action, signal: number): boolean =>
  handler === SIG_IGN || (handler === SIG_DFL && SIGNALS_IGNORED_BY_DEFAULT.has(signal));

/**
 * Makes a signal pending, for one task or for the process. A standard signal that is pending there already is merged with it.
 * Fails with EAGAIN where too many are queued.
 */
export function send(kernel: Kernel, pending: Pending, task?: Task): void {
  const { signal } = pending;
  const blocked = ((task ?? kernel.task).mask & maskOf(signal)) !== 0n;
  if (!blocked && ignores(kernel.actions.get(signal) ?? DEFAULT_ACTION, signal)) return;
  const queue = (task ?? kernel).pending;
  if (signal < 32 && queue.some((p) => p.signal === signal)) return;
  // With a full queue, a real-time signal of kill or the kernel is dropped if the same signal is pending; other senders of real-time
  // signals get EAGAIN (kernel/signal.c, __send_signal_locked).
  if (signal >= 32 && queue.length >= SIGNALS_PENDING && !pending.timer) {
    if (pending.code !== CODE.USER && pending.code !== CODE.KERNEL) fail(E.AGAIN);
    if (queue.some((p) => p.signal === signal)) return;
  }
  if (pending.timer) pending.timer.pending = true;
  kernel.sent++;
  queue.push(pending);
}

/** Rethrows the error of a write; a broken pipe also raises SIGPIPE. */
export function broken(kernel: Kernel, error: unknown): never {
  if (error instanceof Errno && error.code === E.PIPE && !error.quiet)
    send(kernel, { signal: SIG.PIPE, code: CODE.USER }, kernel.task);
  throw error;
}

/** Drops pending instances of a signal that is now ignored (sigaction(2), POSIX). */
export function forgetIgnored(kernel: Kernel, signal: number): void {
  if (!ignores(kernel.actions.get(signal) ?? DEFAULT_ACTION, signal)) return;
  for (const queue of [kernel.pending, ...kernel.tasks.map((task) => task.pending)])
    for (let at = queue.length - 1; at >= 0; at--)
      if (queue[at]!.signal === signal) {
        if (queue[at]!.timer) queue[at]!.timer!.pending = false;
        queue.splice(at, 1);
      }
}

/** Drops pending signals that are ignored and no longer blocked: they end no wait. */
export function dropIgnored(kernel: Kernel): void {
  for (const { signal } of [...kernel.task.pending, ...kernel.pending])
    if ((kernel.task.mask & maskOf(signal)) === 0n) forgetIgnored(kernel, signal);
}

/** Signals that a task could take, as a mask. */
export const pendingSet = (kernel: Kernel, task: Task): bigint =>
  [...task.pending, ...kernel.pending].reduce((set, { signal }) => set | maskOf(signal), 0n);

/**
 * Takes the next pending signal of a mask in the order of Linux (dequeue_signal): the task's queue before the process's, in each the
 * signals of faults before others, then the lowest number, and within a number the oldest.
 */
export function take(kernel: Kernel, task: Task, wanted: bigint): Pending | undefined {
  for (const queue of [task.pending, kernel.pending]) {
    const of = (set: bigint) => queue.filter(({ signal }) => (set & maskOf(signal)) !== 0n);
    const found = of(wanted & FAULT_SIGNALS);
    const among = found.length > 0 ? found : of(wanted);
    if (among.length === 0) continue;
    const next = among.reduce((best, each) => (each.signal < best.signal ? each : best));
    queue.splice(queue.indexOf(next), 1);
    if (next.timer) {
      next.timer.pending = false;
      next.timer.told = next.timer.overrun;
      next.timer.overrun = 0n;
    }
    return next;
  }
  return undefined;
}

/** Makes a fault's signal pending (force_sig_fault). A blocked or ignored signal is reset to the default action, termination. */
export function force(kernel: Kernel, task: Task, pending: Pending): void {
  const { signal } = pending;
  const action = kernel.actions.get(signal) ?? DEFAULT_ACTION;
  if ((task.mask & maskOf(signal)) !== 0n || action.handler === SIG_IGN) {
    kernel.actions.delete(signal);
    task.mask &= ~maskOf(signal);
  }
  const before = task.pending.findIndex((p) => p.signal === signal);
  if (before >= 0) task.pending.splice(before, 1);
  task.pending.unshift(pending);
}

/** A signal that has been delivered. */
export interface Delivered {
  readonly signal: number;
  /** The frame of the entered handler, and whether an interrupted syscall restarts behind the handler (SA_RESTART). */
  readonly handler?: { readonly frame: Addr; readonly restarts: boolean };
}

/** Delivers the pending signals that are not blocked, in order: may end the process, or set registers to enter handlers. */
export function deliver(kernel: Kernel, task: Task): Delivered[] {
  const delivered: Delivered[] = [];
  while (!kernel.ending) {
    const pending = take(kernel, task, ~blockable(task.mask));
    if (!pending) break;
    const { signal } = pending;
    const action = kernel.actions.get(signal) ?? DEFAULT_ACTION;
    if (ignores(action, signal)) continue;
    if (action.handler !== SIG_DFL) {
      const frame = enterHandler(kernel, task, action, pending);
      const restarts = (action.flags & FLAG.RESTART) !== 0n;
      delivered.push({ signal, ...(frame !== undefined && { handler: { frame, restarts } }) });
      continue;
    }
    delivered.push({ signal });
    if (SIGNALS_STOPPING_BY_DEFAULT.has(signal))
      kernel.ending = { kind: 'deadlock', what: `stopped by ${signalName(signal)}, nobody continues it` };
    else kernel.ending = { kind: 'signal', signal, address: pending.address };
  }
  return delivered;
}

/** @returns the frame's address; undefined if the stack had no room for the frame, which has ended the process */
function enterHandler(kernel: Kernel, task: Task, action: Action, pending: Pending): Addr | undefined {
  const { hart } = task;
  const sp = Number(hart.get(SP));
  const onStack = sp > task.altStack.address && sp - task.altStack.address <= task.altStack.size;
  const alternate = (action.flags & FLAG.ONSTACK) !== 0n && (task.altStack.flags & SS.DISABLE) === 0 && !onStack;
  const top = alternate ? task.altStack.address + task.altStack.size : sp;
  const frame = Math.floor((top - FRAME.SIZE) / 16) * 16;
  if (!kernel.memory.allows(frame, FRAME.SIZE, PERMISSION.WRITE)) {
    // No room for the frame: Linux kills with SIGSEGV (force_sigsegv).
    kernel.ending = { kind: 'signal', signal: SIG.SEGV, address: BigInt(frame) };
    return undefined;
  }
  task.restarts.delete(frame);
  writeFrame(kernel, task, frame, pending, onStack);
  const from = hart.pc;
  hart.set(RA, BigInt(kernel.trampoline));
  hart.set(SP, BigInt(frame));
  hart.set(A0, BigInt(pending.signal));
  hart.set(A0 + 1, BigInt(frame));
  hart.set(A0 + 2, BigInt(frame + FRAME.CONTEXT));
  hart.pc = action.handler;
  kernel.diverted(from, hart.pc);
  hart.reservation = -1n;
  task.mask |= blockable(action.mask);
  if ((action.flags & FLAG.NODEFER) === 0n) task.mask |= maskOf(pending.signal);
  task.mask = blockable(task.mask);
  if ((action.flags & FLAG.RESETHAND) !== 0n) kernel.actions.delete(pending.signal);
  return frame;
}

/** Writes a siginfo_t, all 128 bytes of it. */
export function putInfo(kernel: Kernel, at: Addr, { signal, code, address, info, timer }: Pending): void {
  const { guest } = kernel;
  const target = guest.output(at, FRAME.CONTEXT);
  if (info) target.set(info);
  else target.fill(0);
  guest.setU32(at + FRAME.SIGNO, signal);
  guest.setU32(at + FRAME.CODE, code);
  if (info) return;
  if (address !== undefined) guest.setU64(at + FRAME.ADDRESS, address);
  else if (timer) {
    guest.setU32(at + FRAME.PID, timer.id);
    guest.setU32(at + FRAME.UID, Number(timer.told));
    guest.setU64(at + FRAME.VALUE, timer.value);
  } else if (code !== CODE.KERNEL) {
    guest.setU32(at + FRAME.PID, kernel.pid);
    guest.setU32(at + FRAME.UID, kernel.uid);
  }
}

function writeFrame(kernel: Kernel, task: Task, frame: Addr, pending: Pending, onStack: boolean): void {
  const { guest, memory } = kernel;
  const { hart, altStack } = task;
  memory.bytes.fill(0, frame, frame + FRAME.SIZE);
  putInfo(kernel, frame, pending);
  guest.setU64(frame + FRAME.STACK, altStack.address);
  guest.setU32(frame + FRAME.STACK + 8, altStack.flags | (onStack ? SS.ONSTACK : 0));
  guest.setU64(frame + FRAME.STACK + 16, altStack.size);
  guest.setU64(frame + FRAME.MASK, task.savedMask ?? task.mask);
  task.savedMask = undefined;
  guest.setU64(frame + FRAME.PC, hart.pc);
  for (let reg = 1; reg < 32; reg++) guest.setU64(frame + FRAME.X1 + 8 * (reg - 1), hart.get(reg));
  for (let reg = 0; reg < 32; reg++) guest.setU64(frame + FRAME.F + 8 * reg, hart.get(F0 + reg));
  guest.setU32(frame + FRAME.FCSR, (hart.frm << 5) | hart.fflags);
}

/**
 * rt_sigreturn: restores registers, mask and alternate stack from the frame at sp. A bad frame kills with SIGSEGV, as Linux does.
 * @returns the interrupted syscall that is to be restarted
 */
export function returnFromHandler(kernel: Kernel, task: Task): Restart | undefined {
  const { guest } = kernel;
  const { hart } = task;
  const frame = Number(hart.get(SP));
  const from = hart.pc;
  try {
    const pc = guest.word(frame + FRAME.PC);
    if (pc >= kernel.memory.size) throw new GuestFault('fetch', pc);
    for (let reg = 1; reg < 32; reg++) hart.set(reg, guest.u64(frame + FRAME.X1 + 8 * (reg - 1)));
    for (let reg = 0; reg < 32; reg++) hart.set(F0 + reg, guest.u64(frame + FRAME.F + 8 * reg));
    const fcsr = guest.u32(frame + FRAME.FCSR);
    hart.fflags = fcsr & 31;
    hart.frm = (fcsr >> 5) & 7;
    hart.pc = pc;
    hart.reservation = -1n;
    task.mask = blockable(guest.u64(frame + FRAME.MASK));
    const flags = guest.i32(frame + FRAME.STACK + 8);
    task.altStack = {
      address: guest.word(frame + FRAME.STACK),
      size: guest.word(frame + FRAME.STACK + 16),
      flags: flags & SS.DISABLE,
    };
    kernel.diverted(from, hart.pc);
    const restart = task.restarts.get(frame);
    task.restarts.delete(frame);
    return restart;
  } catch (error) {
    if (!(error instanceof GuestFault)) throw error;
    force(kernel, task, { signal: SIG.SEGV, code: CODE.SEGV_MAPERR, address: BigInt(error.address) });
    return undefined;
  }
}

/** sigaltstack(2). */
export function setAlternateStack(kernel: Kernel, wanted: Addr, old: Addr): number {
  const { guest, task } = kernel;
  const sp = Number(task.hart.get(SP));
  const { address, size, flags } = task.altStack;
  const onStack = sp > address && sp - address <= size;
  const next =
    wanted === 0
      ? undefined
      : { address: guest.word(wanted), flags: guest.i32(wanted + 8), size: guest.word(wanted + 16) };
  if (old !== 0) {
    guest.setU64(old, address);
    guest.setU64(old + 8, flags | (onStack ? SS.ONSTACK : 0));
    guest.setU64(old + 16, size);
  }
  if (next) {
    if (onStack) fail(E.PERM);
    if ((next.flags & ~3) !== 0) fail(E.INVAL);
    if (next.flags & SS.DISABLE) task.altStack = { address: 0, size: 0, flags: SS.DISABLE };
    else {
      if (next.size < MIN_ALT_STACK) fail(E.NOMEM);
      task.altStack = { address: next.address, size: next.size, flags: 0 };
    }
  }
  return 0;
}
