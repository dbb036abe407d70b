/**
 * The extensions that optimized code needs of a machine (assumption A9). On each compared path the original has run instructions of some
 * extensions, so the machine has these; the machine also has the parts of RV64GC that the original's header and code ask for. Extensions
 * that the optimized path needs beyond these are named. An extension that the original uses only on other paths does not count: such
 * code may be there for machines that have the extension.
 */
import { type ExtensionSet, extensionNames } from '../../isa/extensions.ts';

export class Machine {
  /** More may be asked of the machine than the original asks (A9). */
  readonly #more: boolean;
  readonly #has: ExtensionSet;
  #needed: ExtensionSet = 0n;

  constructor(has: ExtensionSet, more: boolean) {
    this.#has = has;
    this.#more = more;
  }

  /**
   * @param was extensions that the original's path needs; `is`: those of the optimized path
   * @returns whether more is needed; the names of the extensions if more may not be asked
   */
  asks(was: ExtensionSet, is: ExtensionSet): boolean | readonly string[] {
    const beyond = is & ~was & ~this.#has;
    if (beyond === 0n) return false;
    if (!this.#more) return extensionNames(beyond);
    this.#needed |= beyond;
    return true;
  }

  /** Names of the extensions needed beyond the original. */
  get needed(): string[] {
    return extensionNames(this.#needed);
  }
}
