/**
 * The translated code that this run begins with and the code that it leaves. Modules of an earlier run are pending until the code of their
 * regions is in the guest's memory: a program may load code late.
 */
import { alignDown } from '../../base/bits.ts';
import { type Addr, PAGE } from '../../base/units.ts';
import { isThere, keep, restorePlaces, revived } from './keep.ts';
import type { Kept, KeptModule } from './kept.ts';
import type { Modules } from './modules.ts';
import type { Parts } from './parts.ts';
import type { Policy } from './policy.ts';

/** Regions made in a run are worth keeping if they are more than this share of those that the run began with. */
const WORTHWHILE_SHARE = 1 / 20;

export class KeptCode {
  readonly #parts: Parts;
  readonly #policy: Policy;
  readonly #modules: Modules;
  /** First free address of the host area when the translator was made. */
  readonly #from: number;
  #pending: readonly KeptModule[] = [];
  /** Pages in which code has been decoded while modules are pending: the code of these may be there now. */
  readonly #pages = new Set<Addr>();

  /** @param kept code of an earlier run, whose places and knowledge are restored if they fit */
  constructor(parts: Parts, policy: Policy, modules: Modules, kept?: Kept) {
    this.#parts = parts;
    this.#policy = policy;
    this.#modules = modules;
    this.#from = parts.memory.hostNext;
    if (kept === undefined || !restorePlaces(kept, parts)) return;
    this.#pending = kept.modules;
    parts.destinations.restore(kept.functions, kept.targets);
    policy.restoreRenewals(kept.renewals);
  }

  /** Code has been decoded at an address. @returns the number of regions taken */
  look(pc: Addr): number {
    const page = alignDown(pc, PAGE);
    if (this.#pending.length === 0 || !this.#modules.ready || this.#pages.has(page)) return 0;
    this.#pages.add(page);
    return this.take();
  }
  /** Takes the pending modules whose guest code is in memory, unchanged. @returns the number of regions taken */
  take(): number {
    const { memory, regions } = this.#parts;
    let taken = 0;
    this.#pending = this.#pending.filter((kept) => {
      if (!isThere(kept, memory)) return true;
      if (this.#policy.full || kept.regions.some(({ head }) => regions.at(head) !== undefined)) return false;
      const module = this.#modules.compileKept(kept);
      if (module === undefined) return false;
      this.#modules.enter(kept.regions.map((region) => revived(region, module, this.#parts)));
      taken += kept.regions.length;
      return false;
    });
    return taken;
  }

  /**
   * The translated code for the next run of this program to begin with; undefined if it is hardly more than this run began with.
   * @param made number of regions made in this run
   * @param taken number of regions taken from an earlier run
   */
  keep(made: number, taken: number): Kept | undefined {
    if (made <= taken * WORTHWHILE_SHARE) return undefined;
    return keep(this.#parts, this.#from, this.#policy.renewals);
  }

  /** All records are about to be freed, and with them the places of pending modules. */
  forgetAll(): void {
    this.#pending = [];
    this.#pages.clear();
  }
}
