/**
 * Waiting. Nothing happens in this machine but what the guest does itself and its timers; so a wait either passes its time at once
 * on the deterministic clock, or is cut short by what a timer brings, or would last for ever.
 */
import type { Addr } from '../../base/units.ts';
import { type Blocked, Deadlock, E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { blockable, pendingSet } from './signals.ts';
import type { Timer } from './timers.ts';

const arrived = (kernel: Kernel): boolean => (pendingSet(kernel, kernel.task) & ~blockable(kernel.task.mask)) !== 0n;

/** How a wait has ended: what was waited for is there, its time has passed, or a signal came when so many nanoseconds were left. */
export type Waited = { readonly kind: 'ready' | 'passed' } | { readonly kind: 'signal'; readonly left: bigint };

/**
 * Lets time pass. @param time nanoseconds; undefined: as long as it takes
 * @param what what it waits for: may be there already, or a timer may bring it. Throws Deadlock where nothing ever will.
 */
export function wait(kernel: Kernel, time: bigint | undefined, { what, ready }: Blocked): Waited {
  const { clock, timers } = kernel;
  let left = time;
  // A timer that has expired once in this wait and ended it neither by a signal nor otherwise will not the next time.
  const passed = new Set<Timer>();
  for (;;) {
    if (ready()) return { kind: 'ready' };
    if (arrived(kernel)) return { kind: 'signal', left: left ?? 0n };
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

/** The time-out of a call that waits: 0 when its time has passed. Fails with EINTR. */
export function waitFor(kernel: Kernel, time: bigint | undefined, blocked: Blocked, result: () => number): number {
  const { kind } = wait(kernel, time, blocked);
  return kind === 'ready' ? result() : kind === 'passed' ? 0 : fail(E.INTR);
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
