/**
 * Signals: who gets them, what happens by default, and the frame that Linux puts on the guest's stack for a handler
 * (arch/riscv/kernel/signal.c, uapi/asm/{ucontext,sigcontext,ptrace}.h).
 */
import { A0, type Addr, F0, RA, SP } from '../../base/units.ts';
import { GuestFault, PERMISSION } from '../memory.ts';
import { E, fail } from './errno.ts';
import type { Action, Kernel, Pending, Task } from './kernel.ts';

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
  TKILL: -6,
  KERNEL: 128,
  ILL_ILLOPC: 1,
  TRAP_BRKPT: 1,
  BUS_ADRALN: 1,
  SEGV_MAPERR: 1,
  SEGV_ACCERR: 2,
} as const;

const SIG_DFL = 0;
const SIG_IGN = 1;
const FLAG = { SIGINFO: 4n, ONSTACK: 0x08000000n, NODEFER: 0x40000000n, RESETHAND: 0x80000000n } as const;
const IGNORED_BY_DEFAULT: ReadonlySet<number> = new Set([SIG.CHLD, SIG.CONT, SIG.URG, SIG.WINCH]);
const STOPS_BY_DEFAULT: ReadonlySet<number> = new Set([SIG.STOP, SIG.TSTP, SIG.TTIN, SIG.TTOU]);
const DEFAULT: Action = { handler: SIG_DFL, flags: 0n, mask: 0n };

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

/** Makes a signal pending for a task. A standard signal that is pending already is merged with it. */
export function send(kernel: Kernel, task: Task, pending: Pending): void {
  const { signal } = pending;
  const { handler } = kernel.actions.get(signal) ?? DEFAULT;
  const ignored = handler === SIG_IGN || (handler === SIG_DFL && IGNORED_BY_DEFAULT.has(signal));
  if (ignored && (task.mask & maskOf(signal)) === 0n) return;
  if (signal < 32 && task.pending.some((p) => p.signal === signal)) return;
  task.pending.push(pending);
}

/** A fault's signal: it cannot be blocked or ignored (force_sig_fault); if it is, it terminates. */
export function force(kernel: Kernel, task: Task, pending: Pending): void {
  const { signal } = pending;
  const action = kernel.actions.get(signal) ?? DEFAULT;
  if ((task.mask & maskOf(signal)) !== 0n || action.handler === SIG_IGN) {
    kernel.actions.delete(signal);
    task.mask &= ~maskOf(signal);
  }
  task.pending = task.pending.filter((p) => p.signal !== signal);
  task.pending.unshift(pending);
}

/** Delivers what is pending and not blocked: may end the process, or set registers to enter handlers. @returns a handler was entered */
export function deliver(kernel: Kernel, task: Task): boolean {
  let entered = false;
  while (task.pending.length > 0 && !kernel.ending) {
    const index = task.pending.findIndex((p) => (blockable(task.mask) & maskOf(p.signal)) === 0n);
    if (index < 0) break;
    const [pending] = task.pending.splice(index, 1);
    const { signal } = pending;
    const action = kernel.actions.get(signal) ?? DEFAULT;
    if (action.handler === SIG_IGN) continue;
    if (action.handler === SIG_DFL) {
      if (IGNORED_BY_DEFAULT.has(signal)) continue;
      if (STOPS_BY_DEFAULT.has(signal))
        kernel.ending = { kind: 'deadlock', what: `stopped by ${signalName(signal)}, nobody continues it` };
      else kernel.ending = { kind: 'signal', signal, address: pending.address };
      break;
    }
    if (!enterHandler(kernel, task, action, pending)) break;
    entered = true;
  }
  return entered;
}

function enterHandler(kernel: Kernel, task: Task, action: Action, pending: Pending): boolean {
  const { hart } = task;
  const sp = Number(hart.get(SP));
  const onStack = sp > task.altStack.address && sp - task.altStack.address <= task.altStack.size;
  const alternate = (action.flags & FLAG.ONSTACK) !== 0n && (task.altStack.flags & SS.DISABLE) === 0 && !onStack;
  const top = alternate ? task.altStack.address + task.altStack.size : sp;
  const frame = Math.floor((top - FRAME.SIZE) / 16) * 16;
  if (!kernel.memory.allows(frame, FRAME.SIZE, PERMISSION.WRITE)) {
    // No room for the frame: Linux kills with SIGSEGV (force_sigsegv).
    kernel.ending = { kind: 'signal', signal: SIG.SEGV, address: BigInt(frame) };
    return false;
  }
  writeFrame(kernel, task, frame, pending, onStack);
  kernel.diverted(hart.pc, action.handler);
  hart.set(RA, BigInt(kernel.trampoline));
  hart.set(SP, BigInt(frame));
  hart.set(A0, BigInt(pending.signal));
  hart.set(A0 + 1, BigInt(frame));
  hart.set(A0 + 2, BigInt(frame + FRAME.CONTEXT));
  hart.pc = action.handler;
  hart.reservation = -1n;
  task.mask |= blockable(action.mask);
  if ((action.flags & FLAG.NODEFER) === 0n) task.mask |= maskOf(pending.signal);
  task.mask = blockable(task.mask);
  if ((action.flags & FLAG.RESETHAND) !== 0n) kernel.actions.delete(pending.signal);
  return true;
}

function writeFrame(kernel: Kernel, task: Task, frame: Addr, pending: Pending, onStack: boolean): void {
  const { guest, memory } = kernel;
  const { hart, altStack } = task;
  memory.bytes.fill(0, frame, frame + FRAME.SIZE);
  guest.setU32(frame + FRAME.SIGNO, pending.signal);
  guest.setU32(frame + FRAME.CODE, pending.code);
  if (pending.address !== undefined) guest.setU64(frame + FRAME.ADDRESS, pending.address);
  else if (pending.code !== CODE.KERNEL) {
    guest.setU32(frame + FRAME.PID, kernel.pid);
    guest.setU32(frame + FRAME.UID, kernel.uid);
    if (pending.value !== undefined) guest.setU64(frame + FRAME.VALUE, pending.value);
  }
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

/** rt_sigreturn: puts back what the frame at sp says. A bad frame kills with SIGSEGV, as Linux does. */
export function returnFromHandler(kernel: Kernel, task: Task): void {
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
    kernel.diverted(from, pc);
  } catch (error) {
    if (!(error instanceof GuestFault)) throw error;
    force(kernel, task, { signal: SIG.SEGV, code: CODE.SEGV_MAPERR, address: BigInt(error.address) });
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
