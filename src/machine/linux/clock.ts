/**
 * Deterministic time and randomness. Time passes with every syscall, with retired instructions, and when the guest sleeps; never
 * with the host's clock. Two forms of one binary retire different numbers of instructions: comparing them takes a
 * `steady` clock. Its instructions take no readable time and only bring an alarm nearer: a guest that spins until its alarm gets the
 * alarm, and the clock then shows exactly the time that the alarm was set to, in both forms.
 */

/** All in nanoseconds. */
export interface ClockOptions {
  /** Wall-clock time at the start, since the epoch. */
  readonly start?: bigint;
  readonly perCall?: number;
  readonly perInstruction?: number;
  readonly steady?: boolean;
}

/** 2024-01-01T00:00:00Z. */
const START = 1_704_067_200n * 1_000_000_000n;
/** Uptime of the machine at the start of the guest. */
const UPTIME = 1000n * 1_000_000_000n;
/** Nanoseconds of a tick of the time CSR. */
const TICK = 100n;
const KTIME_MAX = 2n ** 63n - 1n;

export class Clock {
  readonly #start: bigint;
  readonly #perCall: bigint;
  readonly #perInstruction: number;
  readonly #steady: boolean;
  /** Time passed in syscalls and sleep. */
  #passed = 0n;
  #instructions = 0;
  /** Steady clock: instructions retired at the last syscall, fault or alarm. */
  #since = 0;

  constructor(options: ClockOptions = {}) {
    this.#start = options.start ?? START;
    this.#perCall = BigInt(options.perCall ?? 1000);
    this.#perInstruction = options.perInstruction ?? 1;
    this.#steady = options.steady ?? false;
  }

  /** Counts a syscall or fault, with so many instructions retired since the start. */
  tick(retired: number): void {
    this.#passed += this.#perCall;
    this.#since = retired;
    this.passed(retired);
  }
  /** Sets the number of instructions retired since the start. */
  passed(retired: number): void {
    this.#instructions = retired;
  }
  /** Has a time of CLOCK_MONOTONIC (nanoseconds) come? A steady clock, too, counts instructions since the last event here. */
  reached(time: bigint): boolean {
    return this.monotonic + (this.#steady ? this.#taken(this.#instructions - this.#since) : 0n) >= time;
  }
  /** Moves the clock to a time that has been reached. */
  advance(time: bigint): void {
    this.#since = this.#instructions;
    if (this.monotonic < time) this.sleep(time - this.monotonic);
  }
  sleep(nanoseconds: bigint): void {
    this.#passed += nanoseconds;
  }
  /** Nanoseconds that a syscall takes. */
  get perCall(): bigint {
    return this.#perCall;
  }
  /** Is so long a sleep beyond what Linux counts (ktime_t: 292 years)? */
  neverPasses(nanoseconds: bigint): boolean {
    return this.realtime + nanoseconds >= KTIME_MAX;
  }
  /**
   * Reads the time CSR: CLOCK_MONOTONIC at 10 MHz, at a number of retired instructions. On a steady clock a read takes a tick, so that a
   * guest that spins until a time gets there.
   */
  ticks(retired: number): bigint {
    if (this.#steady) this.#passed += TICK;
    return (UPTIME + this.#passed + (this.#steady ? 0n : this.#taken(retired))) / TICK;
  }
  /** Nanoseconds since the guest started. */
  get elapsed(): bigint {
    return this.#passed + (this.#steady ? 0n : this.#taken(this.#instructions));
  }
  /** Nanoseconds since the machine was booted: CLOCK_MONOTONIC. */
  get monotonic(): bigint {
    return UPTIME + this.elapsed;
  }
  /** Nanoseconds since the epoch: CLOCK_REALTIME. */
  get realtime(): bigint {
    return this.#start + this.elapsed;
  }

  #taken(instructions: number): bigint {
    return BigInt(Math.floor(instructions * this.#perInstruction));
  }
}

/** SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). Not for secrets. */
export function makeRandom(seed: bigint): (target: Uint8Array) => void {
  let state = seed;
  return (target) => {
    for (let at = 0; at < target.length; at += 8) {
      state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
      let word = state;
      word = BigInt.asUintN(64, (word ^ (word >> 30n)) * 0xbf58476d1ce4e5b9n);
      word = BigInt.asUintN(64, (word ^ (word >> 27n)) * 0x94d049bb133111ebn);
      word ^= word >> 31n;
      for (let i = 0; i < 8 && at + i < target.length; i++) target[at + i] = Number((word >> BigInt(8 * i)) & 255n);
    }
  };
}
