/** The length of stays in generated code under a time limit: a stay is to take some milliseconds, whatever the guest does. */
import type { InsnCount } from '../base/units.ts';

/** Bounds of a stay's instructions, and the milliseconds of a stay that is too long. */
const PACE = { LEAST: 2 ** 10, FIRST: 2 ** 16, MOST: 2 ** 22, LONG: 20 } as const;

export class Pace {
  #insns: InsnCount = PACE.FIRST;
  /** Instructions and milliseconds of the stays that were timed since the pace was last adapted. */
  #ran: InsnCount = 0;
  #took = 0;
  /** Did the last stay run all that it was allowed? The next stay is timed then: a guest that makes many syscalls is not. */
  #spent = false;

  /** Instructions that the next stay may run. */
  get insns(): InsnCount {
    return this.#insns;
  }
  /** Called before a stay under a time limit. @returns the time, if the stay is timed */
  begin(): number | undefined {
    return this.#spent ? performance.now() : undefined;
  }
  /**
   * Called after each stay.
   * @param spent did the stay run all that it was allowed?
   * @param began the result of `begin`, if that was called
   */
  end(ran: InsnCount, spent: boolean, began: number | undefined): void {
    this.#spent = spent;
    if (began !== undefined && spent) this.#adapt(ran, performance.now() - began);
  }
  /** Adapts the pace to the time that stays take: instructions that the host does for the guest take a thousand times as long as others. */
  #adapt(ran: InsnCount, milliseconds: number): void {
    this.#ran += ran;
    this.#took += milliseconds;
    // Few instructions at the end of a budget tell little.
    if (this.#ran < this.#insns / 2) return;
    const took = (this.#took * this.#insns) / this.#ran;
    this.#took = 0;
    this.#ran = 0;
    if (took > PACE.LONG) this.#insns = Math.max(PACE.LEAST, Math.floor((this.#insns * PACE.LONG) / took));
    else if (took < PACE.LONG / 4) this.#insns = Math.min(PACE.MOST, this.#insns * 2);
  }
}
