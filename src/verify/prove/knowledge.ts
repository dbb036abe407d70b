/**
 * What running the original along a way has shown of that way: facts about addresses, for all states that go it. They hang on the segments of
 * the original's run in which they were found, and hold on every way that passes there: what happens on another way says nothing. They are
 * about numbers, so they hold from the head on, whenever they were found.
 *
 * - *apart*: while a frame keeps a saved register in a slot, the original has accessed other bytes, not through the stack pointer. By
 *   assumption A3 they are none of the slot's.
 * - *unread*: the frame was given back, and the original has loaded other bytes since. By assumption A8 those of them that are the slot's have
 *   been stored since: through other pointers, which are listed. Where there are none, the bytes are none of the slot's. (What has been
 *   stored over a part of it through the stack pointer is seen, and only the rest counts.)
 * - *links*: at a slot the original saves the return address of a call.
 */
import type { Addr } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';
import type { List } from './list.ts';
import { disjoint, endOf, type Span } from './pieces.ts';

/** What a frame has kept, and the loads that it depends on. */
export interface Restored {
  readonly value: Term;
  readonly depends: bigint;
}
/** Bytes in a row that are accessed. */
export interface Accessed {
  readonly address: Term;
  readonly bytes: number;
}
/** Bytes of a slot. */
const SLOT = 8;
const keyOf = (kind: string, { offset, bytes }: Span, { id }: Term): string => `${kind}${offset}:${bytes},${id}`;
/** Stores, latest first. */
export interface Stores extends List<Accessed> {
  readonly rest: Stores | undefined;
  /** How many there are. */
  readonly count: number;
}
/** Bytes that have been loaded, and what has been stored since the frame was given back that may be both in the slot and among these. */
interface Unread {
  readonly bytes: number;
  /** How much had been stored before. */
  readonly given: number;
  readonly open: readonly Accessed[];
  /** Assumption A3 says of others that they are not in the slot. */
  readonly saved: boolean;
}
/** What shows that bytes are not seen: assumption A8 but for a slot that is kept, and A3 if `saved`. */
interface Shown {
  readonly saved: boolean;
}
/** What is known of so many bytes. */
type Beside = Pick<Accessed, 'bytes'> | Unread;
type What = 0 | Restored | Beside;

/** Of more stores than so many it is not asked whether they cover a slot. */
const MOST_STORED = 32;
/** Frames are given back again and again: of one slot and address so many facts are enough. */
const MOST_UNREAD = 8;

/** One segment's place in the tree of ways, and what has been found there or before. */
export class Knowledge {
  readonly #parent: Knowledge | undefined;
  /** Further back than the parent: by both any place on the way here is come to in few steps. */
  readonly #back: Knowledge | undefined;
  readonly #depth: number;
  readonly #found: Found;

  constructor(parent?: Knowledge) {
    this.#parent = parent;
    this.#depth = parent === undefined ? 0 : parent.#depth + 1;
    this.#found = parent === undefined ? new Found() : parent.#found;
    this.#back = parent?.backBehind();
  }
  /** Twice as far back as the parent where that has two of one length behind it (Myers: An applicative random-access stack, 1983). */
  backBehind(): Knowledge {
    const back = this.#back;
    if (back === undefined || back.#back === undefined) return this;
    return this.#depth - back.#depth === back.#depth - back.#back.#depth ? back.#back : this;
  }

  /** How many facts there are, here or elsewhere. */
  get size(): number {
    return this.#found.size;
  }

  /** Parts of slots of which something is known beside another address, here or elsewhere. */
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
   * @param stores what has been stored through other pointers than the stack pointer, latest first
   * @param given how many of these before the frame was given back
   */
  noteUnread(slot: Span, accessed: Accessed, stores: Stores | undefined, given: number): void {
    const known = this.#beside<Unread>('unread', slot, accessed);
    // By now more has been stored since.
    if (known.length >= MOST_UNREAD || known.some((each) => each.given === given)) return;
    const since = this.since(stores, given);
    if (since === undefined) return;
    const { open, saved } = this.#open(since, slot, accessed);
    this.#found.addBeside('unread', slot, accessed.address, this, { bytes: accessed.bytes, given, open, saved });
  }
  /** What has been stored since there were so many; undefined where that is too much to look at. */
  since(stores: Stores | undefined, given: number): Accessed[] | undefined {
    const since: Accessed[] = [];
    for (let at = stores; at !== undefined && at.count > given; at = at.rest) {
      if (since.length === MOST_STORED) return undefined;
      since.push(at.item);
    }
    return since;
  }
  /** What of it may be in the slot and among these bytes, by what is known here, which may be more than elsewhere. */
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
   * Does a load of these bytes find none that a store to the slot has stored?
   * @param covered are these bytes stored behind that one?
   */
  unread(slot: Span, accessed: Accessed, covered: (stored: Accessed) => boolean): Shown | undefined {
    for (const known of this.#beside<Unread>('unread', slot, accessed)) {
      const { open, saved } = this.#open(known.open, slot, accessed);
      if (open.every(covered)) return { saved: known.saved || saved };
    }
    return undefined;
  }
  /** Are these bytes none of the slot's? */
  misses(slot: Span, accessed: Accessed): Shown | undefined {
    if (this.apart(slot, accessed)) return { saved: true };
    return this.#beside<Unread>('unread', slot, accessed).find(({ open }) => open.length === 0);
  }
  /** What is known of these bytes, or more, beside this part of a slot, or more of it. */
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

  /** A register that the original has loaded from where its frame keeps it, as its access of this number. */
  noteRestored(access: number, restored: Restored): void {
    if (this.restoredAt(access) === undefined) this.#found.add(`restored${access}`, this, restored);
  }
  restoredAt(access: number): Restored | undefined {
    return this.#holds(`restored${access}`);
  }

  #holds<T extends What>(key: string): T | undefined {
    const known = this.#found.of(key);
    for (let index = known.length - 1; index >= 0; index--)
      if (known[index]!.at.leadsTo(this)) return known[index]!.what as T;
    return undefined;
  }
  #all<T extends What>(key: string): T[] {
    return this.#found.of(key).flatMap(({ at, what }) => (at.leadsTo(this) ? [what as T] : []));
  }
  /** Is this on the way to another place, or that one itself? */
  leadsTo(other: Knowledge): boolean {
    let at: Knowledge = other;
    while (at.#depth > this.#depth)
      at = at.#back !== undefined && at.#back.#depth >= this.#depth ? at.#back : at.#parent!;
    return at === this;
  }
}

/** All facts of one proof, by what they say. */
class Found {
  readonly #facts = new Map<string, { readonly at: Knowledge; readonly what: What }[]>();
  /** By an address and where they begin, parts of slots: how many bytes they are. */
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
  /** Keys of what may be known of an address beside parts of slots that have this one in them. */
  beside(kind: string, slot: Span, other: Term): string[] {
    const slots = this.#beside.get(other);
    const keys: string[] = [];
    for (let offset = slot.offset; slots !== undefined && offset > slot.offset - SLOT; offset--)
      for (const bytes of slots.get(offset) ?? [])
        if (offset + bytes >= endOf(slot)) keys.push(keyOf(kind, { offset, bytes }, other));
    return keys;
  }

  add(key: string, at: Knowledge, what: What): void {
    const known = this.#facts.get(key);
    if (known === undefined) this.#facts.set(key, [{ at, what }]);
    else known.push({ at, what });
    this.size++;
  }
  of(key: string): readonly { readonly at: Knowledge; readonly what: What }[] {
    return this.#facts.get(key) ?? [];
  }
}
