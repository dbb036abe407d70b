/** Which code is translated: whether a head is worth it, which code its region has, and which regions are made again. */
import type { Addr, InsnCount } from '../../base/units.ts';
import { type Flow, flowOf } from './flow.ts';
import type { Hotness } from './hotness.ts';
import type { Parts } from './parts.ts';
import { formRegion, type Knowledge, MOST_INSNS, measureRegion, type Region } from './region.ts';

export interface TranslateOptions {
  /** Visits of the interpreter to a function or a loop before the code is translated; other code needs more visits. */
  readonly threshold: number;
  /** Visits that a region needs for each of its instructions, if these are more in all; and if another region has the head already. */
  readonly perInsn: number;
  readonly perInsnAgain: number;
  /** Instructions that must have run for each translated one before more are translated: bounds the cost of translating in a short run. */
  readonly pace: number;
  /** Number of regions to translate at a time, if so many get hot at about the same time. */
  readonly batch: number;
  /** Count transfers in translated code. */
  readonly counting: boolean;
  /** Most regions in place, and most instructions in them: bounds memory and compile time. Code that gets hot after that is interpreted. */
  readonly mostRegions: number;
  readonly mostInsns: number;
}

/** Branches of a usual visit to a region. A visit that goes through more, because the region has loops, is worth several. */
const VISIT_BRANCHES = 8;
/** A region is made again if it leads to hot code that it lacks, but not before so many instructions have run for each of its own. */
const RENEWAL_AGE_PER_INSN = 2000;
/** Factor by which this number grows with each renewal of a region, and the most renewals. */
const RENEWAL_AGE_GROWTH = 4;
const MOST_RENEWALS = 3;
/** Regions stop where others begin, so that code is translated once; but regions of functions take in regions smaller than this. */
const LARGE_REGION_INSNS = 300;
/**
 * A way of a branch or an indirect jump that has run less often than this share of the threshold is left to the interpreter: otherwise a
 * fifth of all code would be translated for nothing.
 */
const COLD_SHARE = 1 / 400;

const sizeOf = ({ blocks }: Region): number => blocks.reduce((sum, { insns }) => sum + insns.length, 0);
const has = ({ blocks }: Region, pc: Addr): boolean => blocks.some(({ insns }) => insns.some((at) => at.pc === pc));

export class Policy {
  readonly #parts: Parts;
  readonly #options: TranslateOptions;
  readonly #hotness: Hotness;
  /** Addresses that have been hot once; when they are hot again they are translated. */
  readonly #once = new Set<Addr>();
  /** Number of times that a region has been made again, by head. */
  readonly #renewals = new Map<Addr, number>();

  constructor(parts: Parts, options: TranslateOptions, hotness: Hotness) {
    this.#parts = parts;
    this.#options = options;
    this.#hotness = hotness;
  }

  /** Are there as many regions as may be? */
  get full(): boolean {
    const { count, insns } = this.#parts.regions;
    return count >= this.#options.mostRegions || insns >= this.#options.mostInsns;
  }

  /**
   * Visits of the interpreter that are still to come until the region has run as long as translating it takes. An address that another
   * region has already waits longer.
   */
  lacking(pc: Addr): number {
    if (this.#once.has(pc)) return 0;
    this.#once.add(pc);
    const { insns, regions, counters } = this.#parts;
    const { threshold, perInsn, perInsnAgain } = this.#options;
    const { size, branches } = measureRegion(insns, pc, this.#knowledge(pc, new Map()));
    const { seen } = counters;
    const ran = branches.reduce((sum, { record }) => sum + seen(record, true) + seen(record, false), 0);
    const weight = Math.max(1, ran / (threshold * VISIT_BRANCHES));
    return Math.ceil((size * (regions.holds(pc) ? perInsnAgain : perInsn)) / weight) - threshold;
  }

  /** Forms regions at hot heads, by head. A head that has come into an earlier region is counted again instead. */
  form(heads: readonly Addr[]): Map<Addr, Flow> {
    const { insns, regions, destinations } = this.#parts;
    const flows = new Map<Addr, Flow>();
    const sizes = new Map<Addr, InsnCount>();
    // Regions made again come first, then functions: the regions after them stop at their heads.
    const rank = (pc: Addr) => (destinations.isFunction(pc) ? 1 : this.#renewals.has(pc) ? 0 : 2);
    for (const pc of [...heads].sort((a, b) => rank(a) - rank(b))) {
      if (regions.at(pc) !== undefined) continue;
      // The head may have come into an earlier region of the batch, and may be entered there then.
      if (!destinations.isFunction(pc) && [...flows.values()].some(({ region }) => has(region, pc))) {
        this.#hotness.watchAgain(pc);
        continue;
      }
      const region = formRegion(insns, pc, this.#knowledge(pc, sizes));
      if (region === undefined) continue;
      flows.set(pc, flowOf(region));
      sizes.set(pc, sizeOf(region));
    }
    return flows;
  }
  /** @param made numbers of instructions of the regions of this batch, by head */
  #knowledge(head: Addr, made: ReadonlyMap<Addr, InsnCount>): Knowledge {
    const { regions, counters, destinations } = this.#parts;
    const whole = destinations.isFunction(head);
    return {
      targetsOf: (site) => destinations.targetsOf(site),
      isFunction: (target) => destinations.isFunction(target),
      ran: (record, taken, to) => this.#hotness.isHot(to) || this.#isUsual(counters.seen(record, taken)),
      usualTargets: (site, record) => this.#usualTargets(site, record),
      follows: (at) => {
        const owner = regions.ownerOf(at);
        const there = owner === undefined ? made.get(at) : regions.at(owner)!.outline.pcs.length;
        return there === undefined || (whole && there < LARGE_REGION_INSNS);
      },
    };
  }
  #isUsual(seen: InsnCount): boolean {
    return seen >= this.#options.threshold * COLD_SHARE;
  }
  #usualTargets(site: Addr, record: number): readonly Addr[] {
    const { code, destinations } = this.#parts;
    return destinations
      .targetsOf(site)
      .map((to) => ({ to, seen: code.jumps.seen(record, to) }))
      .filter(({ to, seen }) => this.#hotness.isHot(to) || this.#isUsual(seen))
      .sort((a, b) => b.seen - a.seen)
      .map(({ to }) => to);
  }

  /**
   * The head of a region that should have the code at an address: the region leads there, but was made before the code had run. Separate
   * regions would pass registers through memory at each transfer between them.
   */
  ownerOf(pc: Addr): Addr | undefined {
    const { regions, destinations } = this.#parts;
    if (destinations.isFunction(pc)) return undefined;
    for (const head of regions.leadingTo(pc)) {
      const pcs = regions.at(head)?.outline.pcs;
      if (pcs === undefined || pcs.length >= MOST_INSNS || pcs.includes(pc)) continue;
      if ((this.#renewals.get(head) ?? 0) < MOST_RENEWALS) return head;
    }
    return undefined;
  }
  /** Is a region to be made again now? Each renewal needs a longer run before. If so, the renewal counts. */
  renews(head: Addr, clock: InsnCount): boolean {
    const { since, outline } = this.#parts.regions.at(head)!;
    const times = this.#renewals.get(head) ?? 0;
    if (clock - since < outline.pcs.length * RENEWAL_AGE_PER_INSN * RENEWAL_AGE_GROWTH ** times) return false;
    this.#renewals.set(head, times + 1);
    return true;
  }
  get renewals(): ReadonlyMap<Addr, number> {
    return this.#renewals;
  }
  restoreRenewals(pairs: Uint32Array): void {
    for (let i = 0; i < pairs.length; i += 2) this.#renewals.set(pairs[i]!, pairs[i + 1]!);
  }

  /** All code is forgotten. Renewals count on. */
  forgetAll(): void {
    this.#once.clear();
  }
}
