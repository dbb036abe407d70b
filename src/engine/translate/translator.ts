/**
 * Decides which code is translated, and keeps the translations. Where a region may begin (targets of calls and of branches back, code
 * behind calls, addresses where regions leave), COUNTED is planted over the instruction; when the interpreter has come there often enough,
 * the region is formed, compiled and entered from then on, by REGION over the instruction and by its slot in the table of regions.
 *
 * The translated code is made for the first hart only; other harts are interpreted.
 */
import { alignDown } from '../../base/bits.ts';
import { type Addr, type InsnCount, isLink } from '../../base/units.ts';
import { decodeAt } from '../../isa/decode.ts';
import { targetOf } from '../../isa/row.ts';
import { type Memory, PAGE } from '../../machine/memory.ts';
import { moduleFor, prepareV8 } from '../generate.ts';
import type { Predecoder } from '../predecode.ts';
import type { Imports, Places, RunCode, Upper } from '../record-engine.ts';
import { RECORD, ROUTINE } from '../records.ts';
import type { Routines } from '../routines.ts';
import type { TransferCounts } from '../transfers.ts';
import { Counters } from './counters.ts';
import { emitModule } from './emit-module.ts';
import { type Flow, flowOf } from './flow.ts';
import { CodeInsns, keysWithin } from './insns.ts';
import { buildInterpreter } from './interpreter.ts';
import { isThere, keep, type Parts, restorePlaces, revived } from './keep.ts';
import type { Kept, KeptModule } from './kept.ts';
import { type CompiledModule, compileModule, type Table } from './modules.ts';
import { Ranges } from './ranges.ts';
import { formRegion, type Knowledge, MOST_INSNS, measureRegion, type Region } from './region.ts';
import { nameOf, type Outline, outlineOf, Regions, type Translated } from './regions.ts';
import { type Helpers, makeHelpers } from './support.ts';

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

/** Results of translating, for `--stats`. */
type TranslateStatistics = {
  regions: number;
  insns: number;
  wasmBytes: number;
  /** Milliseconds. */
  translating: number;
  compiling: number;
  /** Regions taken from an earlier run. */
  kept: number;
};

/** Branches of a usual visit to a region. A visit that goes through more, because the region has loops, is worth several. */
const VISIT_BRANCHES = 8;
/** Threshold of code behind calls, in thresholds: such code is mostly reached from within its region. */
const LINK_THRESHOLDS = 8;
/** A region is made again if it leads to hot code that it lacks, but not before so many instructions have run for each of its own. */
const RENEWAL_AGE_PER_INSN = 2000;
/** Factor by which this number grows with each renewal of a region, and the most renewals. */
const RENEWAL_AGE_GROWTH = 4;
const MOST_RENEWALS = 3;
/** Largest count of a COUNTED. */
const LARGEST_COUNT = 0xffff;
/** Instructions in a stay in generated code: while heads wait to be translated (they wait about as long), and else. */
const PATIENCE: InsnCount = 2 ** 19;
const LONG_STAY_INSNS: InsnCount = 2 ** 25;
/** Regions stop where others begin, so that code is translated once; but regions of functions take in regions smaller than this. */
const LARGE_REGION_INSNS = 300;
/** Regions made in a run are worth keeping if they are more than this share of those that the run began with. */
const WORTHWHILE_SHARE = 1 / 20;
/** Targets of an indirect jump that are remembered: a jump with so many targets goes to none of them often. */
const MOST_TARGETS = 2048;
/** In place of a candidate's count: the candidate has been hot, and is or will be translated if it can be. */
const HOT_MARK = 0;
/**
 * A way of a branch or an indirect jump that has run less often than this share of the threshold is left to the interpreter: otherwise a
 * fifth of all code would be translated for nothing.
 */
const COLD_SHARE = 1 / 400;

const sizeOf = ({ blocks }: Region): number => blocks.reduce((sum, { insns }) => sum + insns.length, 0);
const has = ({ blocks }: Region, pc: Addr): boolean => blocks.some(({ insns }) => insns.some((at) => at.pc === pc));

export class Translator implements Upper {
  readonly statistics: TranslateStatistics = {
    regions: 0,
    insns: 0,
    wasmBytes: 0,
    translating: 0,
    compiling: 0,
    kept: 0,
  };
  readonly #memory: Memory;
  readonly #code: Predecoder;
  readonly #insns: CodeInsns;
  readonly #options: TranslateOptions;
  readonly #counters: Counters;
  readonly #ranges: Ranges;
  readonly #regions: Regions;
  readonly #halves: Uint16Array;
  readonly #functions = new Set<Addr>();
  readonly #targets = new Map<Addr, Addr[]>();
  /** Number of indirect jumps that have gone to an address; too large where code was forgotten meanwhile. Only for a guess. */
  readonly #sites = new Map<Addr, number>();
  /** Addresses where COUNTED is planted, or will be when there is an instruction, with its count. */
  readonly #candidates = new Map<Addr, number>();
  /** Addresses that have been hot. Branches that lead there may have counted in translated code only. */
  readonly #hot = new Set<Addr>();
  /** Addresses that have been hot once; when they are hot again they are translated. */
  readonly #once = new Set<Addr>();
  /** Number of times that a region has been made again, by head. */
  readonly #renewals = new Map<Addr, number>();
  readonly #walked = new Set<Addr>();
  /** Pages in which code has been decoded while kept modules are pending: the code of these may be there now. */
  readonly #pages = new Set<Addr>();
  /** The places, imports and helpers that translated code is made for. */
  #home: { readonly places: Places; readonly imports: Imports; readonly helpers: Helpers } | undefined;
  /** Modules that an earlier run has kept, and that are not taken yet. */
  #pending: readonly KeptModule[] = [];
  /** First free address of the host area when the translator was made. */
  readonly #from: number;
  /** Heads to translate next. */
  readonly #waiting: Addr[] = [];
  /** The translator's clock, in instructions run, and the time on it when the waiting heads have waited long enough. */
  #clock: InsnCount = 0;
  #late: InsnCount = 0;

  /** @param kept translated code of an earlier run */
  constructor(memory: Memory, code: Predecoder, options: TranslateOptions, kept?: Kept) {
    this.#memory = memory;
    this.#code = code;
    this.#insns = new CodeInsns(code);
    this.#options = options;
    this.#counters = new Counters(memory, code.records, options.counting);
    this.#ranges = new Ranges(memory, this.#counters.allocate);
    this.#regions = new Regions(code.records);
    this.#halves = new Uint16Array(memory.linear.buffer);
    prepareV8();
    code.records.allowPlants();
    code.onClear = (from, to) => this.#forget(from, to);
    code.onReset = () => this.#forgetAll();
    this.#from = memory.hostNext;
    if (kept === undefined || !restorePlaces(kept, this.#parts)) return;
    this.#pending = kept.modules;
    for (const pc of kept.functions) this.#functions.add(pc);
    for (let i = 0; i < kept.targets.length; i += 2) this.#goes(kept.targets[i]!, kept.targets[i + 1]!);
    for (let i = 0; i < kept.renewals.length; i += 2) this.#renewals.set(kept.renewals[i]!, kept.renewals[i + 1]!);
  }
  get #parts(): Parts {
    return {
      memory: this.#memory,
      code: this.#code,
      regions: this.#regions,
      counters: this.#counters,
      ranges: this.#ranges,
    };
  }

  /** The interpreter for a hart. */
  generate(routines: Routines, places: Places, imports: Imports): RunCode {
    const { plantsAt } = this.#code.records;
    const jumped = (next: bigint) => this.#jumped(Number(next >> 32n), Number(next & 0xffff_ffffn));
    const begins = this.#home === undefined;
    this.#home ??= { places, imports, helpers: makeHelpers(places, imports, this.#regions.table, plantsAt, jumped) };
    const first = this.#home.places.hart === places.hart;
    const module = moduleFor(`translate ${plantsAt} ${first}`, routines, places, imports, () =>
      buildInterpreter(routines, places, imports, plantsAt, first),
    );
    const table = first ? this.#regions.table : new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
    const { count } = this.#home.helpers;
    const { exports } = new WebAssembly.Instance(module, { m: { ...imports, table, count } });
    if (first) this.#regions.setInterpreter(exports.interpret);
    if (begins) this.#takeKept();
    return exports.run;
  }

  decoded(pc: Addr): void {
    if (this.#walked.has(pc)) return;
    this.#walked.add(pc);
    if (this.#pending.length > 0 && this.#home !== undefined) this.#lookAgain(alignDown(pc, PAGE));
    const { records, routines } = this.#code;
    const { threshold } = this.#options;
    if (!records.known(pc)) return;
    let record = records.find(pc)!;
    for (let at = pc; ; ) {
      const routine = records.routine(record);
      const ending = routines.ending(routine);
      if (ending === undefined) return;
      const waiting = this.#candidates.get(at);
      if (waiting !== undefined) this.#plant(at, waiting);
      const behind = at + routines.size(routine);
      if (routines.flows(routine)) {
        record += ((behind - at) / 2) * RECORD.SIZE;
        at = behind;
        continue;
      }
      const insn = ending === 'none' ? undefined : this.#insns.insnAt(at);
      if (insn === undefined) return;
      const target = targetOf(insn, at)!;
      const calls = insn.rd !== 0 && (ending === 'goto' || ending === 'jump');
      if (calls) this.#candidate(behind, threshold * LINK_THRESHOLDS);
      if (ending === 'goto' && calls) {
        this.#functions.add(target);
        this.#candidate(target, threshold);
      } else if ((ending === 'goto' || ending === 'branch') && target < behind) this.#candidate(target, threshold);
      return;
    }
  }

  hot(pc: Addr, record: number): void {
    this.#code.records.unplant(record);
    this.#candidates.set(pc, HOT_MARK);
    this.#hot.add(pc);
    const owner = this.#ownerOf(pc);
    if (owner === undefined) {
      if (this.#full) return;
      const lacking = this.#lacking(pc);
      if (lacking <= 0) this.#wait(pc);
      else this.#again(pc, lacking);
    } else {
      // A region that gets the code now need not be entered there: an address that the interpreter goes on coming to gets its own region.
      this.#again(pc, this.#renew(owner) ? LARGEST_COUNT : this.#options.threshold);
    }
  }
  #wait(...heads: Addr[]): void {
    if (this.#waiting.length === 0) this.#late = this.#clock + PATIENCE;
    this.#waiting.push(...heads);
  }
  #again(pc: Addr, count: number): void {
    this.#candidates.delete(pc);
    this.#candidate(pc, count);
  }
  /**
   * Visits of the interpreter that are still to come until the region has run as long as translating it takes. An address that another
   * region has already waits longer.
   */
  #lacking(pc: Addr): number {
    if (this.#once.has(pc)) return 0;
    this.#once.add(pc);
    const { threshold, perInsn, perInsnAgain } = this.#options;
    const { size, branches } = measureRegion(this.#insns, pc, this.#knowledge(pc, new Map()));
    const { seen } = this.#counters;
    const ran = branches.reduce((sum, { record }) => sum + seen(record, true) + seen(record, false), 0);
    const weight = Math.max(1, ran / (threshold * VISIT_BRANCHES));
    return Math.ceil((size * (this.#regions.holds(pc) ? perInsnAgain : perInsn)) / weight) - threshold;
  }
  /** @param made numbers of instructions of the regions of this batch, by head */
  #knowledge(pc: Addr, made: ReadonlyMap<Addr, InsnCount>): Knowledge {
    const whole = this.#functions.has(pc);
    return {
      targetsOf: (site) => this.#targets.get(site) ?? [],
      isFunction: (target) => this.#functions.has(target),
      ran: (record, taken, to) =>
        this.#hot.has(to) || this.#counters.seen(record, taken) >= this.#options.threshold * COLD_SHARE,
      usualTargets: (site, record) => this.#usualTargets(site, record),
      follows: (at) => {
        const owner = this.#regions.ownerOf(at);
        const there = owner === undefined ? made.get(at) : this.#regions.at(owner)!.outline.pcs.length;
        return there === undefined || (whole && there < LARGE_REGION_INSNS);
      },
    };
  }
  #usualTargets(site: Addr, record: number): readonly Addr[] {
    const { jumps } = this.#code;
    return (this.#targets.get(site) ?? [])
      .map((to) => ({ to, seen: jumps.seen(record, to) }))
      .filter(({ to, seen }) => this.#hot.has(to) || seen >= this.#options.threshold * COLD_SHARE)
      .sort((a, b) => b.seen - a.seen)
      .map(({ to }) => to);
  }
  /**
   * The head of a region that should have the code at an address: the region leads there, but was made before the code had run. Separate
   * regions would pass registers through memory at each transfer between them.
   */
  #ownerOf(pc: Addr): Addr | undefined {
    if (this.#functions.has(pc)) return undefined;
    for (const head of this.#regions.leadingTo(pc)) {
      const pcs = this.#regions.at(head)?.outline.pcs;
      if (pcs === undefined || pcs.length >= MOST_INSNS || pcs.includes(pc)) continue;
      if ((this.#renewals.get(head) ?? 0) < MOST_RENEWALS) return head;
    }
    return undefined;
  }
  /** Makes a region again, with those that call it directly. @returns false if it is too early: each renewal needs a longer run before */
  #renew(head: Addr): boolean {
    const { since, outline } = this.#regions.at(head)!;
    const times = this.#renewals.get(head) ?? 0;
    if (this.#clock - since < outline.pcs.length * RENEWAL_AGE_PER_INSN * RENEWAL_AGE_GROWTH ** times) return false;
    this.#renewals.set(head, times + 1);
    const gone = this.#regions.callersOf([head]);
    for (const { outline: old } of [...gone].map((pc) => this.#regions.at(pc)!)) this.#decode(old);
    // Decoding looks again where there was no code, which can drop regions.
    for (const pc of gone) if (this.#regions.at(pc) !== undefined) this.#drop(pc);
    for (const pc of gone) this.#candidates.set(pc, HOT_MARK);
    this.#wait(...gone);
    return true;
  }
  /** Decodes a region's instructions: of a region from an earlier run few may have been interpreted in this run. */
  #decode({ pcs }: Outline): void {
    for (const pc of pcs) {
      if (this.#insns.insnAt(pc) !== undefined) continue;
      this.#code.decode(pc);
      this.decoded(pc);
      this.#hot.add(pc);
    }
  }
  get #full(): boolean {
    return this.#regions.count >= this.#options.mostRegions || this.#regions.insns >= this.#options.mostInsns;
  }
  ran(insns: InsnCount): void {
    this.#clock += insns;
  }
  // After each stay the interpreter goes on, up to the next address where a region is entered, which may be far.
  get slice(): InsnCount {
    return this.#waiting.length > 0 ? PATIENCE : LONG_STAY_INSNS;
  }
  // Every module has a fixed cost, so regions are made several at a time; but not much later than they get hot.
  get due(): boolean {
    const { length } = this.#waiting;
    if (this.statistics.insns * this.#options.pace > this.#clock) return false;
    return length >= this.#options.batch || (length > 0 && this.#clock >= this.#late);
  }
  work(): void {
    this.#translate(this.#waiting.splice(0));
  }

  collect(counts: TransferCounts): void {
    this.#counters.collect(counts);
  }

  /** An indirect jump has gone to a target that is not in the table of jumps. */
  #jumped(site: number, target: Addr): void {
    const { records, jumps } = this.#code;
    jumps.insert(site, target);
    const pc = records.pcOf(site);
    // In a region from an earlier run the jump may not have been decoded; the code is the same then.
    const insn = this.#insns.insnAt(pc) ?? decodeAt(this.#memory.bytes, pc);
    if (insn === undefined) return;
    if (insn.rd !== 0) {
      this.#functions.add(target);
      this.#candidate(target, this.#options.threshold);
    }
    this.#goes(pc, target);
    if (insn.rd !== 0 || isLink(insn.rs1)) return;
    // A jump through a table, out of the regions that have the jump.
    if (this.#regions.leadsFrom(pc, target)) this.#candidate(target, this.#options.threshold);
  }

  #goes(site: Addr, target: Addr): void {
    const targets = this.#targets.get(site);
    if (targets !== undefined && (targets.length >= MOST_TARGETS || targets.includes(target))) return;
    if (targets === undefined) this.#targets.set(site, [target]);
    else targets.push(target);
    this.#sites.set(target, (this.#sites.get(target) ?? 0) + 1);
  }

  #candidate(pc: Addr, count: number): void {
    const known = this.#candidates.get(pc);
    if (this.#regions.ownerOf(pc) !== undefined || (known !== undefined && known <= count)) return;
    this.#candidates.set(pc, count);
    if (this.#insns.insnAt(pc) !== undefined) this.#plant(pc, count);
  }
  #plant(pc: Addr, count: number): void {
    const record = this.#code.records.find(pc)!;
    // An existing region stays.
    if (count !== HOT_MARK && this.#code.records.raw(record) !== ROUTINE.REGION)
      this.#code.records.plant(record, ROUTINE.COUNTED, Math.min(count, LARGEST_COUNT));
  }

  #translate(heads: readonly Addr[]): void {
    const { records } = this.#code;
    const { places, imports } = this.#home!;
    const started = performance.now();
    const flows = new Map<Addr, Flow>();
    const sizes = new Map<Addr, InsnCount>();
    // Regions made again come first, then functions: the regions after them stop at their heads.
    const isWhole = (pc: Addr) => this.#functions.has(pc);
    const rank = (pc: Addr) => (isWhole(pc) ? 1 : this.#renewals.has(pc) ? 0 : 2);
    for (const pc of [...heads].sort((a, b) => rank(a) - rank(b))) {
      if (this.#regions.at(pc) !== undefined) continue;
      // The head may have come into an earlier region of the batch, and may be entered there then.
      if (!isWhole(pc) && [...flows.values()].some(({ region }) => has(region, pc))) {
        this.#again(pc, this.#options.threshold);
        continue;
      }
      const region = formRegion(this.#insns, pc, this.#knowledge(pc, sizes));
      if (region === undefined) continue;
      flows.set(pc, flowOf(region));
      sizes.set(pc, sizeOf(region));
    }
    if (flows.size === 0) return;
    const tables: Table[] = [];
    const { bytes, regions } = emitModule(flows, places, imports, {
      slotFor: this.#regions.slotFor,
      recordFor: (to) => records.target(to),
      counters: this.#counters,
      ranges: this.#ranges,
      accessed: (record) => records.count(record, RECORD.ACCESSED),
      returnsVary: (link) => (this.#sites.get(link) ?? 0) > 1,
      tableOf: (halves) => {
        const at = this.#counters.allocate(halves.byteLength);
        tables.push({ at, halves });
        return at;
      },
    });
    const emitted = performance.now();
    const module = this.#compile(bytes, tables);
    const made = regions.map(({ flow, counts, links }): Translated => {
      const ways = flow.entries.slice(1).map(({ pc }) => pc);
      return { outline: outlineOf(flow.region), ways, counts, links, module, since: this.#clock };
    });
    this.#enter(made);
    const { statistics } = this;
    statistics.regions += made.length;
    for (const { outline } of made) statistics.insns += outline.pcs.length;
    statistics.wasmBytes += bytes.length;
    statistics.translating += emitted - started;
    statistics.compiling += performance.now() - emitted;
  }
  /** Looks for the code of kept modules again, as there is code on a page. */
  #lookAgain(page: Addr): void {
    if (this.#pages.has(page)) return;
    this.#pages.add(page);
    this.#takeKept();
  }
  /** Takes the pending modules whose guest code is in memory, unchanged. */
  #takeKept(): void {
    this.#pending = this.#pending.filter((kept) => {
      if (!isThere(kept, this.#memory)) return true;
      if (this.#full || kept.regions.some(({ head }) => this.#regions.at(head) !== undefined)) return false;
      const module = this.#compileKept(kept);
      if (module === undefined) return false;
      this.#enter(kept.regions.map((region) => revived(region, module, this.#parts)));
      this.statistics.kept += kept.regions.length;
      return false;
    });
  }
  /** Undefined if the bytes are no module of these regions, as only a forged file has them. */
  #compileKept({ bytes, tables, native, regions }: KeptModule): CompiledModule | undefined {
    let module: CompiledModule;
    try {
      module = this.#compile(bytes, tables, native);
    } catch {
      return undefined;
    }
    const there = (name: string) => typeof module.exports[name] === 'function';
    const whole = regions.every(
      ({ head, ways }) => there(nameOf(head)) && [...ways].every((pc) => there(nameOf(head, pc))),
    );
    return whole ? module : undefined;
  }
  /** The translated code for the next run of this program to begin with; undefined if it is hardly more than this run began with. */
  keep(): Kept | undefined {
    const { regions, kept } = this.statistics;
    if (regions <= kept * WORTHWHILE_SHARE) return undefined;
    const [functions, targets, renewals] = [this.#functions, this.#targets, this.#renewals];
    return keep(this.#parts, this.#from, { functions, targets, renewals });
  }
  #compile(bytes: Uint8Array, tables: readonly Table[], native?: ArrayBuffer): CompiledModule {
    const { imports, helpers } = this.#home!;
    for (const { at, halves } of tables) this.#halves.set(halves, at / 2);
    return compileModule(bytes, { ...imports, table: this.#regions.table, ...helpers }, tables, native);
  }
  /** Puts the regions of a module in place. */
  #enter(made: readonly Translated[]): void {
    for (const region of made) this.#regions.add(region);
    for (const region of made) {
      this.#regions.addEntries(region, (pc) => this.#functions.has(pc));
      this.#counters.add(region.counts);
      for (const to of region.outline.leaves) this.#candidate(to, this.#options.threshold);
    }
  }
  /** Gives a region's code back to the interpreter. None of it may be running. */
  #drop(head: Addr): void {
    this.#counters.drop(this.#regions.at(head)!.counts);
    for (const pc of this.#regions.drop(head)) this.#candidates.delete(pc);
  }

  /** Records in the range are about to be cleared. */
  #forget(from: Addr, to: Addr): void {
    const { records } = this.#code;
    const heads = this.#regions.within(from, to);
    if (heads.length > 0)
      for (const pc of this.#regions.callersOf(heads)) {
        this.#drop(pc);
        if (pc < from || pc >= to) this.#candidate(pc, this.#options.threshold);
      }
    for (const pc of keysWithin(this.#candidates, from, to)) {
      if (records.known(pc)) records.unplant(records.find(pc)!);
      // Other code may come to the address, and a head that waits is not translated without its code.
      if (this.#candidates.get(pc) === HOT_MARK) this.#candidates.set(pc, this.#options.threshold);
    }
    for (const pc of keysWithin(this.#targets, from, to)) this.#targets.delete(pc);
    this.#walked.clear();
    this.#insns.forget(from, to);
  }
  /** All records are about to be freed, and with them the pending modules of an earlier run. Knowledge of the program stays. */
  #forgetAll(): void {
    for (const { outline } of [...this.#regions.all()]) this.#drop(outline.head);
    this.#counters.reset();
    this.#pending = [];
    this.#waiting.length = 0;
    for (const known of [this.#candidates, this.#once, this.#walked, this.#pages]) known.clear();
    this.#insns.forgetAll();
  }
}
