/**
 * A memory under construction (memory.ts): its line of runs, its saved and hidden pieces, and the owners of its bytes, which stay in keeping
 * with each other through every change.
 */
import type { Term } from '../../domain/term.ts';
import type { Lines } from './lines.ts';
import type { OwnerTrees } from './owners.ts';
import {
  baseOf,
  bySize,
  type Extent,
  endOf,
  type Kept,
  type Line,
  type Memory,
  type Owner,
  type Owners,
  type Piece,
  partOf,
  type Reach,
  type Run,
  restsOf,
  SAVED,
  within,
} from './pieces.ts';
import type { Runs } from './runs.ts';
import { firstOf, itemsOf, lastOf } from './treap.ts';

/** The trees that the memories of one proof share. */
export interface Trees {
  /** The stack pointer at the head. */
  readonly stack: Term;
  readonly runs: Runs;
  readonly lines: Lines;
  readonly owners: OwnerTrees;
}

export class Draft {
  line: Line | undefined;
  saved: Run | undefined;
  hidden: Run | undefined;
  owners: Owners | undefined;
  /** An overwritten store has been kept. */
  keeps = false;
  readonly #trees: Trees;

  /** @param memory absent: no stores */
  constructor(trees: Trees, memory?: Memory) {
    this.#trees = trees;
    this.line = memory?.line;
    this.saved = memory?.saved;
    this.hidden = memory?.hidden;
    this.owners = memory?.owners;
  }

  /** Is a store of this piece saved, beside the line? */
  #isSaved({ base, bytes }: Piece): boolean {
    return base === this.#trees.stack && bytes === 8;
  }

  /** Makes room for a store: earlier stores that must stay before it go into the line, and the bytes that it overwrites lose their owners. */
  prepare(piece: Piece, reach: Reach, kept: Kept | undefined): void {
    if (piece.base !== this.#trees.stack) this.queue(reach);
    // A piece in the line would come beneath hidden pieces.
    else if (!this.#isSaved(piece)) this.#uncover(piece);
    const { owners } = this.#trees;
    for (let owner = owners.first(this.owners, piece); owner !== undefined; owner = owners.first(this.owners, piece))
      this.#overwrite(owner, piece, kept);
  }

  /** Adds a piece, none of whose bytes has an owner. */
  put(piece: Piece): void {
    let stamp = SAVED;
    if (this.#isSaved(piece)) this.saved = this.#trees.runs.added(this.saved, piece);
    else stamp = this.#append(piece);
    this.own(piece, stamp);
  }

  /** Makes a piece the owner of its bytes. */
  own(piece: Piece, stamp: number): void {
    const { base, offset, bytes } = piece;
    this.owners = this.#trees.owners.with(this.owners, { base, offset, bytes, piece, stamp, kept: false });
  }

  /** Moves saved pieces to the end of the line, but for those that an access misses. */
  queue(reach: Reach): void {
    if (this.saved === undefined) return;
    const beneath = this.#trees.runs.parted(this.hidden, reach);
    const { missed, met } = this.#trees.runs.parted(this.saved, reach);
    // Hidden pieces have no owners.
    this.#atEnd(beneath.met);
    this.hidden = beneath.missed;
    for (const piece of itemsOf(met)) this.#uncover(piece);
    this.#lineUp(met);
    this.saved = missed;
  }

  /** Moves all saved pieces to the end of the line. */
  settle(): void {
    this.#lineUp(this.saved);
    this.saved = undefined;
  }

  /** Removes hidden bytes at the place of a piece. */
  #uncover(piece: Piece): void {
    if (this.hidden !== undefined) this.hidden = this.#trees.runs.beside(this.hidden, piece);
  }
  #lineUp(run: Run | undefined): void {
    const { owners } = this.#trees;
    const stamp = this.#atEnd(run);
    for (const piece of itemsOf(run))
      for (const owner of owners.all(this.owners, piece))
        this.owners = owners.with(owners.without(this.owners, owner), { ...owner, stamp });
  }
  /** Puts a run of stack stores behind the line. @returns its stamp: that of the line's last run, where this is of the stack too */
  #atEnd(run: Run | undefined): number {
    const { stack, lines, runs } = this.#trees;
    const last = this.line && lastOf(this.line);
    const joins = last !== undefined && baseOf(last) === stack;
    const stamp = last === undefined ? 0 : joins ? last.stamp : last.stamp + 1;
    if (run === undefined) return stamp;
    const rest = joins ? lines.withoutLast(this.line!) : this.line;
    this.line = lines.with(rest, stamp, joins ? runs.both(last.run, run) : run);
    return stamp;
  }
  /** Puts a piece behind the line. @returns its run's stamp */
  #append(piece: Piece): number {
    const { lines, runs } = this.#trees;
    const last = this.line && lastOf(this.line);
    const same = last !== undefined && baseOf(last) === piece.base;
    // Of kept pieces in the same run no byte stays that is overwritten.
    const run = runs.added(same ? runs.beside(last.run, piece) : undefined, piece);
    const stamp = last === undefined ? 0 : same ? last.stamp : last.stamp + 1;
    this.line = lines.with(same ? lines.withoutLast(this.line!) : this.line, stamp, run);
    return stamp;
  }

  /** Takes stores to parts of slots out of the line, where these are missed. */
  takeOut({ slots, misses }: Reach): void {
    const { owners } = this.#trees;
    for (const slot of slots)
      for (let at = slot.offset; at < endOf(slot); ) {
        // Each owner is looked up anew: where a run has gone two other runs may have become one.
        const owner = owners.first(this.owners, { ...slot, offset: at, bytes: endOf(slot) - at });
        if (owner === undefined) break;
        at = endOf(owner);
        if (owner.stamp === SAVED || owner.kept || !within(owner, slot)) continue;
        const behind = (bytes: Extent) => owners.areBehind(this.owners, bytes, owner.stamp);
        if (misses(slot, behind)) this.#replace(owner, []);
      }
  }

  /** Takes a piece out, if it is whole in the memory. */
  remove(piece: Piece): void {
    const owner = this.#trees.owners.ofPiece(this.owners, piece);
    if (owner !== undefined) this.#replace(owner, []);
  }

  /** Takes the bytes that a piece overwrites from their owner. */
  #overwrite(owner: Owner, piece: Piece, kept: Kept | undefined): void {
    const { runs, owners } = this.#trees;
    const { piece: old, stamp } = owner;
    const saved = this.#isSaved(piece);
    const inLast = !saved && stamp !== SAVED && lastOf(this.line!).stamp === stamp;
    const again = old.offset === piece.offset && old.value === piece.value;
    const stays = () => kept !== undefined && old.at === 0 && !again && kept(runs.addressOf(old), old.bytes, old.value);
    const rests = restsOf(owner, piece.offset, endOf(piece));
    if (stamp === SAVED) {
      if (saved && old.bytes === 8 && old.offset === piece.offset && stays()) {
        this.keeps = true;
        this.#uncover(old);
        this.hidden = runs.added(this.hidden, old);
      }
    }
    // A store is kept for accesses through other bases: none of these lies between two stores of one run.
    else if (owner.kept || (!inLast && stays())) {
      this.keeps = true;
      this.owners = owners.without(this.owners, owner);
      for (const rest of rests) this.owners = owners.with(this.owners, { ...owner, ...rest, kept: true });
      return;
    }
    this.#replace(
      owner,
      rests.map((rest) => partOf(old, rest)),
    );
  }

  /** Puts parts of a piece, or nothing, in its place. */
  #replace(owner: Owner, parts: readonly Piece[]): void {
    const { runs, lines, owners } = this.#trees;
    const { piece: old, stamp } = owner;
    this.owners = owners.without(this.owners, owner);
    for (const part of parts) this.own(part, stamp);
    const changed = (run: Run) =>
      parts.reduce((all: Run | undefined, part) => runs.added(all, part), runs.removed(run, old));
    if (stamp === SAVED) {
      this.saved = changed(this.saved!);
      return;
    }
    const [left, middle, right] = lines.around(this.line, stamp);
    const run = changed(middle!.item.run);
    if (run === undefined) this.#close(left, right);
    else this.line = lines.between(left, { stamp, run }, right);
  }

  /** Joins the line where a run has gone: two runs of one base that meet become one. */
  #close(left: Line | undefined, right: Line | undefined): void {
    const { lines, owners } = this.#trees;
    this.line = lines.meet(left, right);
    const [a, b] = [left && lastOf(left), right && firstOf(right)];
    if (a === undefined || b === undefined || baseOf(a) !== baseOf(b)) return;
    const [small, large] = bySize(a, b);
    for (const piece of itemsOf(small.run))
      for (const owner of owners.all(this.owners, piece))
        if (owner.stamp === small.stamp)
          this.owners = owners.with(owners.without(this.owners, owner), { ...owner, stamp: large.stamp });
  }
}
