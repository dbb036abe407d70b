/**
 * The extensions that optimized code needs of a machine (assumption A9). On each compared path the original has run instructions of some
 * extensions, so the machine has these; the machine also has the parts of RV64GC that the original's header and code ask for. Extensions
 * that the optimized path needs beyond these are named. An extension that the original uses only on other paths does not count: such
 * code may be there for machines that have the extension.
 *
 * A program may also find out by a signal (SIGILL) that the machine lacks an extension beyond RV64GC: on a path on which the original
 * needs one that is not declared, the optimized code needs it too. (Attributes of an image declare what it was built for.)
 */
import { type ExtensionSet, extensionNames, RV64GC } from '../../isa/extensions.ts';

export class Machine {
  /** More may be asked of the machine than the original asks (A9). */
  readonly #more: boolean;
  readonly #has: ExtensionSet;
  readonly #declared: ExtensionSet;
  #needed: ExtensionSet = 0n;

  /**
   * @param has extensions of every machine that runs the original; `declared`: those beyond RV64GC that it was built for
   */
  constructor(has: ExtensionSet, declared: ExtensionSet, more: boolean) {
    this.#has = has;
    this.#declared = declared;
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

  /** Names of the extensions that the original's path needs and the optimized one does not, though the machine may lack them. */
  leavesOut(was: ExtensionSet, is: ExtensionSet): readonly string[] {
    return extensionNames(was & ~is & ~RV64GC & ~this.#declared);
  }

  /** Names of the extensions needed beyond the original. */
  get needed(): string[] {
    return extensionNames(this.#needed);
  }
}
