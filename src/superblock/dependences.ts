/**
 * Which ops of a line must stay before which other ops. Every order that keeps these dependences is as sound as the line's own. Dependences
 * come from registers (by the home rule), from accesses to memory that may overlap, and from exits:
 *
 * - an op whose result an exit wants (in its snapshot, or as an operand of a sunk op) stays above the exit, and the home of such a value is
 *   not overwritten above the exit;
 * - stores, floating-point flags and ordered ops stay on their side of every exit;
 * - an instruction that the machine may lack stays behind every exit before it: that exit may be the program's test for the extension;
 * - a load may move below an exit that does not want its value, but never above an exit, which may be the check that makes the load safe.
 *
 * An op that moves the stack pointer stays on its side of all accesses: a signal may overwrite memory below the stack pointer.
 */
import { regsIn } from '../base/regset.ts';
import { REG_COUNT, type Reg, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Term } from '../domain/term.ts';
import { bitOf, EVERY_EXTENSION, type ExtensionSet } from '../isa/extensions.ts';
import { type Exit, isOrdered, type Op, operandsOf, type Superblock, type Value, wanted } from './form.ts';
import { type Homes, homesOf } from './homes.ts';
import { cannotOverlap, type Place } from './line-memory.ts';
import type { SuperblockTerms } from './terms.ts';

/** One constraint on an op: an earlier op that must stay before it. */
export interface Dependence {
  /** Position of the earlier op. */
  readonly on: number;
  /** The register through which the earlier op's result is read; undefined if only the order matters. */
  readonly through: Reg | undefined;
}

/** Adds a dependence to the op in hand: on the op at `on`, if there is one and it is another op. */
type After = (on: number | undefined, through?: Reg) => void;

/**
 * By position: the dependences of each op of the line.
 * @param terms the superblock's own terms, or those of the same line with other homes
 * @param machine extensions that every machine has (pass.ts)
 */
export function dependencesOf(
  superblock: Superblock,
  terms: SuperblockTerms,
  machine: ExtensionSet = EVERY_EXTENSION,
): readonly (readonly Dependence[])[] {
  const { ops } = superblock;
  const registers = new Registers(homesOf(superblock).homeOf);
  const effects = new Effects(terms, machine);
  const all: Dependence[][] = ops.map(() => []);
  for (const [position, op] of ops.entries()) {
    const mine = all[position]!;
    const after: After = (on, through) => {
      if (on !== undefined && on !== position) mine.push({ on, through });
    };
    registers.read(position, op, after);
    effects.pass(position, op, after);
    const home = facts(op.insn).writes;
    if (home !== undefined) registers.write(position, home, after);
    if (home === SP) effects.moveStack(position, after);
  }
  keepLast(superblock, all);
  return all;
}

/** Dependences through the homes of values, as far as the line has come. */
class Registers {
  readonly #homeOf: Homes['homeOf'];
  readonly #lastWrite: (number | undefined)[] = new Array(REG_COUNT);
  /** By register: ops that have read it since its last write. */
  readonly #readers: number[][] = Array.from({ length: REG_COUNT }, () => []);
  /** By register: the last op whose exit wants it, since its last write. Exits keep their order, so the last is enough. */
  readonly #lastExitReader: (number | undefined)[] = new Array(REG_COUNT);

  constructor(homeOf: Homes['homeOf']) {
    this.#homeOf = homeOf;
  }

  /** The op's operands, and the values that its exit wants. */
  read(position: number, op: Op, after: After): void {
    for (const value of operandsOf(op)) {
      const home = this.#homeOf(value);
      if (home === undefined) continue;
      after(this.#lastWrite[home], home);
      this.#readers[home]!.push(position);
    }
    if (op.exit === undefined) return;
    for (const home of this.#wantedHomes(op.exit)) {
      after(this.#lastWrite[home]);
      this.#lastExitReader[home] = position;
    }
  }
  #wantedHomes(exit: Exit): Set<Reg> {
    const own = new Set(exit.sunk.map((op) => op.id));
    const homes = new Set<Reg>();
    const want = (value: Value) => {
      if (value.kind === 'op' && own.has(value.id)) return;
      const home = this.#homeOf(value);
      if (home !== undefined) homes.add(home);
    };
    for (const reg of regsIn(exit.live)) want(wanted(exit, reg));
    for (const op of exit.sunk) for (const value of operandsOf(op)) want(value);
    return homes;
  }

  write(position: number, home: Reg, after: After): void {
    after(this.#lastWrite[home]);
    for (const reader of this.#readers[home]!) after(reader);
    after(this.#lastExitReader[home]);
    this.#readers[home] = [];
    this.#lastExitReader[home] = undefined;
    this.#lastWrite[home] = position;
  }
}

/** Dependences between ops by what they do besides computing: accesses, exits, flags, and moves of the stack pointer. */
class Effects {
  readonly #machine: ExtensionSet;
  readonly #accesses: Accesses;
  #lastExit: number | undefined;
  #lastEffect: number | undefined;
  #lastOrdered: number | undefined;
  #lastStackMove: number | undefined;
  /** Accesses since the last op that moves the stack pointer. */
  readonly #sinceStackMove: number[] = [];
  /** Ops since the last ordered one that keep their order with ordered ones. */
  readonly #sinceOrdered: number[] = [];

  constructor(terms: SuperblockTerms, machine: ExtensionSet) {
    this.#accesses = new Accesses(terms);
    this.#machine = machine;
  }

  pass(position: number, op: Op, after: After): void {
    const fact = facts(op.insn);
    const leaves =
      op.exit !== undefined || fact.control === 'indirect' || (fact.control === 'jump' && fact.writes === undefined);
    const accesses = fact.load !== undefined || fact.store !== undefined;
    const ordered = isOrdered(op);
    const effect = fact.store !== undefined || ordered || fact.accrues;
    const observes = accesses || effect || fact.readsRounding;
    // An instruction that the machine may lack could be illegal there: an exit before it may be the program's test for the extension.
    const illegal = (bitOf(op.insn.row) & this.#machine) === 0n;
    if (leaves || effect || illegal || fact.load !== undefined) after(this.#lastExit);
    if (leaves || effect) after(this.#lastEffect);
    if (observes) after(this.#lastOrdered);
    if (accesses) {
      after(this.#lastStackMove);
      for (const other of this.#accesses.pass(position, op)) after(other);
      this.#sinceStackMove.push(position);
    }
    if (ordered) {
      for (const other of this.#sinceOrdered) after(other);
      this.#sinceOrdered.length = 0;
      this.#lastOrdered = position;
    } else if (observes) this.#sinceOrdered.push(position);
    if (leaves) this.#lastExit = position;
    if (effect) this.#lastEffect = position;
  }
  moveStack(position: number, after: After): void {
    for (const other of this.#sinceStackMove) after(other);
    this.#sinceStackMove.length = 0;
    this.#lastStackMove = position;
  }
}

/** A branch right before a `goto` stays last in the line: placement may invert the branch and save the jump. */
function keepLast({ ops, final }: Superblock, all: Dependence[][]): void {
  const last = ops.length - 1;
  if (final.kind !== 'goto' || ops[last]?.exit === undefined) return;
  for (let on = 0; on < last; on++) all[last]!.push({ on, through: undefined });
}

interface Access {
  readonly position: number;
  readonly place: Place;
}

/** Accesses through one base. */
interface Group {
  readonly base: Term | undefined;
  /** Position of the group's last store that saves no register. */
  store: number | undefined;
  /** Loads that no store depends on yet. */
  loads: Access[];
}

/**
 * The accesses of a line so far, and which of them a new access cannot pass. Stores keep their order, so a dependence on the last of
 * several stores implies the others, and a load that some store depends on needs no dependence from later stores. Accesses through
 * different bases may overlap, but are known to miss some stores that save registers; those are few, and each is compared.
 */
class Accesses {
  readonly #known: SuperblockTerms;
  readonly #groups = new Map<Term | undefined, Group>();
  /** Groups in the order of their stores, each once for all of its stores in a row. */
  readonly #storing: Group[] = [];
  /** Stores that save registers. */
  readonly #saving: Access[] = [];
  /** Groups with loads that no store depends on yet. */
  readonly #loading = new Set<Group>();
  /** By base and address, the last store to a byte and the loads of it since. */
  readonly #bytes = new Map<string, { store: number | undefined; loads: number[] }>();
  /** Positions of the last store and of the loads whose place is unknown. */
  #lostStore: number | undefined;
  #lostLoads: number[] = [];
  #lastStore: number | undefined;

  constructor(terms: SuperblockTerms) {
    this.#known = terms;
  }

  /** Adds an access to the line. @returns positions of the earlier accesses that it must stay behind */
  pass(position: number, op: Op): number[] {
    const stores = facts(op.insn).store !== undefined;
    const place = this.#known.place(op);
    const found = new Set<number>();
    const behind = (on: number | undefined) => {
      if (on !== undefined) found.add(on);
    };
    behind(place === undefined ? this.#lastStore : this.#lostStore);
    const meets = (access: Access) => place === undefined || !cannotOverlap(access.place, place);
    if (place?.saved === undefined && place !== undefined) {
      behind(this.#storing.findLast(({ base }) => base !== place.base)?.store);
      behind(this.#saving.findLast((access) => access.place.base !== place.base && meets(access))?.position);
    }
    if (stores) {
      for (const load of this.#lostLoads) behind(load);
      this.#lostLoads = [];
      for (const group of this.#loading) {
        if (place !== undefined && group.base === place.base) continue;
        const stays = place?.saved === undefined ? [] : group.loads.filter((load) => !meets(load));
        const waits = place?.saved === undefined ? group.loads : group.loads.filter(meets);
        for (const { position: load } of waits) behind(load);
        group.loads = stays;
        if (stays.length === 0) this.#loading.delete(group);
      }
    }
    if (place === undefined) {
      if (stores) this.#lostStore = position;
      else this.#lostLoads.push(position);
    } else this.#note(position, place, stores, behind);
    if (stores) this.#lastStore = position;
    return [...found];
  }

  #note(position: number, place: Place, stores: boolean, behind: (on: number | undefined) => void): void {
    for (let at = 0; at < place.bytes; at++) {
      const key = `${place.base?.id},${BigInt.asUintN(64, place.offset + BigInt(at))}`;
      let byte = this.#bytes.get(key);
      if (byte === undefined) this.#bytes.set(key, (byte = { store: undefined, loads: [] }));
      behind(byte.store);
      if (!stores) byte.loads.push(position);
      else {
        for (const load of byte.loads) behind(load);
        byte.store = position;
        byte.loads = [];
      }
    }
    let group = this.#groups.get(place.base);
    if (group === undefined) this.#groups.set(place.base, (group = { base: place.base, store: undefined, loads: [] }));
    if (place.saved !== undefined) this.#saving.push({ position, place });
    else if (stores) {
      group.store = position;
      if (this.#storing.at(-1) !== group) this.#storing.push(group);
    } else {
      group.loads.push({ position, place });
      this.#loading.add(group);
    }
  }
}
