/** Runs of pieces: stores through one base, with no store through another base in between (memory.ts), as trees and as terms. */
import type { Term, Terms } from '../../domain/term.ts';
import {
  type Extent,
  endOf,
  type Piece,
  type Place,
  partOf,
  type Reach,
  type Run,
  restsOf,
  sizeOf,
  within,
} from './pieces.ts';
import { firstOf, itemsOf, lastOf, nextBehind, noise, Treap } from './treap.ts';

export class Runs {
  readonly #terms: Terms;
  readonly #none: Term;
  readonly #known = new Map<Term, Run>();
  readonly #unions = new Map<string, Run | undefined>();
  readonly #trees = new Treap<Piece, Run>(
    // Priority by place alone: values that are shown to be equal in another way then stand at the same place of the tree.
    ({ offset, bytes }) => noise(offset, bytes),
    (left, piece, right) => this.#make(left, piece, right),
  );
  /** Number of nodes made: a measure of the work done. */
  made = 0;

  /** @param none stands for a part that a tree has not */
  constructor(terms: Terms, none: Term) {
    this.#terms = terms;
    this.#none = none;
  }

  #make(left: Run | undefined, item: Piece, right: Run | undefined): Run {
    this.made++;
    const { bytes, at, value } = item;
    const none = this.#none;
    const store = this.#terms.apply(`store${bytes}${at === 0 ? '' : ` from ${at}`}`, [this.addressOf(item), value]);
    const term = this.#terms.apply('run', [left?.term ?? none, store, right?.term ?? none]);
    let made = this.#known.get(term);
    if (made === undefined) {
      made = { left, item, right, size: sizeOf(left, right), term };
      this.#known.set(term, made);
    }
    return made;
  }
  addressOf({ base, offset }: Place): Term {
    const constant = () => this.#terms.const(BigInt(offset));
    if (base === undefined) return constant();
    return offset === 0 ? base : this.#terms.add(base, constant());
  }

  /** A run with a piece that none of its pieces overlaps. */
  added(run: Run | undefined, piece: Piece): Run {
    return this.#trees.insert(run, piece, ({ offset }) => offset < piece.offset);
  }
  removed(run: Run, { offset: at }: Piece): Run | undefined {
    return this.#trees.without(
      run,
      ({ offset }) => offset < at,
      ({ offset }) => offset > at,
    );
  }
  /** The part of a run that a piece does not overwrite. */
  beside(run: Run, piece: Piece): Run | undefined {
    const [left, rest] = this.#trees.split(run, (old) => endOf(old) <= piece.offset);
    const [over, right] = this.#trees.split(rest, (old) => old.offset < endOf(piece));
    let made = this.#trees.join(left, right);
    for (const old of itemsOf(over))
      for (const part of restsOf(old, piece.offset, endOf(piece))) made = this.added(made, partOf(old, part));
    return made;
  }
  /** A run without its bytes below an address. */
  above(run: Run | undefined, below: number): Run | undefined {
    const [, rest] = this.#trees.split(run, (piece) => endOf(piece) <= below);
    const first = rest && firstOf(rest);
    if (first === undefined || first.offset >= below) return rest;
    return this.added(this.#trees.dropFirst(rest!), partOf(first, { offset: below, bytes: endOf(first) - below }));
  }

  /** Two runs of one base, the second laid over the first. */
  both(a: Run, b: Run): Run {
    return this.#union(a, b) ?? this.#laidOver(a, b);
  }
  /** The union of two runs; undefined where pieces overlap. Results are kept: runs that are mostly alike have parts united before. */
  #union(a: Run, b: Run): Run | undefined {
    const key = `${a.term.id},${b.term.id}`;
    if (this.#unions.has(key)) return this.#unions.get(key);
    const isAbove = a.item.offset < b.item.offset ? this.#trees.isAbove(a, b) : !this.#trees.isAbove(b, a);
    const [above, below] = isAbove ? [a, b] : [b, a];
    const { item } = above;
    const [first, last] = this.#trees.split(below, (piece) => piece.offset < item.offset);
    let made: Run | undefined;
    if (!(first && endOf(lastOf(first)) > item.offset) && !(last && firstOf(last).offset < endOf(item))) {
      const one = (x: Run | undefined, y: Run | undefined) => (x && y ? this.#union(x, y) : (x ?? y));
      const [left, right] = [one(above.left, first), one(above.right, last)];
      const lost = (left === undefined && (above.left ?? first)) || (right === undefined && (above.right ?? last));
      if (!lost) made = this.#make(left, item, right);
    }
    this.#unions.set(key, made);
    return made;
  }
  #laidOver(a: Run, b: Run): Run {
    let run: Run = a;
    for (const piece of itemsOf(b)) run = this.added(this.beside(run, piece), piece);
    return run;
  }

  /** The pieces of a run that an access misses, and those that the access may overlap. */
  parted(run: Run | undefined, { slots, misses }: Reach): { missed: Run | undefined; met: Run | undefined } {
    let missed: Run | undefined;
    let met = run;
    for (const slot of run === undefined ? [] : slots) {
      const inside = piecesIn(met, slot);
      if (inside.length === 0 || !misses(slot)) continue;
      for (const piece of inside) {
        missed = this.added(missed, piece);
        met = this.removed(met!, piece);
      }
    }
    return { missed, met };
  }
}

/** The pieces of a run that lie in a part of a slot. */
function piecesIn(run: Run | undefined, part: Extent): Piece[] {
  const found: Piece[] = [];
  for (let at = part.offset; at < endOf(part); at = endOf(found.at(-1)!)) {
    const piece = nextBehind(run, (each) => each.offset < at);
    if (piece === undefined || !within(piece, part)) break;
    found.push(piece);
  }
  return found;
}
