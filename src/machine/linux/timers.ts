/** Timers: the interval timer, the guest's POSIX timers, and those of timerfd descriptors. */

export interface Timer {
  /** Time of the next expiry, in CLOCK_MONOTONIC nanoseconds; undefined: the timer is not set. */
  at: bigint | undefined;
  /** Nanoseconds from one expiry to the next; 0: only one expiry. */
  interval: bigint;
  /** The timer sends a signal, which reaches the running guest; other timers are seen by syscalls only. */
  readonly signals: boolean;
  /** Called at an expiry, with the number of expiries at once. */
  readonly expired: (times: bigint) => void;
}

export class Timers {
  readonly #all = new Set<Timer>();

  add(timer: Timer): void {
    this.#all.add(timer);
  }
  delete(timer: Timer): void {
    this.#all.delete(timer);
  }

  /** A cheap test for each syscall. */
  get none(): boolean {
    return this.#all.size === 0;
  }

  /** The timer that expires first, of those for which `counts` holds; of several at one time, the oldest. */
  next(counts: (timer: Timer) => boolean = () => true): (Timer & { at: bigint }) | undefined {
    let first: Timer | undefined;
    for (const timer of this.#all)
      if (timer.at !== undefined && counts(timer) && (first?.at === undefined || timer.at < first.at)) first = timer;
    return first as (Timer & { at: bigint }) | undefined;
  }

  /** Lets all due timers expire. Repeating timers are set to their next expiry, missed expiries counted. */
  fire(now: bigint): void {
    for (let timer = this.next(); timer && timer.at <= now; timer = this.next()) {
      const times = timer.interval > 0n ? 1n + (now - timer.at) / timer.interval : 1n;
      (timer as Timer).at = timer.interval > 0n ? timer.at + times * timer.interval : undefined;
      timer.expired(times);
    }
  }
}

/** Nanoseconds until a timer expires; 0 if the timer is not set, 1 if the timer is due but `fire` has not run yet. */
export const remaining = (timer: Timer | undefined, now: bigint): bigint =>
  timer?.at === undefined ? 0n : timer.at > now ? timer.at - now : 1n;
