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
  readonly #depth: number;
  readonly #found: Found;
  readonly #number: number;

  constructor(parent?: Knowledge) {
    this.#parent = parent;
    this.#depth = parent === undefined ? 0 : parent.#depth + 1;
    this.#found = parent === undefined ? new Found() : parent.#found;
    this.#number = this.#found.places++;
  }

  /** How many facts there are, here or elsewhere. */
  get size(): number {
    return this.#found.size;
  }
  /** Changes when more is known here. */
  get version(): string {
    return `${this.#number}/${this.#found.size}`;
  }

  noteApart(slot: Term, other: Term): void {
    if (!this.apart(slot, other)) this.#found.add(`apart${slot.id},${other.id}`, this, 0);
  }
  apart(slot: Term, other: Term): boolean {
    return this.#holds(`apart${slot.id},${other.id}`) !== undefined;
  }

  noteUnread(slot: Term, value: Term, address: Term): void {
    if (!this.unread(slot, value, address)) this.#found.add(`unread${slot.id},${value.id},${address.id}`, this, 0);
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
    for (const { at, what } of this.#found.of(key)) if (at.#leadsTo(this)) return what as T;
    return undefined;
  }
  #leadsTo(other: Knowledge): boolean {
    let at: Knowledge | undefined = other;
    while (at !== undefined && at.#depth > this.#depth) at = at.#parent;
    return at === this;
  }
}

/** All facts of one proof, by what they say. The last one comes first. */
class Found {
  readonly #facts = new Map<string, { readonly at: Knowledge; readonly what: What }[]>();
  size = 0;
  /** Places in the tree so far. */
  places = 0;

  add(key: string, at: Knowledge, what: What): void {
    const known = this.#facts.get(key);
    if (known === undefined) this.#facts.set(key, [{ at, what }]);
    else known.unshift({ at, what });
    this.size++;
  }
  of(key: string): readonly { readonly at: Knowledge; readonly what: What }[] {
    return this.#facts.get(key) ?? [];
  }
}
