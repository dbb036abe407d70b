/**
 * Waiting. Only the guest itself and its timers cause events in this machine; so a wait either passes its time at once on the
 * deterministic clock, or is cut short by a timer's event, or would last for ever.
 */
import type { Addr } from '../../base/units.ts';
import { PERMISSION } from '../memory.ts';
import { type Blocked, Deadlock, E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { blockable, dropIgnored, pendingSet } from './signals.ts';
import type { Timer } from './timers.ts';

const arrived = (kernel: Kernel): boolean => (pendingSet(kernel, kernel.task) & ~blockable(kernel.task.mask)) !== 0n;

/** How a wait has ended: the awaited event is there, the time has passed, or a signal came with so many nanoseconds left. */
export type Waited = { readonly kind: 'ready' | 'passed' } | { readonly kind: 'signal'; readonly left: bigint };

/**
 * Lets time pass up to the awaited event, which may be there already or come by a timer. Throws Deadlock if an unlimited
 * wait can never end.
 * @param time limit in nanoseconds; undefined: no limit
 */
export function wait(kernel: Kernel, time: bigint | undefined, { what, ready }: Blocked): Waited {
  const { clock, timers } = kernel;
  let left = time === undefined || clock.neverPasses(time) ? undefined : time;
  // A timer whose first expiry ends the wait neither by a signal nor by the event will not end the wait by later expiries.
  const passed = new Set<Timer>();
  for (;;) {
    if (ready()) return { kind: 'ready' };
    if (arrived(kernel)) return { kind: 'signal', left: left ?? time ?? 0n };
    const timer = timers.next((each) => !passed.has(each));
    const until = timer && timer.at > clock.monotonic ? timer.at - clock.monotonic : 0n;
    if (timer === undefined || (left !== undefined && until > left)) break;
    passed.add(timer);
    clock.sleep(until);
    if (left !== undefined) left -= until;
    timers.fire(clock.monotonic);
  }
  if (left === undefined) throw new Deadlock(what);
  if (left > 0n) clock.sleep(left);
  timers.fire(clock.monotonic);
  return { kind: 'passed' };
}

/** Waits in a call with a time-out: gives `result`, or 0 when the time has passed. Fails with EINTR. */
export function waitFor(kernel: Kernel, time: bigint | undefined, blocked: Blocked, result: () => number): number {
  const { kind } = wait(kernel, time, blocked);
  return kind === 'ready' ? result() : kind === 'passed' ? 0 : fail(E.INTR);
}

/**
 * The same for calls whose limit is a struct timespec that gets the time left, also in an error (fs/select.c, poll_select_finish). The
 * call's own time counts, so that a guest that goes on until no time is left comes to an end.
 * @param at address of the limit, or 0
 * @param limit the limit as read from there
 */
export function waitAndTellLeft(
  kernel: Kernel,
  at: Addr,
  limit: bigint | undefined,
  blocked: Blocked,
  result: () => number,
): number {
  const { clock, guest, memory } = kernel;
  const end = clock.monotonic - clock.perCall + (limit ?? 0n);
  try {
    return waitFor(kernel, limit, blocked, result);
  } finally {
    const left = end > clock.monotonic ? end - clock.monotonic : 0n;
    // A limit in read-only memory stays as it is.
    if (limit && memory.allows(at, 16, PERMISSION.WRITE)) guest.setTimespec(at, left);
  }
}

/**
 * Runs `body` with another signal mask, if one is given (ppoll, pselect, sigsuspend). If a signal is about to be delivered
 * then, its handler runs under that mask, and the handler's return restores the old mask.
 * @param set address of the mask, or 0
 */
export function withMask<T>(kernel: Kernel, set: Addr, size: number, body: () => T): T {
  if (set === 0) return body();
  if (size !== 8) fail(E.INVAL);
  const { task } = kernel;
  const old = task.mask;
  task.mask = blockable(kernel.guest.u64(set));
  dropIgnored(kernel);
  try {
    return body();
  } finally {
    if (arrived(kernel)) task.savedMask = old;
    else task.mask = old;
  }
}
