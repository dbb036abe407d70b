/**
 * Decides what is translated, and keeps it. Where a region may begin (targets of calls and of branches back, code behind calls, where
 * regions leave), COUNTED is planted over the instruction; when the interpreter has come there often enough, the region is formed,
 * compiled and entered from then on, by REGION over the instruction and by its slot in the table of regions.
 *
 * The translated code is made for one hart, the first one; others are interpreted.
 */
import { setFlagsFromString } from 'node:v8';
import type { Addr, InsnCount } from '../../base/units.ts';
import { Code, I32, I64, ModuleBuilder } from '../../base/wasm.ts';
import { targetOf } from '../../isa/row.ts';
import type { Memory } from '../../machine/memory.ts';
import { importAll, moduleFor, prepareV8 } from '../generate.ts';
import type { Predecoder } from '../predecode.ts';
import type { Imports, Places, RunCode, Upper } from '../record-engine.ts';
import { RECORD, ROUTINE } from '../records.ts';
import type { Routines } from '../routines.ts';
import type { TransferCounts } from '../transfers.ts';
import { Counters } from './counters.ts';
import type { RegionCounts } from './counts.ts';
import { emitRegion } from './emit.ts';
import { type Flow, flowOf } from './flow.ts';
import { CodeInsns } from './insns.ts';
import { buildInterpreter } from './interpreter.ts';
import { ModuleHelpers } from './module-helpers.ts';
import { Ranges } from './ranges.ts';
import { formRegion, isLink, type Knowledge, MOST_INSNS, measureRegion, type Region } from './region.ts';
import { type Helpers, makeHelpers, REGION_TYPE } from './support.ts';
import type { Link } from './surroundings.ts';

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
};

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
/** In place of a candidate's count: it has been hot, and is or will be translated if it can be. */
const HAD = 0;
/** Slots that the table grows by. */
const SLOTS = 64;
/** A branch's way that has run less often, in thresholds, is left to the interpreter: a fifth of all would be translated for nothing. */
const SELDOM = 1 / 400;

interface Translated {
  readonly region: Region;
  /** Where else it is entered: addresses that no other region has. */
  readonly entries: Set<Addr>;
  readonly counts: RegionCounts;
  /** Heads of regions that its code calls directly: it goes when one of them does. */
  readonly links: ReadonlySet<Addr>;
  /** When it was made. */
  readonly since: number;
}

/**
 * What V8 is not to do to regions: compile them twice, or when they are first called (a long loop stays in the code it was entered in);
 * look how much of the stack is left at each entry and each loop: DEPTH is counted, far from the stack's end. Peeling and unrolling of
 * loops cannot be switched off while a thread of V8's may be compiling: it aborts.
 */
const COMPILING = ['liftoff', 'wasm-lazy-compilation', 'wasm-stack-checks'] as const;

/** The name that a region is exported by. */
const nameOf = (head: Addr): string => `r${head.toString(16)}`;

/** Where a region leads, but for calls. */
const leavesFor = ({ blocks }: Region): Addr[] =>
  blocks.flatMap(({ successors }) => successors.filter(({ block }) => block < 0).map(({ pc }) => pc));
const switchesOf = ({ blocks }: Region): Addr[] =>
  blocks.flatMap(({ insns, ending }) => (ending === 'switch' ? [insns.at(-1)!.pc] : []));
const add = (sets: Map<Addr, Set<Addr>>, key: Addr, value: Addr): void => {
  const known = sets.get(key);
  if (known === undefined) sets.set(key, new Set([value]));
  else known.add(value);
};
const sizeOf = ({ blocks }: Region): number => blocks.reduce((sum, { insns }) => sum + insns.length, 0);
const has = ({ blocks }: Region, pc: Addr): boolean => blocks.some(({ insns }) => insns.some((at) => at.pc === pc));

export class Translator implements Upper {
  readonly statistics: TranslateStatistics = { regions: 0, insns: 0, wasmBytes: 0, translating: 0, compiling: 0 };
  readonly #code: Predecoder;
  readonly #insns: CodeInsns;
  readonly #options: TranslateOptions;
  readonly #counters: Counters;
  readonly #ranges: Ranges;
  readonly #table: WebAssembly.Table;
  readonly #halves: Uint16Array;
  /** Slot 0 always has the interpreter. */
  readonly #slots = new Map<Addr, number>();
  readonly #regions = new Map<Addr, Translated>();
  /** Where translated code is entered: by address, the head of the region. */
  readonly #owners = new Map<Addr, { readonly head: Addr; readonly slot: number }>();
  /** How many regions have an instruction, by address; and the sum of all. */
  readonly #held = new Map<Addr, number>();
  #live = 0;
  readonly #functions = new Set<Addr>();
  readonly #targets = new Map<Addr, Addr[]>();
  /** Where COUNTED is planted, or will be when there is an instruction, with its count. */
  readonly #candidates = new Map<Addr, number>();
  /** What has been hot. Branches that lead there may have counted in translated code only. */
  readonly #hot = new Set<Addr>();
  /** What has been hot once, and was to get hotter. */
  readonly #once = new Set<Addr>();
  /** Where regions lead, by address: their heads. */
  readonly #leading = new Map<Addr, Set<Addr>>();
  /** Heads of the regions that have a jump through a table, by its address. */
  readonly #switching = new Map<Addr, Set<Addr>>();
  /** How often a region has been made again, by head. */
  readonly #renewals = new Map<Addr, number>();
  readonly #walked = new Set<Addr>();
  /** What the translated code is made for. */
  #home: { readonly places: Places; readonly imports: Imports; readonly helpers: Helpers } | undefined;
  #interpret: unknown;
  /** Heads to translate next. */
  readonly #waiting: Addr[] = [];
  /** The translator's clock, in instructions run, and when what is waiting has waited long enough. */
  #clock: InsnCount = 0;
  #late: InsnCount = 0;

  constructor(memory: Memory, code: Predecoder, options: TranslateOptions) {
    this.#code = code;
    this.#insns = new CodeInsns(code);
    this.#options = options;
    this.#counters = new Counters(memory, code.records, options.counting);
    this.#ranges = new Ranges(memory, this.#counters.allocate);
    this.#table = new WebAssembly.Table({ element: 'anyfunc', initial: SLOTS });
    this.#halves = new Uint16Array(memory.linear.buffer);
    prepareV8();
    code.records.allowPlants();
    code.onClear = (from, to) => this.#forget(from, to);
  }

  /** The interpreter for a hart. */
  generate(routines: Routines, places: Places, imports: Imports): RunCode {
    const { plantsAt } = this.#code.records;
    const jumped = (next: bigint) => this.#jumped(Number(next >> 32n), Number(next & 0xffff_ffffn));
    this.#home ??= { places, imports, helpers: makeHelpers(places, imports, this.#table, plantsAt, jumped) };
    const first = this.#home.places.hart === places.hart;
    const module = moduleFor(`translate ${plantsAt} ${first}`, routines, places, imports, () =>
      buildInterpreter(routines, places, imports, plantsAt, first),
    );
    const table = first ? this.#table : new WebAssembly.Table({ element: 'anyfunc', initial: SLOTS });
    const { count } = this.#home.helpers;
    const { exports } = new WebAssembly.Instance(module, { m: { ...imports, table, count } });
    if (first) {
      this.#interpret = exports.interpret;
      const live = new Set([...this.#owners.values()].map(({ slot }) => slot));
      for (let slot = 0; slot < this.#table.length; slot++) if (!live.has(slot)) table.set(slot, this.#interpret);
    }
    return exports.run;
  }

  decoded(pc: Addr): void {
    if (this.#walked.has(pc)) return;
    this.#walked.add(pc);
    const { routines } = this.#code;
    const { threshold } = this.#options;
    for (let at = pc; ; ) {
      const insn = this.#insns.insnAt(at);
      if (insn === undefined) return;
      const waiting = this.#candidates.get(at);
      if (waiting !== undefined) this.#plant(at, waiting);
      const ending = routines.ending(routines.of(insn));
      const target = targetOf(insn, at)!;
      at += insn.size;
      if (ending === 'none') continue;
      const calls = insn.rd !== 0 && (ending === 'goto' || ending === 'jump');
      if (calls) this.#candidate(at, threshold * BEHIND_CALLS);
      if (ending === 'goto' && calls) {
        this.#functions.add(target);
        this.#candidate(target, threshold);
      } else if ((ending === 'goto' || ending === 'branch') && target < at) this.#candidate(target, threshold);
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
   * How often the interpreter is still to come there until translating costs no more than that. What another region has already is waited
   * for longer.
   */
  #lacking(pc: Addr): number {
    if (this.#once.has(pc)) return 0;
    this.#once.add(pc);
    const { threshold, perInsn, perInsnAgain } = this.#options;
    const size = measureRegion(this.#insns, pc, this.#knowledge(pc, new Map()));
    return size * (this.#held.has(pc) ? perInsnAgain : perInsn) - threshold;
  }
  /** @param made regions of this batch */
  #knowledge(pc: Addr, made: ReadonlyMap<Addr, Flow>): Knowledge {
    const whole = this.#functions.has(pc);
    return {
      targetsOf: (site) => this.#targets.get(site) ?? [],
      isFunction: (target) => this.#functions.has(target),
      ran: (record, taken, to) =>
        this.#hot.has(to) || this.#counters.seen(record, taken) >= this.#options.threshold * SELDOM,
      follows: (at) => {
        const owner = this.#owners.get(at)?.head;
        const there = (owner === undefined ? undefined : this.#regions.get(owner)?.region) ?? made.get(at)?.region;
        return there === undefined || (whole && sizeOf(there) < LARGE);
      },
    };
  }
  /**
   * A region that should have the code at an address, because it leads there, and had not yet seen it run when it was made. Pieces on their
   * own would pass registers through memory at each step.
   */
  #ownerOf(pc: Addr): Addr | undefined {
    if (this.#functions.has(pc)) return undefined;
    for (const head of this.#leading.get(pc) ?? []) {
      const known = this.#regions.get(head);
      if (known === undefined || sizeOf(known.region) >= MOST_INSNS || has(known.region, pc)) continue;
      if ((this.#renewals.get(head) ?? 0) < MOST_RENEWALS) return head;
    }
    return undefined;
  }
  /** Makes a region again, with those that call it directly. @returns false if it is too early: each time it must have run longer */
  #renew(head: Addr): boolean {
    const { since, region } = this.#regions.get(head)!;
    const times = this.#renewals.get(head) ?? 0;
    if (this.#clock - since < sizeOf(region) * RUN_PER_INSN * LATER ** times) return false;
    this.#renewals.set(head, times + 1);
    const gone = this.#callersOf(new Set([head]));
    for (const pc of gone) this.#drop(pc);
    for (const pc of gone) this.#candidates.set(pc, HAD);
    this.#wait(...gone);
    return true;
  }
  get #full(): boolean {
    return this.#regions.size >= this.#options.mostRegions || this.#live >= this.#options.mostInsns;
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
    const insn = this.#insns.insnAt(pc);
    if (insn === undefined) return;
    if (insn.rd !== 0) {
      this.#functions.add(target);
      this.#candidate(target, this.#options.threshold);
    }
    const targets = this.#targets.get(pc);
    if (targets === undefined) this.#targets.set(pc, [target]);
    else if (!targets.includes(target)) targets.push(target);
    if (insn.rd !== 0 || isLink(insn.rs1)) return;
    // A jump through a table, out of the regions that have it.
    for (const head of this.#switching.get(pc) ?? []) {
      add(this.#leading, target, head);
      this.#candidate(target, this.#options.threshold);
    }
  }

  #candidate(pc: Addr, count: number): void {
    const known = this.#candidates.get(pc);
    if (this.#owners.has(pc) || (known !== undefined && known <= count)) return;
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
    const { places, imports, helpers } = this.#home!;
    const started = performance.now();
    const flows = new Map<Addr, Flow>();
    // Regions made again first, then functions: others stop at their heads.
    const isWhole = (pc: Addr) => this.#functions.has(pc);
    const rank = (pc: Addr) => (isWhole(pc) ? 1 : this.#renewals.has(pc) ? 0 : 2);
    for (const pc of [...heads].sort((a, b) => rank(a) - rank(b))) {
      // It may have come into a region before it in the batch, and may be entered there then.
      if (!isWhole(pc) && [...flows.values()].some(({ region }) => has(region, pc))) {
        this.#again(pc, this.#options.threshold);
        continue;
      }
      const region = formRegion(this.#insns, pc, this.#knowledge(pc, flows));
      if (region === undefined) continue;
      flows.set(pc, flowOf(region));
      this.#hold(region, 1);
    }
    if (flows.size === 0) return;
    const module = new ModuleBuilder();
    module.importTable(1);
    const regionType = module.type(...REGION_TYPE);
    const count = module.importFunction('count', module.type([I64], []));
    const slotOf = module.importFunction('slotOf', module.type([I32], [I32]));
    const layout = importAll(module, places, imports);
    const locals = new ModuleHelpers(module, regionType, count);
    // Regions of one module call each other directly; others through the table, where they may be replaced.
    const functions = new Map<Addr, number>();
    for (const pc of flows.keys()) functions.set(pc, module.declare(regionType));
    const made: { readonly flow: Flow; readonly counts: RegionCounts; readonly links: Set<Addr> }[] = [];
    for (const [pc, flow] of flows) {
      const links = new Set<Addr>();
      const linkTo = (to: Addr): Link => {
        const known = functions.get(to);
        if (known === undefined) return { slot: this.#slotFor(to) };
        links.add(to);
        return { func: known };
      };
      const { code, counts } = emitRegion(flow, {
        layout,
        regionType,
        count,
        slotOf,
        locals,
        linkTo,
        slotFor: (to) => this.#slotFor(to),
        recordFor: (to) => records.target(to),
        counters: this.#counters,
        ranges: this.#ranges,
        accessed: (record) => records.count(record, RECORD.ACCESSED),
        halves: this.#halves,
      });
      const func = functions.get(pc)!;
      module.define(func, code);
      module.export(nameOf(pc), func);
      for (const { pc: entry } of flow.entries.slice(1)) {
        const enter = module.declare(regionType);
        module.define(enter, new Code(3).i32(records.target(entry)).get(1).get(2).returnCall(func));
        module.export(nameOf(pc) + nameOf(entry), enter);
      }
      made.push({ flow, counts, links });
    }
    const bytes = module.bytes();
    const emitted = performance.now();
    for (const flag of COMPILING) setFlagsFromString(`--no-${flag}`);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      m: { ...imports, table: this.#table, ...helpers },
    });
    for (const flag of COMPILING) setFlagsFromString(`--${flag}`);
    for (const { flow } of made) this.#enterAt(flow.region.head, exports[nameOf(flow.region.head)], flow.region.head);
    for (const { flow, counts, links } of made) {
      const { region } = flow;
      const pc = region.head;
      const entries = flow.entries.slice(1).map((entry) => entry.pc);
      const own = entries.filter((entry) => !this.#owners.has(entry) && !this.#functions.has(entry));
      for (const entry of own) this.#enterAt(entry, exports[nameOf(pc) + nameOf(entry)], pc);
      this.#regions.set(pc, { region, entries: new Set(own), counts, links, since: this.#clock });
      this.#counters.add(counts);
      for (const site of switchesOf(region)) add(this.#switching, site, pc);
      for (const to of leavesFor(region)) {
        add(this.#leading, to, pc);
        this.#candidate(to, this.#options.threshold);
      }
    }
    const { statistics } = this;
    statistics.regions += made.length;
    for (const { flow } of made) statistics.insns += sizeOf(flow.region);
    statistics.wasmBytes += bytes.length;
    statistics.translating += emitted - started;
    statistics.compiling += performance.now() - emitted;
  }

  #hold({ blocks }: Region, by: number): void {
    for (const { insns } of blocks)
      for (const { pc } of insns) {
        const count = (this.#held.get(pc) ?? 0) + by;
        if (count > 0) this.#held.set(pc, count);
        else this.#held.delete(pc);
        this.#live += by;
      }
  }

  /** Control that comes to an address goes to a region's code. */
  #enterAt(pc: Addr, func: unknown, head: Addr): void {
    const slot = this.#slotFor(pc);
    const owner = this.#owners.get(pc);
    if (owner !== undefined) this.#regions.get(owner.head)!.entries.delete(pc);
    this.#owners.set(pc, { head, slot });
    this.#table.set(slot, func);
    const { records } = this.#code;
    records.plant(records.find(pc)!, ROUTINE.REGION, slot);
  }
  /** The interpreter has it again. */
  #leaveAt(pc: Addr): void {
    this.#table.set(this.#owners.get(pc)!.slot, this.#interpret);
    this.#owners.delete(pc);
    const { records } = this.#code;
    records.unplant(records.find(pc)!);
    this.#candidates.delete(pc);
  }

  /** Regions with all those that call them directly. */
  #callersOf(heads: Set<Addr>): Set<Addr> {
    for (let before = -1; before !== heads.size; ) {
      before = heads.size;
      for (const [pc, { links }] of this.#regions) if ([...links].some((to) => heads.has(to))) heads.add(pc);
    }
    return heads;
  }
  /** The interpreter has a region's code again. None of its code may be running. */
  #drop(pc: Addr): void {
    const { region, entries, counts } = this.#regions.get(pc)!;
    this.#regions.delete(pc);
    this.#counters.drop(counts);
    this.#hold(region, -1);
    for (const to of leavesFor(region)) this.#leading.get(to)?.delete(pc);
    for (const site of switchesOf(region)) this.#switching.get(site)?.delete(pc);
    for (const entry of [pc, ...entries]) this.#leaveAt(entry);
  }

  #slotFor(pc: Addr): number {
    let slot = this.#slots.get(pc);
    if (slot === undefined) {
      slot = this.#slots.size + 1;
      this.#slots.set(pc, slot);
      if (slot >= this.#table.length) {
        const from = this.#table.grow(SLOTS);
        for (let i = from; i < this.#table.length; i++) this.#table.set(i, this.#interpret);
      }
    }
    return slot;
  }

  /** Records in the range are about to be cleared. */
  #forget(from: Addr, to: Addr): void {
    const { records } = this.#code;
    const gone = new Set<Addr>();
    for (const [pc, { region }] of this.#regions)
      if (region.blocks.some(({ insns }) => insns.some(({ pc: at, insn }) => at < to && at + insn.size > from)))
        gone.add(pc);
    for (const pc of this.#callersOf(gone)) {
      this.#drop(pc);
      if (pc < from || pc >= to) this.#candidate(pc, this.#options.threshold);
    }
    for (const pc of this.#candidates.keys())
      if (pc >= from && pc < to && records.known(pc)) records.unplant(records.find(pc)!);
    for (const pc of this.#targets.keys()) if (pc >= from && pc < to) this.#targets.delete(pc);
    this.#walked.clear();
    this.#insns.forget(from, to);
  }
}
