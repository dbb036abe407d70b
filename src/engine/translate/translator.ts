/**
 * Decides what is translated, and keeps it. Where a region may begin (targets of calls and of branches back, code behind calls, where
 * regions leave), COUNTED is planted over the instruction; when the interpreter has come there often enough, the region is formed,
 * compiled and entered from then on, by REGION over the instruction and by its slot in the table of regions.
 *
 * The translated code is made for one hart, the first one; others are interpreted.
 */
import { setFlagsFromString } from 'node:v8';
import type { Addr } from '../../base/units.ts';
import { I32, I64, ModuleBuilder } from '../../base/wasm.ts';
import type { Memory } from '../../machine/memory.ts';
import { importAll, moduleFor } from '../generate.ts';
import type { Predecoder } from '../predecode.ts';
import type { Imports, Places, RunCode, Upper } from '../record-engine.ts';
import { RECORD, ROUTINE } from '../records.ts';
import type { Routines } from '../routines.ts';
import type { TransferCounts } from '../transfers.ts';
import { Counters } from './counters.ts';
import type { RegionCounts } from './counts.ts';
import { emitRegion, type Link } from './emit.ts';
import { type Flow, flowOf } from './flow.ts';
import { CodeInsns } from './insns.ts';
import { buildInterpreter } from './interpreter.ts';
import { Ranges } from './ranges.ts';
import { formRegion, type Region } from './region.ts';
import { type Helpers, LEFT_PARAMETERS, makeHelpers, REGION_TYPE } from './support.ts';

export interface TranslateOptions {
  /** How often the interpreter comes to a function or a loop before it is translated; more often elsewhere. */
  readonly threshold: number;
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
const MOST = 0xffff;
/** In place of a candidate's count: it has been hot, and is or will be translated if it can be. */
const HAD = 0;
/** Slots that the table grows by. */
const SLOTS = 1024;

interface Translated {
  readonly region: Region;
  readonly slot: number;
  readonly func: unknown;
  readonly counts: RegionCounts;
  /** Heads of regions that its code calls directly: it goes when one of them does. */
  readonly links: ReadonlySet<Addr>;
}

/** Makes V8 heed hints of branches. From version 14 on it does so anyway. */
function hintBranches(): void {
  if (Number.parseInt(process.versions.v8, 10) < 14) setFlagsFromString('--experimental-wasm-branch-hinting');
}

/** The name that a region is exported by. */
const nameOf = (head: Addr): string => `r${head.toString(16)}`;

/** Where a region calls or goes, as far as is known. */
const reachedFrom = ({ blocks }: Region): Addr[] =>
  blocks.flatMap(({ insns, ending, successors, expected }) => {
    const reached = successors.filter(({ block }) => block < 0).map(({ pc }) => pc);
    if (ending === 'call' && insns.at(-1)!.ending === 'goto') reached.push(insns.at(-1)!.target);
    return expected === undefined ? reached : [...reached, expected];
  });

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
  /** How many regions have an instruction. */
  readonly #coverage = new Map<Addr, number>();
  /** Instructions in regions that there are. */
  #live = 0;
  readonly #functions = new Set<Addr>();
  readonly #targets = new Map<Addr, Addr[]>();
  /** Where COUNTED is planted, or will be when there is an instruction, with its count. */
  readonly #candidates = new Map<Addr, number>();
  readonly #walked = new Set<Addr>();
  /** What the translated code is made for. */
  #home: { readonly places: Places; readonly imports: Imports; readonly helpers: Helpers } | undefined;
  #interpret: unknown;
  /** Heads to translate next. */
  readonly #waiting: Addr[] = [];
  /** Has time passed since the last translation? */
  #late = false;

  constructor(memory: Memory, code: Predecoder, options: TranslateOptions) {
    this.#code = code;
    this.#insns = new CodeInsns(code);
    this.#options = options;
    this.#counters = new Counters(memory, code.records, options.counting);
    this.#ranges = new Ranges(memory, this.#counters.allocate);
    this.#table = new WebAssembly.Table({ element: 'anyfunc', initial: SLOTS });
    this.#halves = new Uint16Array(memory.linear.buffer);
    hintBranches();
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
      const live = new Set([...this.#regions.values()].map(({ slot }) => slot));
      for (let slot = 0; slot < this.#table.length; slot++) if (!live.has(slot)) table.set(slot, this.#interpret);
    }
    return exports.run;
  }

  decoded(pc: Addr): void {
    if (this.#walked.has(pc)) return;
    this.#walked.add(pc);
    const { threshold } = this.#options;
    for (let at = pc; ; ) {
      const found = this.#insns.at(at);
      if (found === undefined) return;
      const waiting = this.#candidates.get(at);
      if (waiting !== undefined) this.#plant(at, waiting);
      const { insn, ending, target } = found;
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
    if (!this.#full) this.#waiting.push(pc);
  }
  get #full(): boolean {
    return this.#regions.size >= this.#options.mostRegions || this.#live >= this.#options.mostInsns;
  }
  // A module costs something whatever is in it, so regions are made several at a time; but not much later than they get hot.
  slice(): void {
    this.#late = true;
  }
  get due(): boolean {
    const { length } = this.#waiting;
    return length >= this.#options.batch || (this.#late && length > 0);
  }
  work(): void {
    this.#late = false;
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
    const insn = this.#insns.at(pc)?.insn;
    if (insn === undefined) return;
    if (insn.rd !== 0) {
      this.#functions.add(target);
      this.#candidate(target, this.#options.threshold);
    }
    const targets = this.#targets.get(pc);
    if (targets === undefined) this.#targets.set(pc, [target]);
    else if (!targets.includes(target)) targets.push(target);
  }

  #candidate(pc: Addr, count: number): void {
    const known = this.#candidates.get(pc);
    if (this.#regions.has(pc) || (known !== undefined && known <= count)) return;
    this.#candidates.set(pc, count);
    if (this.#insns.at(pc) !== undefined) this.#plant(pc, count);
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
    for (const pc of heads) {
      const region = formRegion(this.#insns, pc, {
        targetsOf: (site) => this.#targets.get(site) ?? [],
        isFunction: (target) => this.#functions.has(target),
        coverage: (at) => this.#coverage.get(at) ?? 0,
      });
      if (region === undefined) continue;
      flows.set(pc, flowOf(region));
      this.#cover(region, 1);
    }
    if (flows.size === 0) return;
    const module = new ModuleBuilder();
    module.importTable(1);
    const regionType = module.type(...REGION_TYPE);
    const count = module.importFunction('count', module.type([I64], []));
    const returned = module.importFunction('returned', module.type([I32, I64], [I32]));
    const left = module.importFunction('left', module.type(LEFT_PARAMETERS, REGION_TYPE[1]));
    const slotOf = module.importFunction('slotOf', module.type([I32], [I32]));
    const layout = importAll(module, places, imports);
    // What the regions call directly: each other, and those that are there already.
    const functions = new Map<Addr, number>();
    const others: Record<string, unknown> = {};
    for (const flow of flows.values())
      for (const pc of reachedFrom(flow.region)) {
        const there = this.#regions.get(pc);
        if (there === undefined || functions.has(pc)) continue;
        functions.set(pc, module.importFunction(nameOf(pc), regionType));
        others[nameOf(pc)] = there.func;
      }
    for (const pc of flows.keys()) functions.set(pc, module.declare(regionType));
    const made: { readonly region: Region; readonly counts: RegionCounts; readonly links: Set<Addr> }[] = [];
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
        returned,
        left,
        slotOf,
        linkTo,
        recordFor: (to) => records.target(to),
        counters: this.#counters,
        ranges: this.#ranges,
        accessed: (record) => records.count(record, RECORD.ACCESSED),
        halves: this.#halves,
      });
      const func = functions.get(pc)!;
      module.define(func, code);
      module.export(nameOf(pc), func);
      made.push({ region: flow.region, counts, links });
    }
    const bytes = module.bytes();
    const emitted = performance.now();
    setFlagsFromString('--no-liftoff');
    setFlagsFromString('--no-wasm-lazy-compilation');
    // What is left of the stack is counted (see DEPTH), far from where it ends.
    setFlagsFromString('--no-wasm-stack-checks');
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      m: { ...imports, table: this.#table, ...helpers, ...others },
    });
    setFlagsFromString('--liftoff');
    setFlagsFromString('--wasm-lazy-compilation');
    setFlagsFromString('--wasm-stack-checks');
    for (const { region, counts, links } of made) {
      const pc = region.head;
      const slot = this.#slotFor(pc);
      const func: unknown = exports[nameOf(pc)];
      this.#table.set(slot, func);
      records.plant(records.find(pc)!, ROUTINE.REGION, slot);
      this.#regions.set(pc, { region, slot, func, counts, links });
      this.#counters.add(counts);
      for (const { successors } of region.blocks)
        for (const { pc: to, block } of successors)
          if (block < 0 && !this.#regions.has(to)) this.#candidate(to, this.#options.threshold);
    }
    const { statistics } = this;
    statistics.regions += made.length;
    for (const { region } of made) for (const block of region.blocks) statistics.insns += block.insns.length;
    statistics.wasmBytes += bytes.length;
    statistics.translating += emitted - started;
    statistics.compiling += performance.now() - emitted;
  }

  #cover({ blocks }: Region, by: number): void {
    for (const { insns } of blocks) {
      this.#live += by * insns.length;
      for (const { pc } of insns) this.#coverage.set(pc, (this.#coverage.get(pc) ?? 0) + by);
    }
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
    for (let before = -1; before !== gone.size; ) {
      before = gone.size;
      for (const [pc, { links }] of this.#regions)
        if (!gone.has(pc) && [...links].some((to) => gone.has(to))) gone.add(pc);
    }
    for (const pc of gone) {
      const { region, slot, counts } = this.#regions.get(pc)!;
      this.#regions.delete(pc);
      this.#counters.drop(counts);
      this.#cover(region, -1);
      this.#table.set(slot, this.#interpret);
      records.unplant(records.find(pc)!);
      this.#candidates.delete(pc);
      if (pc < from || pc >= to) this.#candidate(pc, this.#options.threshold);
    }
    for (const pc of this.#candidates.keys())
      if (pc >= from && pc < to && records.known(pc)) records.unplant(records.find(pc)!);
    for (const pc of this.#targets.keys()) if (pc >= from && pc < to) this.#targets.delete(pc);
    this.#walked.clear();
    this.#insns.forget(from, to);
  }
}
