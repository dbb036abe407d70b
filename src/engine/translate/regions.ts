/**
 * The regions in place: the guest code that they have, the addresses where they are entered, and the addresses where they lead. Each place
 * where translated code may begin has a slot in a table of functions; slot 0, and each slot that has no region, has the interpreter.
 */
import { alignDown } from '../../base/bits.ts';
import { type Addr, type InsnCount, PAGE } from '../../base/units.ts';
import { type Records, ROUTINE } from '../records.ts';
import type { CompiledModule } from './compile.ts';
import type { EdgeCounts } from './counts.ts';
import { keysWithin } from './insns.ts';
import type { Region } from './region.ts';

/** The part of a region that is remembered once the region is made. */
export interface Outline {
  readonly head: Addr;
  /** Its instructions: their addresses, and the addresses behind them. */
  readonly pcs: Uint32Array;
  readonly ends: Uint32Array;
  /** Addresses outside to which it leads, but for calls. */
  readonly leaves: readonly Addr[];
  /** Its jumps through tables. */
  readonly switches: readonly Addr[];
}

export interface Translated {
  readonly outline: Outline;
  /** Addresses besides its head where its code can be entered. */
  readonly ways: readonly Addr[];
  readonly counts: EdgeCounts;
  /** Heads of regions that its code calls directly: the region is dropped when one of them is. */
  readonly links: ReadonlySet<Addr>;
  readonly module: CompiledModule;
  /** Time at which the region was made, by the translator's clock. */
  readonly since: InsnCount;
}

/** Slots that the table grows by. */
const SLOTS = 64;

export function outlineOf({ head, blocks }: Region): Outline {
  const insns = blocks.flatMap((block) => block.insns);
  return {
    head,
    pcs: Uint32Array.from(insns, ({ pc }) => pc),
    ends: Uint32Array.from(insns, ({ pc, insn }) => pc + insn.size),
    leaves: blocks.flatMap(({ successors, others = [] }) => [
      ...successors.filter(({ block }) => block < 0).map(({ pc }) => pc),
      ...others,
    ]),
    switches: blocks.flatMap(({ insns: list, ending }) => (ending === 'switch' ? [list.at(-1)!.pc] : [])),
  };
}

/** The name under which a region is exported: at its head, or at another entry. */
export const nameOf = (head: Addr, entry?: Addr): string =>
  `r${head.toString(16)}${entry === undefined ? '' : `r${entry.toString(16)}`}`;

const pagesOf = ({ pcs, ends }: Outline): Set<Addr> =>
  new Set([...pcs, ...ends.map((end) => end - 1)].map((at) => alignDown(at, PAGE)));

/** Adds to a set in a map of sets. */
function addTo(sets: Map<Addr, Set<Addr>>, key: Addr, value: Addr): void {
  const known = sets.get(key);
  if (known === undefined) sets.set(key, new Set([value]));
  else known.add(value);
}

export class Regions {
  readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: SLOTS });
  readonly #records: Records;
  readonly #slots = new Map<Addr, number>();
  readonly #regions = new Map<Addr, Translated>();
  /** By address where translated code is entered: the head of the region. */
  readonly #owners = new Map<Addr, Addr>();
  /** Number of regions that have an instruction, by address; and the sum of these numbers. */
  readonly #held = new Map<Addr, number>();
  #insns = 0;
  /** Heads of regions, by the pages that their instructions are on. */
  readonly #byPage = new Map<Addr, Set<Addr>>();
  /** Heads of the regions that lead to an address, by the address. */
  readonly #leading = new Map<Addr, Set<Addr>>();
  /** Heads of the regions that have a jump through a table, by the jump's address. */
  readonly #switching = new Map<Addr, Set<Addr>>();
  #interpret: unknown;

  constructor(records: Records) {
    this.#records = records;
  }

  get count(): number {
    return this.#regions.size;
  }
  /** Instructions of all regions. */
  get insns(): InsnCount {
    return this.#insns;
  }
  all(): Iterable<Translated> {
    return this.#regions.values();
  }
  /** Addresses that have slots, in the order of the slots. */
  get slotted(): readonly Addr[] {
    return [...this.#slots.keys()];
  }
  /** The region with this head. */
  at(head: Addr): Translated | undefined {
    return this.#regions.get(head);
  }
  /** The head of the region that is entered at an address. */
  ownerOf(pc: Addr): Addr | undefined {
    return this.#owners.get(pc);
  }
  /** Does any region have the instruction? */
  holds(pc: Addr): boolean {
    return this.#held.has(pc);
  }
  /** Heads of the regions that lead to an address. */
  leadingTo(pc: Addr): Iterable<Addr> {
    return this.#leading.get(pc) ?? [];
  }
  /** Notes that a jump through a table goes to an address outside the regions with the jump. @returns false if no region has the jump */
  leadsFrom(site: Addr, target: Addr): boolean {
    const heads = this.#switching.get(site);
    for (const head of heads ?? []) addTo(this.#leading, target, head);
    return heads !== undefined && heads.size > 0;
  }

  /** Sets the function that is called where no code is translated. */
  setInterpreter(interpret: unknown): void {
    this.#interpret = interpret;
    const live = new Set([...this.#owners.keys()].map((pc) => this.#slots.get(pc)));
    for (let slot = 0; slot < this.table.length; slot++) if (!live.has(slot)) this.table.set(slot, interpret);
  }
  /** The slot for code at an address, translated or not. */
  readonly slotFor = (pc: Addr): number => {
    let slot = this.#slots.get(pc);
    if (slot === undefined) {
      slot = this.#slots.size + 1;
      this.#slots.set(pc, slot);
      if (slot >= this.table.length) {
        const from = this.table.grow(SLOTS);
        if (this.#interpret !== undefined)
          for (let i = from; i < this.table.length; i++) this.table.set(i, this.#interpret);
      }
    }
    return slot;
  };

  /** From now on control that comes to a region's head goes to its code. */
  add(made: Translated): void {
    const { outline, module } = made;
    const { head, pcs, leaves, switches } = outline;
    this.#regions.set(head, made);
    for (const pc of pcs) this.#held.set(pc, (this.#held.get(pc) ?? 0) + 1);
    this.#insns += pcs.length;
    for (const page of pagesOf(outline)) addTo(this.#byPage, page, head);
    for (const to of leaves) addTo(this.#leading, to, head);
    for (const site of switches) addTo(this.#switching, site, head);
    this.#enterAt(head, module.exports[nameOf(head)], head);
  }
  /** The same for control that comes to its other entries, but for those where other regions are entered and those excepted. */
  addEntries({ outline: { head }, ways, module }: Translated, except: (pc: Addr) => boolean): void {
    for (const pc of ways)
      if (!this.#owners.has(pc) && !except(pc)) this.#enterAt(pc, module.exports[nameOf(head, pc)], head);
  }
  #enterAt(pc: Addr, func: unknown, head: Addr): void {
    const slot = this.slotFor(pc);
    this.#owners.set(pc, head);
    this.table.set(slot, func);
    this.#records.plant(this.#records.find(pc)!, ROUTINE.REGION, slot);
  }

  /** Gives a region's code back to the interpreter. None of it may be running. @returns the addresses where the region was entered */
  drop(head: Addr): Addr[] {
    const { outline, ways } = this.#regions.get(head)!;
    this.#regions.delete(head);
    for (const pc of outline.pcs) {
      const count = this.#held.get(pc)! - 1;
      if (count > 0) this.#held.set(pc, count);
      else this.#held.delete(pc);
    }
    this.#insns -= outline.pcs.length;
    for (const page of pagesOf(outline)) this.#byPage.get(page)?.delete(head);
    for (const to of outline.leaves) this.#leading.get(to)?.delete(head);
    for (const site of outline.switches) this.#switching.get(site)?.delete(head);
    const entered = [head, ...ways].filter((pc) => this.#owners.get(pc) === head);
    for (const pc of entered) {
      this.table.set(this.#slots.get(pc)!, this.#interpret);
      this.#owners.delete(pc);
      this.#records.unplant(this.#records.find(pc)!);
    }
    return entered;
  }
  /** Heads of regions, with the heads of all regions that call these directly, and so on. */
  callersOf(heads: Iterable<Addr>): Set<Addr> {
    const all = new Set(heads);
    for (let before = -1; before !== all.size; ) {
      before = all.size;
      for (const [pc, { links }] of this.#regions) if ([...links].some((to) => all.has(to))) all.add(pc);
    }
    return all;
  }
  /** Heads of the regions with an instruction in a range. */
  within(from: Addr, to: Addr): Addr[] {
    const pages = keysWithin(this.#byPage, alignDown(from, PAGE), to, PAGE);
    const heads = new Set([...pages].flatMap((page) => [...this.#byPage.get(page)!]));
    return [...heads].filter((head) => {
      const { pcs, ends } = this.#regions.get(head)!.outline;
      return pcs.some((at, i) => at < to && ends[i]! > from);
    });
  }
}
