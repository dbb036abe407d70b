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
import { OwnerTrees } from './owners.ts';
import {
  type Bytes,
  baseOf,
  bitOf,
  bySize,
  type Draft,
  draftOf,
  type Extent,
  endOf,
  idOf,
  isOf,
  type Kept,
  type Line,
  type Loaded,
  type Memory,
  type Misses,
  type Owner,
  type Owners,
  type Piece,
  type Place,
  partOf,
  type Run,
  restsOf,
  SAVED,
  type Stamped,
  sizeOf,
  within,
} from './pieces.ts';
import { firstOf, itemsOf, lastOf, nextBehind, noise, Treap } from './treap.ts';

export class Memories {
  readonly #terms: Terms;
  readonly #stack: Term;
  /** The memory beneath stores that leave no byte of it to be seen. */
  readonly #beneath: Term;
  readonly #none: Term;
  readonly #known = new Map<Term, Memory>();
  readonly #runs = new Map<Term, Run>();
  readonly #unions = new Map<string, Run | undefined>();
  /** The memories that loads depend on; in `#parts`, made into a `Memory` once a part of the loaded value has been asked for. */
  readonly #looked = new Map<Term, Pick<Memory, 'origin' | 'line'>>();
  readonly #parts = new Map<Term, Memory>();
  /** Number of nodes made: a measure of the work done. */
  made = 0;

  readonly #run = new Treap<Piece, Run>(
    // Priority by place alone: values that are shown to be equal in another way then stand at the same place of the tree.
    ({ offset, bytes }) => noise(offset, bytes),
    (left, piece, right) => this.#makeRun(left, piece, right),
  );
  readonly #line = new Treap<Stamped, Line>(
    // By place here too; the value decides only between repeated stores to one place that are all kept.
    ({ run: { item } }) => noise(item.offset, item.bytes, idOf(item.base)) + (noise(item.value.id) >>> 12) / 2 ** 20,
    (left, item, right) => this.#makeLine(left, item, right),
  );
  readonly #owners = new OwnerTrees(() => {
    this.made++;
  });

  /** @param stack the stack pointer at the head */
  constructor(terms: Terms, stack: Term) {
    this.#terms = terms;
    this.#stack = stack;
    this.#beneath = terms.input('beneath');
    this.#none = terms.apply('no stores', []);
  }

  /** The memory that a term stands for; any other term stands for an unknown memory. */
  of(term: Term): Memory {
    return this.#known.get(term) ?? this.#make({ origin: term });
  }

  #makeRun(left: Run | undefined, item: Piece, right: Run | undefined): Run {
    this.made++;
    const { bytes, at, value } = item;
    const none = this.#none;
    const store = this.#terms.apply(`store${bytes}${at === 0 ? '' : ` from ${at}`}`, [this.#addressOf(item), value]);
    const term = this.#terms.apply('run', [left?.term ?? none, store, right?.term ?? none]);
    let made = this.#runs.get(term);
    if (made === undefined) {
      made = { left, item, right, size: sizeOf(left, right), term };
      this.#runs.set(term, made);
    }
    return made;
  }
  #addressOf({ base, offset }: Place): Term {
    const constant = () => this.#terms.const(BigInt(offset));
    if (base === undefined) return constant();
    return offset === 0 ? base : this.#terms.add(base, constant());
  }
  #makeLine(left: Line | undefined, item: Stamped, right: Line | undefined): Line {
    this.made++;
    const none = this.#none;
    const term = this.#terms.apply('line', [left?.term ?? none, item.run.term, right?.term ?? none]);
    const bases = (left?.bases ?? 0) | bitOf(baseOf(item)) | (right?.bases ?? 0);
    return { left, item, right, size: sizeOf(left, right), term, bases, parts: undefined };
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

  /**
   * Memory after a store.
   * @param value the bytes stored, zero-extended
   * @param misses which parts of slots the store is known to miss
   * @param slots the parts to ask about
   * @param kept does an overwritten store stay in the line? Absent: none does
   */
  store(
    memory: Memory,
    place: Place,
    bytes: Bytes,
    value: Term,
    misses: Misses,
    slots: readonly Extent[],
    kept?: Kept,
  ): Memory {
    const { base, offset } = place;
    const piece: Piece = { base, offset, bytes, at: 0, value };
    const now = draftOf(memory);
    const saved = base === this.#stack && bytes === 8;
    if (base !== this.#stack) this.#queue(now, misses, slots);
    // A piece in the line would come beneath hidden pieces.
    else if (!saved) this.#uncover(now, piece);
    for (
      let owner = this.#owners.first(now.owners, piece);
      owner !== undefined;
      owner = this.#owners.first(now.owners, piece)
    )
      this.#overwrite(now, owner, piece, saved, kept);
    let stamp = SAVED;
    if (saved) now.saved = this.#added(now.saved, piece);
    else stamp = this.#append(now, piece);
    now.owners = this.#owners.with(now.owners, { base, offset, bytes, piece, stamp, kept: false });
    return this.#make({
      ...now,
      origin: memory.origin,
      settled:
        memory.settled === undefined && !now.keeps
          ? undefined
          : this.store(memory.settled ?? memory, place, bytes, value, misses, slots),
    });
  }

  /** The saved pieces that an access through another base misses, and those that the access may overlap. */
  #parted(saved: Run | undefined, misses: Misses, slots: readonly Extent[]) {
    let [missed, met]: (Run | undefined)[] = [undefined, saved];
    for (const slot of saved === undefined ? [] : slots) {
      const inside = slot.base === this.#stack ? this.#piecesIn(met, slot) : [];
      if (inside.length === 0 || !misses(slot)) continue;
      for (const piece of inside) {
        missed = this.#added(missed, piece);
        met = this.#removed(met!, piece);
      }
    }
    return { missed, met };
  }
  /** The pieces of a run that lie in a part of a slot. */
  #piecesIn(run: Run | undefined, part: Extent): Piece[] {
    const found: Piece[] = [];
    for (let at = part.offset; at < endOf(part); at = endOf(found.at(-1)!)) {
      const piece = nextBehind(run, (each) => each.offset < at);
      if (piece === undefined || !within(piece, part)) break;
      found.push(piece);
    }
    return found;
  }
  /** A line with a run behind it. */
  #followed(line: Line | undefined, run: Run | undefined): Line | undefined {
    if (run === undefined) return line;
    const stamp = line === undefined ? 0 : lastOf(line).stamp + 1;
    return this.#meet(line, this.#line.single({ stamp, run }));
  }
  /** Moves saved pieces to the end of the line, but for those that are missed. */
  #queue(now: Draft, misses: Misses, slots: readonly Extent[]): void {
    if (now.saved === undefined) return;
    const beneath = this.#parted(now.hidden, misses, slots);
    const { missed, met } = this.#parted(now.saved, misses, slots);
    // Hidden pieces have no owners.
    this.#atEnd(now, beneath.met);
    now.hidden = beneath.missed;
    for (const piece of itemsOf(met)) this.#uncover(now, piece);
    this.#lineUp(now, met);
    now.saved = missed;
  }
  /** Removes hidden bytes at the place of a piece. */
  #uncover(now: Draft, piece: Piece): void {
    if (now.hidden !== undefined) now.hidden = this.#beside(now.hidden, piece);
  }
  #lineUp(now: Draft, run: Run | undefined): void {
    const stamp = this.#atEnd(now, run);
    for (const piece of itemsOf(run))
      for (const owner of this.#owners.all(now.owners, piece))
        now.owners = this.#owners.with(this.#owners.without(now.owners, owner), { ...owner, stamp });
  }
  /** Puts a run of stack stores behind the line. @returns its stamp: that of the line's last run, where this is of the stack too */
  #atEnd(now: Draft, run: Run | undefined): number {
    const last = now.line && lastOf(now.line);
    const joins = last !== undefined && baseOf(last) === this.#stack;
    const stamp = last === undefined ? 0 : joins ? last.stamp : last.stamp + 1;
    if (run === undefined) return stamp;
    const rest = joins ? this.#line.dropLast(now.line!) : now.line;
    const both = joins ? (this.#union(last.run, run) ?? this.#laidOver(last.run, run)) : run;
    now.line = this.#line.join(rest, this.#line.single({ stamp, run: both }));
    return stamp;
  }

  /** Memory as it is compared: without kept stores, and with all saved stores in the line. */
  settled(memory: Memory): Memory {
    const all = memory.settled ?? memory;
    if (all.saved === undefined) return all;
    if (all.flat === undefined) {
      const now = draftOf(all);
      this.#lineUp(now, now.saved);
      all.flat = this.#make({ origin: all.origin, line: now.line, owners: now.owners });
    }
    return all.flat;
  }

  /**
   * A settled memory as it would be had all present facts been known from the beginning.
   * @param known for an access: which parts of slots it misses, and the parts to ask about
   */
  ordered(
    memory: Pick<Memory, 'term' | 'origin' | 'line'>,
    known: (address: Term, bytes: number) => readonly [Misses, readonly Extent[]],
  ): Memory {
    const now: Draft = { line: undefined, saved: undefined, hidden: undefined, owners: undefined, keeps: false };
    for (const { run } of itemsOf(memory.line))
      for (const piece of itemsOf(run)) {
        const { base, offset, bytes } = piece;
        if (base !== this.#stack) this.#queue(now, ...known(this.#addressOf(piece), bytes));
        const saved = base === this.#stack && bytes === 8;
        if (saved) now.saved = this.#added(now.saved, piece);
        const stamp = saved ? SAVED : this.#append(now, piece);
        now.owners = this.#owners.with(now.owners, { base, offset, bytes, piece, stamp, kept: false });
      }
    return this.settled(this.#make({ origin: memory.origin, ...now }));
  }

  /** Memory without those of the pieces that are whole in it. */
  without(memory: Memory, pieces: readonly Piece[]): Memory {
    const now = draftOf(memory);
    for (const piece of pieces) {
      const owner = this.#owners.ofPiece(now.owners, piece);
      if (owner !== undefined) this.#replace(now, owner, []);
    }
    if (now.line === memory.line && now.saved === memory.saved) return memory;
    return this.#make({ ...now, origin: memory.origin });
  }
  /** A settled memory without the stores to parts of slots that are known to be missed. */
  unseen(memory: Memory, slots: readonly Extent[], misses: Misses): Memory {
    const now = draftOf(memory);
    this.#takeOut(now, slots, misses);
    return now.line === memory.line ? memory : this.#make({ ...now, origin: memory.origin });
  }
  /** Takes stores to parts of slots out of the line, where these are missed. */
  #takeOut(now: Draft, slots: readonly Extent[], misses: Misses): void {
    for (const slot of slots)
      for (let at = slot.offset; at < endOf(slot); ) {
        // Each owner is looked up anew: where a run has gone two other runs may have become one.
        const owner = this.#owners.first(now.owners, { ...slot, offset: at, bytes: endOf(slot) - at });
        if (owner === undefined) break;
        at = endOf(owner);
        if (owner.stamp === SAVED || owner.kept || !within(owner, slot)) continue;
        const behind = (bytes: Extent) => this.#owners.areBehind(now.owners, bytes, owner.stamp);
        if (misses(slot, behind)) this.#replace(now, owner, []);
      }
  }
  /** Is this piece in the memory, whole, and no more of its store? */
  has(memory: Memory, piece: Piece): boolean {
    return this.#owners.ofPiece(memory.owners, piece) !== undefined;
  }
  /** Takes the bytes that a piece overwrites from their owner. */
  #overwrite(now: Draft, owner: Owner, piece: Piece, saved: boolean, kept: Kept | undefined): void {
    const { piece: old, stamp } = owner;
    const inLast = !saved && stamp !== SAVED && lastOf(now.line!).stamp === stamp;
    const again = old.offset === piece.offset && old.value === piece.value;
    const stays = () =>
      kept !== undefined && old.at === 0 && !again && kept(this.#addressOf(old), old.bytes, old.value);
    const rests = restsOf(owner, piece.offset, endOf(piece));
    if (stamp === SAVED) {
      if (saved && old.bytes === 8 && old.offset === piece.offset && stays()) {
        now.keeps = true;
        this.#uncover(now, old);
        now.hidden = this.#added(now.hidden, old);
      }
    }
    // A store is kept for accesses through other bases: none of these lies between two stores of one run.
    else if (owner.kept || (!inLast && stays())) {
      now.keeps = true;
      now.owners = this.#owners.without(now.owners, owner);
      for (const rest of rests) now.owners = this.#owners.with(now.owners, { ...owner, ...rest, kept: true });
      return;
    }
    this.#replace(
      now,
      owner,
      rests.map((rest) => partOf(old, rest)),
    );
  }

  /** Puts parts of a piece, or nothing, in its place. */
  #replace(now: Draft, owner: Owner, parts: readonly Piece[]): void {
    const { piece: old, stamp } = owner;
    now.owners = this.#owners.without(now.owners, owner);
    for (const part of parts)
      now.owners = this.#owners.with(now.owners, {
        base: part.base,
        offset: part.offset,
        bytes: part.bytes,
        piece: part,
        stamp,
        kept: false,
      });
    const changed = (run: Run) =>
      parts.reduce((all: Run | undefined, part) => this.#added(all, part), this.#removed(run, old));
    if (stamp === SAVED) {
      now.saved = changed(now.saved!);
      return;
    }
    const [left, middle, right] = this.#around(now.line, stamp);
    const run = changed(middle!.item.run);
    if (run === undefined) this.#close(now, left, right);
    else now.line = this.#line.join(left, this.#line.join(this.#line.single({ stamp, run }), right));
  }

  /** Puts a piece behind the line. @returns its run's stamp */
  #append(now: Draft, piece: Piece): number {
    const last = now.line && lastOf(now.line);
    const same = last !== undefined && baseOf(last) === piece.base;
    // Of kept pieces in the same run no byte stays that is overwritten.
    const run = this.#added(same ? this.#beside(last.run, piece) : undefined, piece);
    const stamp = last === undefined ? 0 : same ? last.stamp : last.stamp + 1;
    now.line = this.#line.join(same ? this.#line.dropLast(now.line!) : now.line, this.#line.single({ stamp, run }));
    return stamp;
  }

  /** Joins the line where a run has gone: two runs of one base that meet become one. */
  #close(now: Draft, left: Line | undefined, right: Line | undefined): void {
    now.line = this.#meet(left, right);
    const [a, b] = [left && lastOf(left), right && firstOf(right)];
    if (a === undefined || b === undefined || baseOf(a) !== baseOf(b)) return;
    const [small, large] = bySize(a, b);
    for (const piece of itemsOf(small.run))
      for (const owner of this.#owners.all(now.owners, piece))
        if (owner.stamp === small.stamp)
          now.owners = this.#owners.with(this.#owners.without(now.owners, owner), { ...owner, stamp: large.stamp });
  }

  /** Puts one part of a line behind another; the larger of two runs that meet keeps its stamp. */
  #meet(left: Line | undefined, right: Line | undefined): Line | undefined {
    if (left === undefined || right === undefined) return left ?? right;
    const [a, b] = [lastOf(left), firstOf(right)];
    if (baseOf(a) !== baseOf(b)) return this.#line.join(left, right);
    const run = this.#union(a.run, b.run) ?? this.#laidOver(a.run, b.run);
    const both = this.#line.single({ stamp: bySize(a, b)[1].stamp, run });
    return this.#line.join(this.#line.join(this.#line.dropLast(left), both), this.#line.dropFirst(right));
  }

  /** The union of two runs; undefined where pieces overlap. Results are kept: runs that are mostly alike have parts united before. */
  #union(a: Run, b: Run): Run | undefined {
    const key = `${a.term.id},${b.term.id}`;
    if (this.#unions.has(key)) return this.#unions.get(key);
    const isAbove = a.item.offset < b.item.offset ? this.#run.isAbove(a, b) : !this.#run.isAbove(b, a);
    const [above, below] = isAbove ? [a, b] : [b, a];
    const { item } = above;
    const [first, last] = this.#run.split(below, (piece) => piece.offset < item.offset);
    let made: Run | undefined;
    if (!(first && endOf(lastOf(first)) > item.offset) && !(last && firstOf(last).offset < endOf(item))) {
      const one = (x: Run | undefined, y: Run | undefined) => (x && y ? this.#union(x, y) : (x ?? y));
      const [left, right] = [one(above.left, first), one(above.right, last)];
      const lost = (left === undefined && (above.left ?? first)) || (right === undefined && (above.right ?? last));
      if (!lost) made = this.#makeRun(left, item, right);
    }
    this.#unions.set(key, made);
    return made;
  }
  /** The union of two runs, the second laid over the first. */
  #laidOver(a: Run, b: Run): Run {
    let run: Run = a;
    for (const piece of itemsOf(b)) run = this.#added(this.#beside(run, piece), piece);
    return run;
  }

  #added(run: Run | undefined, piece: Piece): Run {
    return this.#run.insert(run, piece, ({ offset }) => offset < piece.offset);
  }
  #removed(run: Run, { offset: at }: Piece): Run | undefined {
    return this.#run.without(
      run,
      ({ offset }) => offset < at,
      ({ offset }) => offset > at,
    );
  }
  /** The part of a run that a piece does not overwrite. */
  #beside(run: Run, piece: Piece): Run | undefined {
    const [left, rest] = this.#run.split(run, (old) => endOf(old) <= piece.offset);
    const [over, right] = this.#run.split(rest, (old) => old.offset < endOf(piece));
    let made = this.#run.join(left, right);
    for (const old of itemsOf(over))
      for (const part of restsOf(old, piece.offset, endOf(piece))) made = this.#added(made, partOf(old, part));
    return made;
  }

  /** The parts of a line before a run, the run, and behind it. */
  #around(line: Line | undefined, stamp: number): readonly [Line | undefined, Line | undefined, Line | undefined] {
    const [left, rest] = this.#line.split(line, (each) => each.stamp < stamp);
    const [middle, right] = this.#line.split(rest, (each) => each.stamp === stamp);
    return [left, middle, right];
  }

  /**
   * Memory behind an event whose stores are unknown.
   * @param origin the memory behind the event
   * @param misses which parts of slots the event is known to miss
   */
  behind(memory: Memory, origin: Term, misses: Misses, slots: readonly Extent[]): Memory {
    const saved = this.#parted(memory.saved, misses, slots).missed;
    let owners: Owners | undefined;
    for (const piece of itemsOf(saved)) {
      const { base, offset, bytes } = piece;
      owners = this.#owners.with(owners, { base, offset, bytes, piece, stamp: SAVED, kept: false });
    }
    return this.#make({ origin, saved, owners });
  }

  /**
   * A loaded value: a part of a stored value or, if that is not known, the memory that the load depends on. This memory has no stores that
   * miss the loaded bytes, and none from before all of these bytes were overwritten.
   * @param misses which parts of slots the load is known to miss
   * @param slots the parts to ask about
   */
  load(memory: Memory, place: Place, bytes: Bytes, misses: Misses, slots: readonly Extent[]): Loaded {
    const { base, offset: from } = place;
    const to = from + bytes;
    const now = draftOf(memory);
    if (base !== this.#stack) this.#takeOut(now, slots, misses);
    const owners = this.#owners.all(now.owners, { ...place, bytes });
    const met = base === this.#stack ? undefined : this.#parted(now.saved, misses, slots).met;
    const beneath = base === this.#stack ? undefined : this.#parted(now.hidden, misses, slots).met;
    const [first] = owners;
    if (first !== undefined && first.offset <= from && endOf(first) >= to) {
      const { piece, stamp } = first;
      if (stamp === SAVED || (met === undefined && beneath === undefined && stamp === lastOf(now.line!).stamp))
        return { value: piece.value, at: piece.at + from - piece.offset };
    }
    let covered = 0;
    let beside: Run | undefined;
    const own = new Map<number, Run>();
    for (const { offset, bytes: length, piece, stamp } of owners) {
      const start = Math.max(offset, from);
      const part = partOf(piece, { offset: start, bytes: Math.min(offset + length, to) - start });
      covered += part.bytes;
      if (stamp === SAVED) beside = this.#added(beside, part);
      else own.set(stamp, this.#added(own.get(stamp), part));
    }
    const whole = covered === bytes;
    const others = this.#others({ ...now, settled: memory.settled }, base, own, whole);
    const line = this.#followed(this.#followed(this.#followed(others, beneath), met), beside);
    const origin = whole ? this.#beneath : memory.origin;
    const term = this.#termOf(origin, line);
    this.#looked.set(term, { origin, line });
    const exact = (owner: Owner) => owner.offset === from && owner.bytes === bytes && owner.piece.offset === from;
    return { from: term, parts: owners.filter((owner) => !exact(owner)).map(({ piece }) => piece.value) };
  }

  /**
   * A part of a loaded value, from the memory that the load depends on.
   * @param from that memory, as `load` has given it
   */
  part(from: Term, place: Place, bytes: Bytes): Loaded | undefined {
    const looked = this.#looked.get(from);
    if (looked === undefined) return undefined;
    let memory = this.#parts.get(from);
    if (memory === undefined) {
      memory = this.ordered({ ...looked, term: from }, () => [() => false, []]);
      this.#parts.set(from, memory);
    }
    return this.load(memory, place, bytes, () => false, []);
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
      const [left, , right] = this.#around(rest, stamp);
      if (begun) made = this.#meet(made, few ? left : this.#except(left, base));
      const run = own.get(stamp);
      if (run !== undefined) {
        made = this.#meet(made, this.#line.single({ stamp, run }));
        begun = true;
      }
      rest = right;
    }
    return begun ? this.#meet(made, few ? rest : this.#except(rest, base)) : undefined;
  }
  /** A line without the stores through a base, or only without their bytes below an address. Shared parts of lines are done once. */
  #except(line: Line | undefined, base: Term | undefined, below = Number.POSITIVE_INFINITY): Line | undefined {
    if (line === undefined || (line.bases & bitOf(base)) === 0) return line;
    const key = `${idOf(base)},${below}`;
    line.parts ??= new Map();
    if (line.parts.has(key)) return line.parts.get(key);
    const { stamp, run } = line.item;
    const rest = run.item.base === base ? this.#above(run, below) : run;
    const [left, right] = [this.#except(line.left, base, below), this.#except(line.right, base, below)];
    let made: Line | undefined;
    const whole = below === Number.POSITIVE_INFINITY;
    if (rest === run && left === line.left && right === line.right) made = line;
    else if (
      whole &&
      rest === run &&
      !isOf(left && lastOf(left), line.item) &&
      !isOf(right && firstOf(right), line.item)
    )
      // The item stays above these in the tree, where runs have only gone.
      made = this.#makeLine(left, line.item, right);
    else made = this.#meet(this.#meet(left, rest && this.#line.single({ stamp, run: rest })), right);
    line.parts.set(key, made);
    return made;
  }
  #above(run: Run | undefined, below: number): Run | undefined {
    const [, rest] = this.#run.split(run, (piece) => endOf(piece) <= below);
    const first = rest && firstOf(rest);
    if (first === undefined || first.offset >= below) return rest;
    return this.#added(this.#run.dropFirst(rest!), partOf(first, { offset: below, bytes: endOf(first) - below }));
  }

  /** A settled memory without the bytes stored through a base below an address. */
  above({ origin, line }: Memory, { base, offset }: Place): Term {
    return this.#termOf(origin, this.#except(line, base, offset));
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
        pairs.push([this.#addressOf(piece), this.#addressOf(other)], [piece.value, other.value]);
      }
    }
    return pairs;
  }
}
