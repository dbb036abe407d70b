/**
 * The layer of translated code above the interpreter. When the interpreter has come to an address often enough (hotness.ts), and a region
 * there is worth it (policy.ts), the address waits for others to be translated with it (schedule.ts); the regions are then formed, compiled
 * and put in place (modules.ts), and are entered from then on, by REGION over the instruction and by their slots in the table of regions.
 * Code is forgotten where the guest changes it, and kept for the next run at the end (kept-code.ts).
 *
 * The translated code is made for the first hart only; other harts are interpreted.
 */
import { type Addr, type InsnCount, isLink } from '../../base/units.ts';
import { decodeAt } from '../../isa/decode.ts';
import type { Memory } from '../../machine/memory.ts';
import type { Imports, Places, RunCode } from '../core.ts';
import { prepareV8 } from '../generate.ts';
import type { Predecoder } from '../predecode.ts';
import type { Upper } from '../record-engine.ts';
import type { Routines } from '../routines.ts';
import type { TransferCounts } from '../transfers.ts';
import { Counters } from './counters.ts';
import { Destinations } from './destinations.ts';
import { Hotness, LARGEST_COUNT } from './hotness.ts';
import { CodeInsns } from './insns.ts';
import type { Kept } from './kept.ts';
import { KeptCode } from './kept-code.ts';
import { Modules } from './modules.ts';
import type { Parts } from './parts.ts';
import { Policy, type TranslateOptions } from './policy.ts';
import { Ranges } from './ranges.ts';
import { type Outline, Regions } from './regions.ts';
import { Schedule } from './schedule.ts';

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

export class Translator implements Upper {
  readonly statistics: TranslateStatistics = {
    regions: 0,
    insns: 0,
    wasmBytes: 0,
    translating: 0,
    compiling: 0,
    kept: 0,
  };
  readonly #parts: Parts;
  readonly #hotness: Hotness;
  readonly #policy: Policy;
  readonly #schedule: Schedule;
  readonly #modules: Modules;
  readonly #keptCode: KeptCode;

  /** @param kept translated code of an earlier run */
  constructor(memory: Memory, code: Predecoder, options: TranslateOptions, kept?: Kept) {
    const counters = new Counters(memory, code.records, options.counting);
    this.#parts = {
      memory,
      code,
      insns: new CodeInsns(code),
      regions: new Regions(code.records),
      counters,
      ranges: new Ranges(memory, counters.allocate),
      destinations: new Destinations(),
    };
    prepareV8();
    code.records.allowPlants();
    code.onClear = (from, to) => this.#forget(from, to);
    code.onReset = () => this.#forgetAll();
    this.#hotness = new Hotness(this.#parts, options.threshold);
    this.#policy = new Policy(this.#parts, options, this.#hotness);
    this.#schedule = new Schedule(options);
    this.#modules = new Modules(this.#parts, this.#hotness, (site, target) => this.#jumped(site, target));
    this.#keptCode = new KeptCode(this.#parts, this.#policy, this.#modules, kept);
  }

  /** The interpreter for a hart. */
  generate(routines: Routines, places: Places, imports: Imports): RunCode {
    const begins = !this.#modules.ready;
    const run = this.#modules.interpreter(routines, places, imports);
    if (begins) this.statistics.kept += this.#keptCode.take();
    return run;
  }

  decoded(pc: Addr): void {
    if (!this.#hotness.isNew(pc)) return;
    this.statistics.kept += this.#keptCode.look(pc);
    this.#hotness.walk(pc);
  }

  hot(pc: Addr, record: number): void {
    this.#hotness.countedDown(pc, record);
    const owner = this.#policy.ownerOf(pc);
    if (owner !== undefined) {
      // A region that gets the code now need not be entered there: an address that the interpreter goes on coming to gets its own region.
      if (this.#renew(owner)) this.#hotness.watchAgain(pc, LARGEST_COUNT);
      else this.#hotness.watchAgain(pc);
      return;
    }
    if (this.#policy.full) return;
    const lacking = this.#policy.lacking(pc);
    if (lacking <= 0) this.#schedule.add(pc);
    else this.#hotness.watchAgain(pc, lacking);
  }
  /** Makes a region again, with those that call it directly. @returns false if it is too early */
  #renew(head: Addr): boolean {
    if (!this.#policy.renews(head, this.#schedule.clock)) return false;
    const { regions } = this.#parts;
    const gone = regions.callersOf([head]);
    for (const { outline } of [...gone].map((pc) => regions.at(pc)!)) this.#decode(outline);
    // Decoding looks again where there was no code, which can drop regions.
    for (const pc of gone) if (regions.at(pc) !== undefined) this.#modules.drop(pc);
    for (const pc of gone) this.#hotness.settle(pc);
    this.#schedule.add(...gone);
    return true;
  }
  /** Decodes a region's instructions: of a region from an earlier run few may have been interpreted in this run. */
  #decode({ pcs }: Outline): void {
    const { code, insns } = this.#parts;
    for (const pc of pcs) {
      if (insns.insnAt(pc) !== undefined) continue;
      code.decode(pc);
      this.decoded(pc);
      this.#hotness.noteHot(pc);
    }
  }

  ran(insns: InsnCount): void {
    this.#schedule.ran(insns);
  }
  get slice(): InsnCount {
    return this.#schedule.slice;
  }
  get due(): boolean {
    return this.#schedule.isDue(this.statistics.insns);
  }
  work(): void {
    const { statistics } = this;
    const started = performance.now();
    const flows = this.#policy.form(this.#schedule.take());
    if (flows.size === 0) return;
    const module = this.#modules.emit(flows);
    const emitted = performance.now();
    const made = this.#modules.load(module, this.#schedule.clock);
    statistics.regions += made.length;
    for (const { outline } of made) statistics.insns += outline.pcs.length;
    statistics.wasmBytes += module.bytes.length;
    statistics.translating += emitted - started;
    statistics.compiling += performance.now() - emitted;
  }

  /** An indirect jump has gone to a target that is not in the table of jumps. @param site the jump's record */
  #jumped(site: number, target: Addr): void {
    const { memory, code, insns, regions, destinations } = this.#parts;
    code.jumps.insert(site, target);
    const pc = code.records.pcOf(site);
    // In a region from an earlier run the jump may not have been decoded; the code is the same then.
    const insn = insns.insnAt(pc) ?? decodeAt(memory.bytes, pc);
    if (insn === undefined) return;
    const calls = insn.rd !== 0;
    if (calls) {
      destinations.addFunction(target);
      this.#hotness.watch(target);
    }
    destinations.addTarget(pc, target);
    if (calls || isLink(insn.rs1)) return;
    // A jump through a table, out of the regions that have the jump.
    if (regions.leadsFrom(pc, target)) this.#hotness.watch(target);
  }

  collect(counts: TransferCounts): void {
    this.#parts.counters.collect(counts);
  }
  /** The translated code for the next run of this program to begin with; undefined if it is hardly more than this run began with. */
  keep(): Kept | undefined {
    const { regions, kept } = this.statistics;
    return this.#keptCode.keep(regions, kept);
  }

  /** Records in the range are about to be cleared. */
  #forget(from: Addr, to: Addr): void {
    const { insns, regions, destinations } = this.#parts;
    const heads = regions.within(from, to);
    if (heads.length > 0)
      for (const pc of regions.callersOf(heads)) {
        this.#modules.drop(pc);
        if (pc < from || pc >= to) this.#hotness.watch(pc);
      }
    this.#hotness.forget(from, to);
    destinations.forget(from, to);
    insns.forget(from, to);
  }
  /** All records are about to be freed. Knowledge of the program stays. */
  #forgetAll(): void {
    const { insns, regions, counters } = this.#parts;
    for (const { outline } of [...regions.all()]) this.#modules.drop(outline.head);
    counters.reset();
    this.#keptCode.forgetAll();
    this.#schedule.take();
    this.#hotness.forgetAll();
    this.#policy.forgetAll();
    insns.forgetAll();
  }
}
