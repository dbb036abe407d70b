/**
 * Waiting. Nothing happens in this machine but what the guest does itself and its alarm; so a wait either passes its time at once
 * on the deterministic clock, or is cut short by a signal, or would last for ever.
 */
import type { Addr } from '../../base/units.ts';
import { Blocked, E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { blockable, CODE, maskOf, SIG, send } from './signals.ts';

/** Raises SIGALRM if its time has come. */
export function fireAlarm(kernel: Kernel): void {
  const { alarm, clock, task } = kernel;
  if (!alarm || clock.monotonic < alarm.at) return;
  kernel.alarm = alarm.interval > 0n ? { at: clock.monotonic + alarm.interval, interval: alarm.interval } : undefined;
  send(kernel, task, { signal: SIG.ALRM, code: CODE.KERNEL });
}

const arrived = (kernel: Kernel): boolean =>
  kernel.task.pending.some((p) => (blockable(kernel.task.mask) & maskOf(p.signal)) === 0n);

/**
 * Lets time pass. @param time nanoseconds; undefined: until a signal comes
 * @param what it waits for, for the message when that can never come
 * @returns nanoseconds left when a signal cut it short, else undefined
 */
export function wait(kernel: Kernel, time: bigint | undefined, what: string): bigint | undefined {
  const { clock } = kernel;
  if (arrived(kernel)) return time ?? 0n;
  let left = time;
  const until = kernel.alarm ? kernel.alarm.at - clock.monotonic : undefined;
  if (until !== undefined && (left === undefined || until <= left)) {
    const passing = until > 0n ? until : 0n;
    clock.sleep(passing);
    if (left !== undefined) left -= passing;
    fireAlarm(kernel);
    if (arrived(kernel)) return left ?? 0n;
    // Blocked or ignored: so will be the next ones of this wait.
  }
  if (left === undefined) throw new Blocked(what);
  if (left > 0n) clock.sleep(left);
  return undefined;
}

/**
 * Runs `body` with another signal mask, if one is given (ppoll, pselect, sigsuspend). If a signal is about to be delivered
 * then, its handler runs under that mask and the old one comes back with the handler's return.
 * @param set address of the mask, or 0
 */
export function withMask<T>(kernel: Kernel, set: Addr, size: number, body: () => T): T {
  if (set === 0) return body();
  if (size !== 8) fail(E.INVAL);
  const { task } = kernel;
  const old = task.mask;
  task.mask = blockable(kernel.guest.u64(set));
  try {
    return body();
  } finally {
    if (arrived(kernel)) task.savedMask = old;
    else task.mask = old;
  }
}
