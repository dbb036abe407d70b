/**
 * Which ops of a line must stay before which. Every order that keeps these is as good as the line's own: registers by the home rule, memory
 * by what can overlap, and exits:
 *
 * - an op wanted at an exit (by its snapshot, or by what is sunk there) stays above it, and what an exit still wants in its register is
 *   not overwritten above it;
 * - stores, floating-point flags and ordered events stay on their side of every exit;
 * - what the machine may not have stays behind the exit that may be there for that;
 * - a load may move below an exit that does not want it, never above one, which may be what makes it safe.
 *
 * What moves the stack pointer stays on its side of all accesses: a signal may overwrite whatever is below it.
 */
import { REG_COUNT, type Reg, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { bitOf, EVERY_EXTENSION, type ExtensionSet } from '../isa/extensions.ts';
import { type Exit, isOrdered, type Op, operandsOf, regsOf, type Superblock, type Value, wanted } from './form.ts';
import { homesOf } from './homes.ts';
import { apart, type Place, type SuperblockTerms } from './terms.ts';

/** What an op must come behind. */
export interface Dependence {
  /** Position of the earlier op. */
  readonly on: number;
  /** The register through which the earlier op's result is read; undefined if only the order matters. */
  readonly through: Reg | undefined;
}

/**
 * By position: what each op of the line depends on.
 * @param terms its own, or those of the same line with other homes
 * @param machine what every machine has (pass.ts)
 */
export function dependencesOf(
  superblock: Superblock,
  terms: SuperblockTerms,
  machine: ExtensionSet = EVERY_EXTENSION,
): readonly (readonly Dependence[])[] {
  const { ops } = superblock;
  const { homeOf } = homesOf(superblock);
  const accesses = new Accesses(terms);
  const all: Dependence[][] = ops.map(() => []);
  const lastWrite: (number | undefined)[] = new Array(REG_COUNT);
  /** Who has read a register since it was last written; of exits only the last, since they keep their order. */
  const readers: number[][] = Array.from({ length: REG_COUNT }, () => []);
  const lastExitReader: (number | undefined)[] = new Array(REG_COUNT);
  let lastExit: number | undefined;
  let lastEffect: number | undefined;
  let lastOrdered: number | undefined;
  let lastStackMove: number | undefined;
  const sinceStackMove: number[] = [];
  const sinceOrdered: number[] = [];

  const wantedHomes = (exit: Exit): Set<Reg> => {
    const own = new Set(exit.sunk.map((op) => op.id));
    const homes = new Set<Reg>();
    const want = (value: Value) => {
      if (value.kind === 'op' && own.has(value.id)) return;
      const home = homeOf(value);
      if (home !== undefined) homes.add(home);
    };
    for (const reg of regsOf(exit.live)) want(wanted(exit, reg));
    for (const op of exit.sunk) for (const value of operandsOf(op)) want(value);
    return homes;
  };

  for (const [position, op] of ops.entries()) {
    const fact = facts(op.insn);
    const mine = all[position]!;
    const after = (on: number | undefined, through?: Reg) => {
      if (on !== undefined && on !== position) mine.push({ on, through });
    };
    for (const value of operandsOf(op)) {
      const home = homeOf(value);
      if (home === undefined) continue;
      after(lastWrite[home], home);
      readers[home]!.push(position);
    }
    const leaves =
      op.exit !== undefined || fact.control === 'indirect' || (fact.control === 'jump' && fact.writes === undefined);
    if (op.exit !== undefined)
      for (const home of wantedHomes(op.exit)) {
        after(lastWrite[home]);
        lastExitReader[home] = position;
      }
    const accessesMemory = fact.load !== undefined || fact.store !== undefined;
    const ordered = isOrdered(op);
    const effect = fact.store !== undefined || ordered || fact.accrues;
    // What the machine may not have is illegal there: an exit before it may be how the program sees to that.
    const illegal = (bitOf(op.insn.row) & machine) === 0n;
    if (leaves || effect || illegal || fact.load !== undefined) after(lastExit);
    if (leaves || effect) after(lastEffect);
    if (accessesMemory || effect || fact.readsRounding) after(lastOrdered);
    if (accessesMemory) {
      after(lastStackMove);
      for (const other of accesses.conflicting(op)) after(other);
      accesses.add(position, op);
      sinceStackMove.push(position);
    }
    if (ordered) {
      for (const other of sinceOrdered) after(other);
      sinceOrdered.length = 0;
      lastOrdered = position;
    } else if (accessesMemory || effect || fact.readsRounding) sinceOrdered.push(position);
    if (leaves) lastExit = position;
    if (effect) lastEffect = position;
    const home = fact.writes;
    if (home === undefined) continue;
    after(lastWrite[home]);
    for (const reader of readers[home]!) after(reader);
    after(lastExitReader[home]);
    readers[home] = [];
    lastExitReader[home] = undefined;
    lastWrite[home] = position;
    if (home === SP) {
      for (const other of sinceStackMove) after(other);
      sinceStackMove.length = 0;
      lastStackMove = position;
    }
  }
  keepLast(superblock, all);
  return all;
}

/** A branch right before the end of a line that goes on stays there: placement may turn it, and save the jump. */
function keepLast({ ops, final }: Superblock, all: Dependence[][]): void {
  const last = ops.length - 1;
  if (final.kind !== 'goto' || ops[last]?.exit === undefined) return;
  for (let on = 0; on < last; on++) all[last]!.push({ on, through: undefined });
}

/** The accesses of a line so far, and which of them another one cannot pass. */
class Accesses {
  readonly #known: SuperblockTerms;
  readonly #list: { readonly position: number; readonly place: Place | undefined; readonly stores: boolean }[] = [];

  constructor(terms: SuperblockTerms) {
    this.#known = terms;
  }

  add(position: number, op: Op): void {
    this.#list.push({ position, place: this.#known.place(op), stores: facts(op.insn).store !== undefined });
  }

  conflicting(op: Op): number[] {
    const stores = facts(op.insn).store !== undefined;
    const place = this.#known.place(op);
    const found: number[] = [];
    for (const other of this.#list)
      if ((stores || other.stores) && (place === undefined || other.place === undefined || !apart(place, other.place)))
        found.push(other.position);
    return found;
  }
}
