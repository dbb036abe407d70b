/**
 * Decides what is translated, and keeps it. Where a region may begin (targets of calls and of branches back, code behind calls, where
 * regions leave), COUNTED is planted over the instruction; when the interpreter has come there often enough, the region is formed,
 * compiled and entered from then on, by REGION over the instruction and by its slot in the table of regions.
 *
 * The translated code is made for one hart, the first one; others are interpreted.
 */
import { alignDown } from '../../base/bits.ts';
import type { Addr, InsnCount } from '../../base/units.ts';
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
import { formRegion, isLink, type Knowledge, MOST_INSNS, measureRegion, type Region } from './region.ts';
import { nameOf, type Outline, outlineOf, Regions, type Translated } from './regions.ts';
import { type Helpers, makeHelpers } from './support.ts';

export interface TranslateOptions {
  /** How often the interpreter comes to a function or a loop before it is translated; more often elsewhere. */
  readonly threshold: number;
  /** And how often it comes there for each instruction that the region has; if another region has them too. */
  readonly perInsn: number;
  readonly perInsnAgain: number;
  /** Instructions that must have run for each that has been translated before more is: it bounds what translating costs a short run. */
  readonly pace: number;
  /** How many regions to translate at a time, if so many get hot at about the same time. */
  readonly batch: number;
  /** Count transfers in translated code. */
  readonly counting: boolean;
  /** What is translated at a time at most, in regions and in their instructions: it bounds memory and compile time. What gets hot then is interpreted. */
  readonly mostRegions: number;
  readonly mostInsns: number;
}

/** What translating has come to, for `--stats`. */
type TranslateStatistics = {
  regions: number;
  insns: number;
  wasmBytes: number;
  /** Milliseconds. */
  translating: number;
  compiling: number;
  /** Regions that an earlier run has left. */
  kept: number;
};

/** Branches of a usual visit. Where a visit goes through more, because there are loops in the region, it is worth several. */
const BRANCHES = 8;
/** Threshold of code behind calls, in thresholds: mostly it is reached from within its region. */
const BEHIND_CALLS = 8;
/** A region is made again if it leads to hot code that it has not, but not before so many instructions have run for each that it has. */
const RUN_PER_INSN = 2000;
/** So many times as long the next time, and so often at most. */
const LATER = 4;
const MOST_RENEWALS = 3;
/** What the count of a COUNTED can be. */
const MOST = 0xffff;
/** Instructions in a stay in generated code: while something is waiting to be translated, and else. */
const PATIENCE: InsnCount = 2 ** 19;
const STAY: InsnCount = 2 ** 25;
/** Regions stop where others begin, so that code is translated once; but those of functions take in what is smaller than this. */
const LARGE = 300;
/** Regions made in a run, of those that it began with, for which it is worth while to keep them. */
const WORTHWHILE = 1 / 20;
/** Targets of an indirect jump that are remembered: what goes to so many goes to none of them often. */
const MOST_TARGETS = 2048;
/** In place of a candidate's count: it has been hot, and is or will be translated if it can be. */
const HAD = 0;
/**
 * A way of a branch or an indirect jump that has run less often, in thresholds, is left to the interpreter: a fifth of all would be
 * translated for nothing.
 */
const SELDOM = 1 / 400;

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
  /** How many indirect jumps have gone to an address; more where code was forgotten meanwhile. Only for a guess. */
  readonly #sites = new Map<Addr, number>();
  /** Where COUNTED is planted, or will be when there is an instruction, with its count. */
  readonly #candidates = new Map<Addr, number>();
  /** What has been hot. Branches that lead there may have counted in translated code only. */
  readonly #hot = new Set<Addr>();
  /** What has been hot once, and was to get hotter. */
  readonly #once = new Set<Addr>();
  /** How often a region has been made again, by head. */
  readonly #renewals = new Map<Addr, number>();
  readonly #walked = new Set<Addr>();
  /** Pages in which code has been decoded while something is pending: it may be there now. */
  readonly #pages = new Set<Addr>();
  /** What the translated code is made for. */
  #home: { readonly places: Places; readonly imports: Imports; readonly helpers: Helpers } | undefined;
  /** What an earlier run has left, and is not taken yet. */
  #pending: readonly KeptModule[] = [];
  /** Where the host area was free at first. */
  readonly #from: number;
  /** Heads to translate next. */
  readonly #waiting: Addr[] = [];
  /** The translator's clock, in instructions run, and when what is waiting has waited long enough. */
  #clock: InsnCount = 0;
  #late: InsnCount = 0;

  /** @param kept what an earlier run has left */
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
      if (calls) this.#candidate(behind, threshold * BEHIND_CALLS);
      if (ending === 'goto' && calls) {
        this.#functions.add(target);
        this.#candidate(target, threshold);
      } else if ((ending === 'goto' || ending === 'branch') && target < behind) this.#candidate(target, threshold);
      return;
    }
  }

  hot(pc: Addr, record: number): void {
    this.#code.records.unplant(record);
    this.#candidates.set(pc, HAD);
    this.#hot.add(pc);
    const owner = this.#ownerOf(pc);
    if (owner === undefined) {
      if (this.#full) return;
      const lacking = this.#lacking(pc);
      if (lacking <= 0) this.#wait(pc);
      else this.#again(pc, lacking);
    } else {
      // A region that has the code now need not be entered there: what the interpreter goes on coming to gets its own.
      this.#again(pc, this.#renew(owner) ? MOST : this.#options.threshold);
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
   * How often the interpreter is still to come there until the region has run so long that translating costs no more than that. What another
   * region has already is waited for longer.
   */
  #lacking(pc: Addr): number {
    if (this.#once.has(pc)) return 0;
    this.#once.add(pc);
    const { threshold, perInsn, perInsnAgain } = this.#options;
    const { size, branches } = measureRegion(this.#insns, pc, this.#knowledge(pc, new Map()));
    const { seen } = this.#counters;
    const ran = branches.reduce((sum, { record }) => sum + seen(record, true) + seen(record, false), 0);
    const weight = Math.max(1, ran / (threshold * BRANCHES));
    return Math.ceil((size * (this.#regions.holds(pc) ? perInsnAgain : perInsn)) / weight) - threshold;
  }
  /** @param made regions of this batch, by head: their instructions */
  #knowledge(pc: Addr, made: ReadonlyMap<Addr, InsnCount>): Knowledge {
    const whole = this.#functions.has(pc);
    return {
      targetsOf: (site) => this.#targets.get(site) ?? [],
      isFunction: (target) => this.#functions.has(target),
      ran: (record, taken, to) =>
        this.#hot.has(to) || this.#counters.seen(record, taken) >= this.#options.threshold * SELDOM,
      usualTargets: (site, record) => this.#usualTargets(site, record),
      follows: (at) => {
        const owner = this.#regions.ownerOf(at);
        const there = owner === undefined ? made.get(at) : this.#regions.at(owner)!.outline.pcs.length;
        return there === undefined || (whole && there < LARGE);
      },
    };
  }
  #usualTargets(site: Addr, record: number): readonly Addr[] {
    const { jumps } = this.#code;
    return (this.#targets.get(site) ?? [])
      .map((to) => ({ to, seen: jumps.seen(record, to) }))
      .filter(({ to, seen }) => this.#hot.has(to) || seen >= this.#options.threshold * SELDOM)
      .sort((a, b) => b.seen - a.seen)
      .map(({ to }) => to);
  }
  /**
   * A region that should have the code at an address, because it leads there, and had not yet seen it run when it was made. Pieces on their
   * own would pass registers through memory at each step.
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
  /** Makes a region again, with those that call it directly. @returns false if it is too early: each time it must have run longer */
  #renew(head: Addr): boolean {
    const { since, outline } = this.#regions.at(head)!;
    const times = this.#renewals.get(head) ?? 0;
    if (this.#clock - since < outline.pcs.length * RUN_PER_INSN * LATER ** times) return false;
    this.#renewals.set(head, times + 1);
    const gone = this.#regions.callersOf([head]);
    for (const { outline: old } of [...gone].map((pc) => this.#regions.at(pc)!)) this.#decode(old);
    // To decode is to look again where there was no code, which can take regions away.
    for (const pc of gone) if (this.#regions.at(pc) !== undefined) this.#drop(pc);
    for (const pc of gone) this.#candidates.set(pc, HAD);
    this.#wait(...gone);
    return true;
  }
  /** Of a region from an earlier run little may have been interpreted in this one. */
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
  // Where a stay ends the interpreter goes on, up to where a region begins: that may be far.
  get slice(): InsnCount {
    return this.#waiting.length > 0 ? PATIENCE : STAY;
  }
  // A module costs something whatever is in it, so regions are made several at a time; but not much later than they get hot.
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

  /** An indirect jump has gone where it never went before. */
  #jumped(site: number, target: Addr): void {
    const { records, jumps } = this.#code;
    jumps.insert(site, target);
    const pc = records.pcOf(site);
    // In a region from an earlier run it may not have been decoded; the code is the same then.
    const insn = this.#insns.insnAt(pc) ?? decodeAt(this.#memory.bytes, pc);
    if (insn === undefined) return;
    if (insn.rd !== 0) {
      this.#functions.add(target);
      this.#candidate(target, this.#options.threshold);
    }
    this.#goes(pc, target);
    if (insn.rd !== 0 || isLink(insn.rs1)) return;
    // A jump through a table, out of the regions that have it.
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
    // A region that is there stays.
    if (count !== HAD && this.#code.records.raw(record) !== ROUTINE.REGION)
      this.#code.records.plant(record, ROUTINE.COUNTED, Math.min(count, MOST));
  }

  #translate(heads: readonly Addr[]): void {
    const { records } = this.#code;
    const { places, imports } = this.#home!;
    const started = performance.now();
    const flows = new Map<Addr, Flow>();
    const sizes = new Map<Addr, InsnCount>();
    // Regions made again first, then functions: others stop at their heads.
    const isWhole = (pc: Addr) => this.#functions.has(pc);
    const rank = (pc: Addr) => (isWhole(pc) ? 1 : this.#renewals.has(pc) ? 0 : 2);
    for (const pc of [...heads].sort((a, b) => rank(a) - rank(b))) {
      if (this.#regions.at(pc) !== undefined) continue;
      // It may have come into a region before it in the batch, and may be entered there then.
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
  /** There is code on a page. */
  #lookAgain(page: Addr): void {
    if (this.#pages.has(page)) return;
    this.#pages.add(page);
    this.#takeKept();
  }
  /** Takes what an earlier run has left where the code is there that it was made of. */
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
  /** Undefined if it is no module of such regions, which nobody but a forger of files makes. */
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
  /** What the next run of this program can begin with; undefined if that would hardly be more than this one began with. */
  keep(): Kept | undefined {
    const { regions, kept } = this.statistics;
    if (regions <= kept * WORTHWHILE) return undefined;
    const [functions, targets, renewals] = [this.#functions, this.#targets, this.#renewals];
    return keep(this.#parts, this.#from, { functions, targets, renewals });
  }
  #compile(bytes: Uint8Array, tables: readonly Table[], native?: ArrayBuffer): CompiledModule {
    const { imports, helpers } = this.#home!;
    for (const { at, halves } of tables) this.#halves.set(halves, at / 2);
    return compileModule(bytes, { ...imports, table: this.#regions.table, ...helpers }, tables, native);
  }
  /** Regions of a module are there from now on. */
  #enter(made: readonly Translated[]): void {
    for (const region of made) this.#regions.add(region);
    for (const region of made) {
      this.#regions.addEntries(region, (pc) => this.#functions.has(pc));
      this.#counters.add(region.counts);
      for (const to of region.outline.leaves) this.#candidate(to, this.#options.threshold);
    }
  }
  /** The interpreter has a region's code again. None of it may be running. */
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
    for (const pc of keysWithin(this.#candidates, from, to)) if (records.known(pc)) records.unplant(records.find(pc)!);
    for (const pc of keysWithin(this.#targets, from, to)) this.#targets.delete(pc);
    this.#walked.clear();
    this.#insns.forget(from, to);
  }
  /** All records are about to go, and with them what an earlier run has left. What is known of the program stays. */
  #forgetAll(): void {
    for (const { outline } of [...this.#regions.all()]) this.#drop(outline.head);
    this.#counters.reset();
    this.#pending = [];
    this.#waiting.length = 0;
    for (const known of [this.#candidates, this.#once, this.#walked, this.#pages]) known.clear();
    this.#insns.forgetAll();
  }
}
