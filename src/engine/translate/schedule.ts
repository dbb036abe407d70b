/**
 * When hot code is translated. Every module has a fixed cost, so regions are made several at a time; but not much later than they get hot.
 */
import type { Addr, InsnCount } from '../../base/units.ts';
import type { TranslateOptions } from './policy.ts';

/** Instructions in a stay in generated code: while heads wait to be translated (they wait about as long), and else. */
const PATIENCE: InsnCount = 2 ** 19;
const LONG_STAY_INSNS: InsnCount = 2 ** 25;

export class Schedule {
  readonly #options: Pick<TranslateOptions, 'pace' | 'batch'>;
  /** Heads to translate next. */
  readonly #waiting: Addr[] = [];
  /** The translator's clock, in instructions run, and the time on it when the waiting heads have waited long enough. */
  #clock: InsnCount = 0;
  #late: InsnCount = 0;

  constructor(options: Pick<TranslateOptions, 'pace' | 'batch'>) {
    this.#options = options;
  }

  get clock(): InsnCount {
    return this.#clock;
  }
  ran(insns: InsnCount): void {
    this.#clock += insns;
  }
  /**
   * Instructions that the next stay in generated code may run. After each stay the interpreter goes on, up to the next address where a
   * region is entered, which may be far.
   */
  get slice(): InsnCount {
    return this.#waiting.length > 0 ? PATIENCE : LONG_STAY_INSNS;
  }

  /** Has heads translated soon. */
  add(...heads: Addr[]): void {
    if (this.#waiting.length === 0) this.#late = this.#clock + PATIENCE;
    this.#waiting.push(...heads);
  }
  /** Is it time to translate? @param translated number of instructions translated so far */
  isDue(translated: InsnCount): boolean {
    const { length } = this.#waiting;
    if (translated * this.#options.pace > this.#clock) return false;
    return length >= this.#options.batch || (length > 0 && this.#clock >= this.#late);
  }
  /** Takes the heads that wait. */
  take(): Addr[] {
    return this.#waiting.splice(0);
  }
}
