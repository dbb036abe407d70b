/**
 * Modules of regions: emitted, compiled and put in place, with the tables that their code reads; and the interpreter beneath them, with
 * which they share the table of regions. Translated code is made for the first hart only.
 */
import type { Addr, InsnCount } from '../../base/units.ts';
import type { Imports, Places, RunCode } from '../core.ts';
import { moduleFor } from '../generate.ts';
import { RECORD } from '../records.ts';
import type { Routines } from '../routines.ts';
import { type CompiledModule, compileModule, type Table } from './compile.ts';
import { type EmittedRegion, emitModule } from './emit-module.ts';
import type { Flow } from './flow.ts';
import type { Hotness } from './hotness.ts';
import { buildInterpreter } from './interpreter.ts';
import type { KeptModule } from './kept.ts';
import type { Parts } from './parts.ts';
import { nameOf, outlineOf, type Translated } from './regions.ts';
import { type Helpers, makeHelpers } from './support.ts';

interface EmittedModule {
  readonly bytes: Uint8Array;
  readonly tables: readonly Table[];
  readonly regions: readonly EmittedRegion[];
}

export class Modules {
  readonly #parts: Parts;
  readonly #hotness: Hotness;
  readonly #jumped: (site: number, target: Addr) => void;
  readonly #halves: Uint16Array;
  /** The places, imports and helpers that translated code is made for. */
  #home: { readonly places: Places; readonly imports: Imports; readonly helpers: Helpers } | undefined;

  /** @param jumped called when an indirect jump (its record) has gone to a target that is not in the table of jumps */
  constructor(parts: Parts, hotness: Hotness, jumped: (site: number, target: Addr) => void) {
    this.#parts = parts;
    this.#hotness = hotness;
    this.#jumped = jumped;
    this.#halves = new Uint16Array(parts.memory.linear.buffer);
  }

  /** Is there a hart that translated code can be made for? */
  get ready(): boolean {
    return this.#home !== undefined;
  }
  /** The interpreter for a hart. */
  interpreter(routines: Routines, places: Places, imports: Imports): RunCode {
    const { regions, code } = this.#parts;
    const { plantsAt } = code.records;
    const jumped = (next: bigint) => this.#jumped(Number(next >> 32n), Number(next & 0xffff_ffffn));
    this.#home ??= { places, imports, helpers: makeHelpers(places, imports, regions.table, plantsAt, jumped) };
    const first = this.#home.places.hart === places.hart;
    const module = moduleFor(`translate ${plantsAt} ${first}`, routines, places, imports, () =>
      buildInterpreter(routines, places, imports, plantsAt, first),
    );
    const table = first ? regions.table : new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
    const { count } = this.#home.helpers;
    const { exports } = new WebAssembly.Instance(module, { m: { ...imports, table, count } });
    if (first) regions.setInterpreter(exports.interpret);
    return exports.run;
  }

  /** Emits regions as a module. */
  emit(flows: ReadonlyMap<Addr, Flow>): EmittedModule {
    const { code, regions: inPlace, counters, ranges, destinations } = this.#parts;
    const { records } = code;
    const { places, imports } = this.#home!;
    const tables: Table[] = [];
    const { bytes, regions } = emitModule(flows, places, imports, {
      slotFor: inPlace.slotFor,
      recordFor: (to) => records.target(to),
      counters,
      ranges,
      accessed: (record) => records.count(record, RECORD.ACCESSED),
      returnsVary: (link) => destinations.hasSeveralSites(link),
      tableOf: (halves) => {
        const at = counters.allocate(halves.byteLength);
        tables.push({ at, halves });
        return at;
      },
    });
    return { bytes, tables, regions };
  }
  /** Compiles an emitted module, and puts its regions in place. @param clock time on the translator's clock */
  load({ bytes, tables, regions }: EmittedModule, clock: InsnCount): readonly Translated[] {
    const module = this.#compile(bytes, tables);
    const made = regions.map(({ flow, counts, links }): Translated => {
      const ways = flow.entries.slice(1).map(({ pc }) => pc);
      return { outline: outlineOf(flow.region), ways, counts, links, module, since: clock };
    });
    this.enter(made);
    return made;
  }
  /** Compiles a module of an earlier run. @returns undefined if the bytes are no module of these regions, as only a forged file has them */
  compileKept({ bytes, tables, native, regions }: KeptModule): CompiledModule | undefined {
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
  #compile(bytes: Uint8Array, tables: readonly Table[], native?: ArrayBuffer): CompiledModule {
    const { imports, helpers } = this.#home!;
    for (const { at, halves } of tables) this.#halves.set(halves, at / 2);
    return compileModule(bytes, { ...imports, table: this.#parts.regions.table, ...helpers }, tables, native);
  }

  /** Puts the regions of a module in place. */
  enter(made: readonly Translated[]): void {
    const { regions, counters, destinations } = this.#parts;
    for (const region of made) regions.add(region);
    for (const region of made) {
      regions.addEntries(region, (pc) => destinations.isFunction(pc));
      counters.add(region.counts);
      for (const to of region.outline.leaves) this.#hotness.watch(to);
    }
  }
  /** Gives a region's code back to the interpreter. None of it may be running. */
  drop(head: Addr): void {
    const { regions, counters } = this.#parts;
    counters.drop(regions.at(head)!.counts);
    for (const pc of regions.drop(head)) this.#hotness.unwatch(pc);
  }
}
