/** What comes at a time of its own: the interval timer, the guest's POSIX timers, and descriptors that tell the time. */

export interface Timer {
  /** When it expires next, in CLOCK_MONOTONIC nanoseconds; undefined: it is not set. */
  at: bigint | undefined;
  /** Nanoseconds from one time to the next; 0: once only. */
  interval: bigint;
  /** A signal comes of it, so it reaches the guest while it runs; else it is seen only when it is asked for. */
  readonly signals: boolean;
  /** It has expired, so many times at once. */
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

  /** Each system call asks. */
  get none(): boolean {
    return this.#all.size === 0;
  }

  /** The one that expires first, of those that count; of several at one time, the one that was made first. */
  next(counts: (timer: Timer) => boolean = () => true): (Timer & { at: bigint }) | undefined {
    let first: Timer | undefined;
    for (const timer of this.#all)
      if (timer.at !== undefined && counts(timer) && (first?.at === undefined || timer.at < first.at)) first = timer;
    return first as (Timer & { at: bigint }) | undefined;
  }

  /** Lets all expire whose time has come. Those that repeat go on at their next time, missed ones counted. */
  fire(now: bigint): void {
    for (let timer = this.next(); timer && timer.at <= now; timer = this.next()) {
      const times = timer.interval > 0n ? 1n + (now - timer.at) / timer.interval : 1n;
      (timer as Timer).at = timer.interval > 0n ? timer.at + times * timer.interval : undefined;
      timer.expired(times);
    }
  }
}

/** Nanoseconds until it expires; 0 where it is not set. One whose time has come but that nobody has let expire is just about to. */
export const remaining = (timer: Timer | undefined, now: bigint): bigint =>
  timer?.at === undefined ? 0n : timer.at > now ? timer.at - now : 1n;
