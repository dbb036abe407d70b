/**
 * Facts about addresses that the original's run along a path has shown, for all states that take the path. A fact belongs to the segment
 * of the original's run in which it was found, and holds on every path through that segment: a run along another path says nothing. A
 * fact is about numbers, so it holds from the head on, whenever it was found.
 *
 * - *apart*: while a frame keeps a saved register in a slot, the original has accessed bytes through another pointer than the stack
 *   pointer. By assumption A3 these bytes are disjoint from the slot.
 * - *unread*: a frame was given back, and the original has loaded bytes through another pointer since. By assumption A8 a loaded byte
 *   that lies in the slot has been stored since, through another pointer: such stores are listed. With none listed, the loaded bytes are
 *   disjoint from the slot. (Stores through the stack pointer over a part of the slot are known exactly, and only the rest counts.)
 * - *links*: the original saves the return address of a call at a slot.
 */
import type { Addr } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';
import type { List } from './list.ts';
import { disjoint, endOf, type Span } from './pieces.ts';

/** A value that a frame has kept, and the loads that the value depends on. */
export interface Restored {
  readonly value: Term;
  readonly depends: bigint;
}
/** Consecutive bytes that are accessed. */
export interface Accessed {
  readonly address: Term;
  readonly bytes: number;
}
const SLOT_BYTES = 8;
const keyOf = (kind: string, { offset, bytes }: Span, { id }: Term): string => `${kind}${offset}:${bytes},${id}`;
/** Stores, latest first. */
export interface Stores extends List<Accessed> {
  readonly rest: Stores | undefined;
  /** Number of stores in the list. */
  readonly count: number;
}
/** Bytes that have been loaded, and the stores since the frame was given back that may overlap both the slot and these bytes (`open`). */
interface Unread {
  readonly bytes: number;
  /** Number of stores before the frame was given back. */
  readonly given: number;
  readonly open: readonly Accessed[];
  /** Assumption A3 shows that other stores are not in the slot. */
  readonly saved: boolean;
}
/** Assumptions by which bytes of a slot are not seen: A8, and A3 if `saved`. */
interface Shown {
  readonly saved: boolean;
}
/** A fact about bytes beside a slot. */
type Beside = Pick<Accessed, 'bytes'> | Unread;
type Content = 0 | Restored | Beside;

/** Stores that are examined for whether they cover a slot; a longer list is not examined. */
const MOST_STORES = 32;
/** Facts about one slot and address: frames are given back again and again. */
const MOST_UNREAD_FACTS = 8;

/** A segment's node in the tree of paths, and the facts found at the node or above it. */
export class Knowledge {
  readonly #parent: Knowledge | undefined;
  /** An ancestor further back than the parent: by both any ancestor is reached in few steps. */
  readonly #back: Knowledge | undefined;
  readonly #depth: number;
  readonly #found: Found;

  constructor(parent?: Knowledge) {
    this.#parent = parent;
    this.#depth = parent === undefined ? 0 : parent.#depth + 1;
    this.#found = parent === undefined ? new Found() : parent.#found;
    this.#back = parent?.backBehind();
  }
  /** The `#back` of a child: this node, or two jumps back where these have one length (Myers: An applicative random-access stack, 1983). */
  backBehind(): Knowledge {
    const back = this.#back;
    if (back === undefined || back.#back === undefined) return this;
    return this.#depth - back.#depth === back.#depth - back.#back.#depth ? back.#back : this;
  }

  /** Number of facts in the whole tree. */
  get size(): number {
    return this.#found.size;
  }

  /** Parts of slots with a fact beside an address, at any node of the tree. */
  slotsBeside(other: Term): readonly Span[] {
    return this.#found.slotsBeside(other);
  }

  noteApart(slot: Span, accessed: Accessed): void {
    if (!this.apart(slot, accessed)) this.#found.addBeside('apart', slot, accessed.address, this, accessed);
  }
  apart(slot: Span, accessed: Accessed): boolean {
    return this.#beside<Accessed>('apart', slot, accessed).length > 0;
  }

  /**
   * @param stores stores through other pointers than the stack pointer, latest first
   * @param given number of these stores before the frame was given back
   */
  noteUnread(slot: Span, accessed: Accessed, stores: Stores | undefined, given: number): void {
    const known = this.#beside<Unread>('unread', slot, accessed);
    // A later fact would list more stores, and say less.
    if (known.length >= MOST_UNREAD_FACTS || known.some((each) => each.given === given)) return;
    const since = this.since(stores, given);
    if (since === undefined) return;
    const { open, saved } = this.#open(since, slot, accessed);
    this.#found.addBeside('unread', slot, accessed.address, this, { bytes: accessed.bytes, given, open, saved });
  }
  /** The stores behind the first `given`; undefined where they are too many to examine. */
  since(stores: Stores | undefined, given: number): Accessed[] | undefined {
    const since: Accessed[] = [];
    for (let at = stores; at !== undefined && at.count > given; at = at.rest) {
      if (since.length === MOST_STORES) return undefined;
      since.push(at.item);
    }
    return since;
  }
  /** The stores that may overlap both the slot and these bytes, by the facts at this node, where more may be known than at another. */
  #open(stored: readonly Accessed[], slot: Span, accessed: Accessed): Pick<Unread, 'open' | 'saved'> {
    let saved = false;
    const open = stored.filter((store) => {
      if (disjoint(store, accessed)) return false;
      const missed = this.misses(slot, store);
      saved ||= missed?.saved ?? false;
      return missed === undefined;
    });
    return { open, saved };
  }
  /**
   * Does a load of these bytes see nothing of an earlier store to the slot?
   * @param covered have these bytes been stored behind that store?
   */
  unread(slot: Span, accessed: Accessed, covered: (stored: Accessed) => boolean): Shown | undefined {
    for (const known of this.#beside<Unread>('unread', slot, accessed)) {
      const { open, saved } = this.#open(known.open, slot, accessed);
      if (open.every(covered)) return { saved: known.saved || saved };
    }
    return undefined;
  }
  /** Are these bytes disjoint from the slot? */
  misses(slot: Span, accessed: Accessed): Shown | undefined {
    if (this.apart(slot, accessed)) return { saved: true };
    return this.#beside<Unread>('unread', slot, accessed).find(({ open }) => open.length === 0);
  }
  /** The facts about these bytes, or more bytes, beside this part of a slot, or a larger part. */
  #beside<T extends Beside>(kind: string, slot: Span, { address, bytes }: Accessed): T[] {
    return this.#found
      .beside(kind, slot, address)
      .flatMap((key) => this.#all<T>(key))
      .filter((known) => known.bytes >= bytes);
  }

  noteLink(slot: Term, link: Addr): void {
    if (!this.savesLink(slot, link)) this.#found.add(`link${slot.id},${link}`, this, 0);
  }
  /** Does the original save this return address at this slot? */
  savesLink(slot: Term, link: Addr): boolean {
    return this.#holds(`link${slot.id},${link}`) !== undefined;
  }

  /** Notes that the original's access of this number loads a saved register from its slot. */
  noteRestored(access: number, restored: Restored): void {
    if (this.restoredAt(access) === undefined) this.#found.add(`restored${access}`, this, restored);
  }
  restoredAt(access: number): Restored | undefined {
    return this.#holds(`restored${access}`);
  }

  #holds<T extends Content>(key: string): T | undefined {
    const known = this.#found.of(key);
    for (let index = known.length - 1; index >= 0; index--)
      if (known[index]!.at.leadsTo(this)) return known[index]!.what as T;
    return undefined;
  }
  #all<T extends Content>(key: string): T[] {
    return this.#found.of(key).flatMap(({ at, what }) => (at.leadsTo(this) ? [what as T] : []));
  }
  /** Is this node an ancestor of another, or the same node? */
  leadsTo(other: Knowledge): boolean {
    let at: Knowledge = other;
    while (at.#depth > this.#depth)
      at = at.#back !== undefined && at.#back.#depth >= this.#depth ? at.#back : at.#parent!;
    return at === this;
  }
}

/** All facts of one proof, by their contents. */
class Found {
  readonly #facts = new Map<string, { readonly at: Knowledge; readonly what: Content }[]>();
  /** Sizes of the parts of slots with a fact, by the other address and the part's offset. */
  readonly #beside = new Map<Term, Map<number, Set<number>>>();
  size = 0;

  addBeside(kind: string, { offset, bytes }: Span, other: Term, at: Knowledge, what: Beside): void {
    let slots = this.#beside.get(other);
    if (slots === undefined) this.#beside.set(other, (slots = new Map()));
    const widths = slots.get(offset);
    if (widths === undefined) slots.set(offset, new Set([bytes]));
    else widths.add(bytes);
    this.add(keyOf(kind, { offset, bytes }, other), at, what);
  }
  slotsBeside(other: Term): Span[] {
    const slots: Span[] = [];
    for (const [offset, widths] of this.#beside.get(other) ?? [])
      for (const bytes of widths) slots.push({ offset, bytes });
    return slots;
  }
  /** Keys of possible facts about an address beside the parts of slots that contain this part. */
  beside(kind: string, slot: Span, other: Term): string[] {
    const slots = this.#beside.get(other);
    const keys: string[] = [];
    for (let offset = slot.offset; slots !== undefined && offset > slot.offset - SLOT_BYTES; offset--)
      for (const bytes of slots.get(offset) ?? [])
        if (offset + bytes >= endOf(slot)) keys.push(keyOf(kind, { offset, bytes }, other));
    return keys;
  }

  add(key: string, at: Knowledge, what: Content): void {
    const known = this.#facts.get(key);
    if (known === undefined) this.#facts.set(key, [{ at, what }]);
    else known.push({ at, what });
    this.size++;
  }
  of(key: string): readonly { readonly at: Knowledge; readonly what: Content }[] {
    return this.#facts.get(key) ?? [];
  }
}
