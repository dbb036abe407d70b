/**
 * Memory as a term: an unknown at the start, and the stores since. Equal terms are equal memories, for all inputs.
 *
 * An address is a base and a distance. Two accesses with one base are known to overlap or not; accesses with two bases may overlap. So for
 * each base and byte only the last store counts: an older store to the byte is removed, wherever it stood. The stores left form a line of
 * *runs*: stores through one base, with no store through another base in between. Within a run no two pieces overlap, so their order does
 * not matter; the order of runs does. This form does not depend on the order in which stores that cannot overlap were made.
 *
 * An optimizer that leaves out an overwritten store loses no fault: memory is equal at the exit, so both sides make the overwriting store,
 * which faults where the one left out would have (no system call is between the two that could change a page).
 *
 * Stores of eight bytes to the stack are *saved*: by assumption it may be known that accesses through another base miss them. Saved stores
 * stand beside the line, and count as stored behind all of it. This holds whatever is known: a saved store that another store may overlap
 * goes to the end of the line before that store. In a memory that is compared all saved stores are in the line (`settled`).
 *
 * A run is ordered by address and the line by time, both in trees that share common parts (treap.ts). So a store and a load take time
 * logarithmic in the number of earlier stores, and equality takes one comparison.
 */
import type { Term, Terms } from '../../domain/term.ts';
import { Draft, type Trees } from './draft.ts';
import { Lines } from './lines.ts';
import { OwnerTrees } from './owners.ts';
import {
  bitOf,
  type Extent,
  endOf,
  type Kept,
  type Line,
  type Loaded,
  type Memory,
  type Owner,
  type Piece,
  type Place,
  partOf,
  type Reach,
  type Run,
  SAVED,
} from './pieces.ts';
import { Runs } from './runs.ts';
import { itemsOf, lastOf } from './treap.ts';

/** An access of which nothing is known. */
const ANYWHERE: Reach = { slots: [], misses: () => false };

export class Memories {
  readonly #terms: Terms;
  readonly #stack: Term;
  /** The memory beneath stores that leave no byte of it to be seen. */
  readonly #beneath: Term;
  readonly #none: Term;
  readonly #runs: Runs;
  readonly #lines: Lines;
  readonly #owners = new OwnerTrees();
  readonly #trees: Trees;
  readonly #known = new Map<Term, Memory>();
  /** The memories that loads depend on; in `#parts`, made into a `Memory` once a part of the loaded value has been asked for. */
  readonly #looked = new Map<Term, Pick<Memory, 'origin' | 'line'>>();
  readonly #parts = new Map<Term, Memory>();

  /** @param stack the stack pointer at the head */
  constructor(terms: Terms, stack: Term) {
    this.#terms = terms;
    this.#stack = stack;
    this.#beneath = terms.input('beneath');
    this.#none = terms.apply('no stores', []);
    this.#runs = new Runs(terms, this.#none);
    this.#lines = new Lines(terms, this.#none, this.#runs);
    this.#trees = { stack, runs: this.#runs, lines: this.#lines, owners: this.#owners };
  }

  /** Number of nodes made: a measure of the work done. */
  get made(): number {
    return this.#runs.made + this.#lines.made + this.#owners.made;
  }

  /** The memory that a term stands for; any other term stands for an unknown memory. */
  of(term: Term): Memory {
    return this.#known.get(term) ?? this.#make({ origin: term });
  }

  #termOf(origin: Term, line: Line | undefined, saved?: Run, hidden?: Run): Term {
    if (line === undefined && saved === undefined) return origin;
    const parts: Term[] = [origin, line?.term ?? this.#none, saved?.term ?? this.#none];
    return this.#terms.apply('memory', hidden === undefined ? parts : [origin, parts[1]!, hidden.term, parts[2]!]);
  }
  #make({ origin, line, saved, hidden, owners, settled }: { origin: Term } & Partial<Memory>): Memory {
    const term = this.#termOf(origin, line, saved, hidden);
    let memory = this.#known.get(term);
    if (memory === undefined) {
      memory = { term, origin, line, saved, hidden, owners, settled, flat: undefined };
      this.#known.set(term, memory);
    }
    return memory;
  }
  #ofDraft(origin: Term, { line, saved, hidden, owners }: Draft, settled?: Memory): Memory {
    return this.#make({ origin, line, saved, hidden, owners, settled });
  }

  /**
   * Memory after a store.
   * @param piece the bytes stored, zero-extended
   * @param kept does an overwritten store stay in the line? Absent: none does
   */
  store(memory: Memory, piece: Piece, reach: Reach, kept?: Kept): Memory {
    const now = new Draft(this.#trees, memory);
    now.prepare(piece, reach, kept);
    now.put(piece);
    const unsettled = memory.settled !== undefined || now.keeps;
    const settled = unsettled ? this.store(memory.settled ?? memory, piece, reach) : undefined;
    return this.#ofDraft(memory.origin, now, settled);
  }

  /** Memory as it is compared: without kept stores, and with all saved stores in the line. */
  settled(memory: Memory): Memory {
    const all = memory.settled ?? memory;
    if (all.saved === undefined) return all;
    if (all.flat === undefined) {
      const now = new Draft(this.#trees, all);
      now.settle();
      all.flat = this.#make({ origin: all.origin, line: now.line, owners: now.owners });
    }
    return all.flat;
  }

  /**
   * A settled memory as it would be had all present facts been known from the beginning.
   * @param reachOf what is known of an access to these bytes
   */
  ordered({ origin, line }: Pick<Memory, 'origin' | 'line'>, reachOf: (address: Term, bytes: number) => Reach): Memory {
    const now = new Draft(this.#trees);
    for (const { run } of itemsOf(line))
      for (const piece of itemsOf(run)) {
        if (piece.base !== this.#stack) now.queue(reachOf(this.#runs.addressOf(piece), piece.bytes));
        now.put(piece);
      }
    return this.settled(this.#ofDraft(origin, now));
  }

  /** Memory without those of the pieces that are whole in it. */
  without(memory: Memory, pieces: readonly Piece[]): Memory {
    const now = new Draft(this.#trees, memory);
    for (const piece of pieces) now.remove(piece);
    if (now.line === memory.line && now.saved === memory.saved) return memory;
    return this.#ofDraft(memory.origin, now);
  }
  /** A settled memory without the stores to parts of slots that are known to be missed. */
  unseen(memory: Memory, reach: Reach): Memory {
    const now = new Draft(this.#trees, memory);
    now.takeOut(reach);
    return now.line === memory.line ? memory : this.#ofDraft(memory.origin, now);
  }
  /** Is this piece in the memory, whole, and no more of its store? */
  has(memory: Memory, piece: Piece): boolean {
    return this.#owners.ofPiece(memory.owners, piece) !== undefined;
  }

  /**
   * Memory behind an event whose stores are unknown.
   * @param origin the memory behind the event
   */
  behind(memory: Memory, origin: Term, reach: Reach): Memory {
    const { missed } = this.#runs.parted(memory.saved, reach);
    const now = new Draft(this.#trees);
    for (const piece of itemsOf(missed)) now.own(piece, SAVED);
    return this.#make({ origin, saved: missed, owners: now.owners });
  }

  /**
   * A loaded value: a part of a stored value or, if that is not known, the memory that the load depends on. This memory has no stores that
   * miss the loaded bytes, and none from before all of these bytes were overwritten.
   */
  load(memory: Memory, loaded: Extent, reach: Reach): Loaded {
    const { base, offset: from, bytes } = loaded;
    const now = new Draft(this.#trees, memory);
    if (base !== this.#stack) now.takeOut(reach);
    const owners = this.#owners.all(now.owners, loaded);
    const met = base === this.#stack ? undefined : this.#runs.parted(now.saved, reach).met;
    const beneath = base === this.#stack ? undefined : this.#runs.parted(now.hidden, reach).met;
    const [first] = owners;
    if (first !== undefined && first.offset <= from && endOf(first) >= endOf(loaded)) {
      const { piece, stamp } = first;
      if (stamp === SAVED || (met === undefined && beneath === undefined && stamp === lastOf(now.line!).stamp))
        return { value: piece.value, at: piece.at + from - piece.offset };
    }
    const { beside, own, covered } = this.#partsHeld(owners, loaded);
    const whole = covered === bytes;
    const stores = { line: now.line, owners: now.owners, settled: memory.settled };
    const others = this.#others(stores, base, own, whole);
    const lines = this.#lines;
    const line = lines.followed(lines.followed(lines.followed(others, beneath), met), beside);
    const origin = whole ? this.#beneath : memory.origin;
    const term = this.#termOf(origin, line);
    this.#looked.set(term, { origin, line });
    const exact = (owner: Owner) => owner.offset === from && owner.bytes === bytes && owner.piece.offset === from;
    return { from: term, parts: owners.filter((owner) => !exact(owner)).map(({ piece }) => piece.value) };
  }

  /** The parts of loaded bytes that pieces of the base hold: those beside the line, those of the line by stamp, and their number of bytes. */
  #partsHeld(owners: readonly Owner[], loaded: Extent) {
    let beside: Run | undefined;
    const own = new Map<number, Run>();
    let covered = 0;
    for (const { offset, bytes, piece, stamp } of owners) {
      const start = Math.max(offset, loaded.offset);
      const part = partOf(piece, { offset: start, bytes: Math.min(offset + bytes, endOf(loaded)) - start });
      covered += part.bytes;
      if (stamp === SAVED) beside = this.#runs.added(beside, part);
      else own.set(stamp, this.#runs.added(own.get(stamp), part));
    }
    return { beside, own, covered };
  }

  /**
   * A part of a loaded value, from the memory that the load depends on.
   * @param from that memory, as `load` has given it
   */
  part(from: Term, loaded: Extent): Loaded | undefined {
    const looked = this.#looked.get(from);
    if (looked === undefined) return undefined;
    let memory = this.#parts.get(from);
    if (memory === undefined) {
      memory = this.ordered(looked, () => ANYWHERE);
      this.#parts.set(from, memory);
    }
    return this.load(memory, loaded, ANYWHERE);
  }

  /**
   * The line without a base's runs, but with these pieces of the base at their places.
   * @param whole only the line from the first of these pieces on
   */
  #others(
    { line, owners, settled }: Pick<Memory, 'line' | 'owners' | 'settled'>,
    base: Term | undefined,
    own: ReadonlyMap<number, Run>,
    whole: boolean,
  ): Line | undefined {
    if (own.size === 0 && (whole || line === undefined || (line.bases & bitOf(base)) === 0))
      return whole ? undefined : line;
    const stamps = new Set(own.keys());
    // The places of a base's runs are known if it has few pieces, and the rest of the line is free of the base.
    const few = settled === undefined ? this.#owners.few(owners, base) : undefined;
    for (const { stamp } of few ?? []) if (stamp !== SAVED) stamps.add(stamp);
    let made: Line | undefined;
    let rest = line;
    let begun = !whole;
    for (const stamp of [...stamps].sort((a, b) => a - b)) {
      const [left, , right] = this.#lines.around(rest, stamp);
      if (begun) made = this.#lines.meet(made, few ? left : this.#lines.except(left, base));
      const run = own.get(stamp);
      if (run !== undefined) {
        made = this.#lines.meet(made, this.#lines.single(stamp, run));
        begun = true;
      }
      rest = right;
    }
    return begun ? this.#lines.meet(made, few ? rest : this.#lines.except(rest, base)) : undefined;
  }
  /** A settled memory without the bytes stored through a base below an address. */
  above({ origin, line }: Memory, { base, offset }: Place): Term {
    return this.#termOf(origin, this.#lines.except(line, base, offset));
  }

  /** Pairs of addresses and pairs of values of two settled memories, if these have as many pieces of the same widths; else undefined. */
  pairs(a: Memory, b: Memory): (readonly [Term, Term])[] | undefined {
    const [left, right] = [a, b].map(({ line }) => itemsOf(line).map(({ run }) => run)) as [Run[], Run[]];
    if (a.origin !== b.origin || left.length !== right.length) return undefined;
    const pairs: (readonly [Term, Term])[] = [];
    for (const [index, run] of left.entries()) {
      const [pieces, others] = [itemsOf(run), itemsOf(right[index]!)];
      if (pieces.length !== others.length) return undefined;
      for (const [at, piece] of pieces.entries()) {
        const other = others[at]!;
        if (piece.bytes !== other.bytes || piece.at !== other.at) return undefined;
        pairs.push([this.#runs.addressOf(piece), this.#runs.addressOf(other)], [piece.value, other.value]);
      }
    }
    return pairs;
  }
}
