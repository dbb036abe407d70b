/**
 * What a machine must have for optimized code (assumption A9). On each way that is compared, the original has run instructions of some extensions, so
 * the machine has these; and it has what of RV64GC the original's header and code ask for. What the optimized way needs beyond that is named. An
 * extension that the original has elsewhere only does not count: it may be there for machines that have it.
 */
import { type ExtensionSet, extensionNames } from '../../isa/extensions.ts';

export class Machine {
  /** More may be asked of it than the original does (A9). */
  readonly #more: boolean;
  readonly #has: ExtensionSet;
  #needed: ExtensionSet = 0n;

  constructor(has: ExtensionSet, more: boolean) {
    this.#has = has;
    this.#more = more;
  }

  /**
   * @param was what the original's way needs, `is` what the optimized one does
   * @returns whether more is needed; a text if it may not be
   */
  asks(was: ExtensionSet, is: ExtensionSet): boolean | readonly string[] {
    const beyond = is & ~was & ~this.#has;
    if (beyond === 0n) return false;
    if (!this.#more) return extensionNames(beyond);
    this.#needed |= beyond;
    return true;
  }

  /** Names of what was needed beyond the original. */
  get needed(): string[] {
    return extensionNames(this.#needed);
  }
}
