/**
 * What running the original along a way has shown of that way: facts about addresses, for all states that go it. They hang on the segments of
 * the original's run in which they were found, and hold on every way that passes there: what happens on another way says nothing.
 *
 * - *apart*: while a frame keeps a saved register in a slot, the original has accessed another address, not through the stack pointer. By
 *   assumption A3 the two do not overlap.
 * - *unread*: the frame was given back, and the original has loaded from the other address since. By assumption A8 it does not read there what
 *   is left in the slot.
 * - *links*: at a slot the original saves the return address of a call.
 */
import type { Addr } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';

/** What a frame has kept, and the loads that it depends on. */
export interface Restored {
  readonly value: Term;
  readonly depends: bigint;
}
type What = 0 | Restored;

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

  /** Slots of which something is known beside another address, here or elsewhere. */
  slotsBeside(other: Term): readonly Term[] {
    return [...(this.#found.beside.get(other) ?? [])];
  }

  noteApart(slot: Term, other: Term): void {
    if (this.apart(slot, other)) return;
    this.#found.add(`apart${slot.id},${other.id}`, this, 0);
    this.#found.addBeside(slot, other);
  }
  apart(slot: Term, other: Term): boolean {
    return this.#holds(`apart${slot.id},${other.id}`) !== undefined;
  }

  noteUnread(slot: Term, value: Term, address: Term): void {
    if (this.unread(slot, value, address)) return;
    this.#found.add(`unread${slot.id},${value.id},${address.id}`, this, 0);
    this.#found.addBeside(slot, address);
  }
  /** @param value what is left there */
  unread(slot: Term, value: Term, address: Term): boolean {
    return this.#holds(`unread${slot.id},${value.id},${address.id}`) !== undefined;
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
  /** By an address, slots. */
  readonly beside = new Map<Term, Set<Term>>();
  size = 0;

  addBeside(slot: Term, other: Term): void {
    const slots = this.beside.get(other);
    if (slots === undefined) this.beside.set(other, new Set([slot]));
    else slots.add(slot);
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
