/**
 * Deterministic time and randomness. Time passes with every syscall, with retired instructions, and when the guest sleeps; never
 * with the host's clock. To compare two forms of one binary, which retire different numbers of instructions, let instructions
 * take no time (`perInstruction: 0`).
 */

/** All in nanoseconds. */
export interface ClockOptions {
  /** Wall-clock time at the start, since the epoch. */
  readonly start?: bigint;
  readonly perCall?: number;
  readonly perInstruction?: number;
}

/** 2024-01-01T00:00:00Z. */
const START = 1_704_067_200n * 1_000_000_000n;
/** How long the machine has been up when the guest starts. */
const UPTIME = 1000n * 1_000_000_000n;

export class Clock {
  readonly #start: bigint;
  readonly #perCall: bigint;
  readonly #perInstruction: number;
  /** Time passed in syscalls and sleep. */
  #passed = 0n;
  #instructions = 0;

  constructor(options: ClockOptions = {}) {
    this.#start = options.start ?? START;
    this.#perCall = BigInt(options.perCall ?? 1000);
    this.#perInstruction = options.perInstruction ?? 1;
  }

  /** A syscall has begun, with so many instructions retired since the start. */
  tick(retired: number): void {
    this.#passed += this.#perCall;
    this.#instructions = retired;
  }
  /** So many instructions have retired since the start. */
  passed(retired: number): void {
    this.#instructions = retired;
  }
  sleep(nanoseconds: bigint): void {
    this.#passed += nanoseconds;
  }
  /** Nanoseconds since the guest started. */
  get elapsed(): bigint {
    return this.#passed + BigInt(Math.floor(this.#instructions * this.#perInstruction));
  }
  /** Nanoseconds since the machine was booted: CLOCK_MONOTONIC. */
  get monotonic(): bigint {
    return UPTIME + this.elapsed;
  }
  /** Nanoseconds since the epoch: CLOCK_REALTIME. */
  get realtime(): bigint {
    return this.#start + this.elapsed;
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
