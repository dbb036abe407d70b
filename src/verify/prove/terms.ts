/**
 * Terms as the prover needs them: the domain's own, with a few more rules, memory as a chain of stores, and code addresses. Every
 * rule holds for all values; test/verify checks each against the concrete domain.
 *
 * Memory is a term too: an unknown at the head, then one `store` around it for each store that is not wholly overwritten by a later
 * one, in an order that does not depend on the order in which stores that cannot overlap were made. A load looks through stores that
 * cannot overlap it and takes the value of one that covers it; what it cannot decide stays a function of the stores that may matter.
 *
 * So an optimizer may leave out a store that one later store overwrites wholly on each way before control leaves. No fault is lost by
 * that: memory is equal at the exit, so the later store is made by both, and it faults where the one left out would have (no system
 * call is between them that could change a page). Two later stores that cover one together are not enough.
 */
import { MASK64, toSigned } from '../../base/bits.ts';
import type { Addr } from '../../base/units.ts';
import { type Term, Terms } from '../../domain/term.ts';
import type { Knowledge } from './knowledge.ts';

type Bytes = 1 | 2 | 4 | 8;

/** What jalr does to its target. */
const EVEN = MASK64 - 1n;

interface Write {
  readonly address: Term;
  readonly bytes: Bytes;
  readonly value: Term;
}

interface Store extends Write {
  /** What it was made to. */
  readonly memory: Term;
}

/** How two accesses lie to each other. `covers`: all bytes of the second are in the first, from byte `at` on. */
type Overlap = { readonly kind: 'none' | 'some' | 'unknown' } | { readonly kind: 'covers'; readonly at: number };

export class ProofTerms extends Terms {
  readonly memory: Term;
  readonly #stores = new Map<Term, Store>();
  /** The memory a load depends on, by memory, address and width. */
  readonly #seen = new Map<string, Term>();
  readonly #beneath: Term;
  readonly #relocatable: boolean;
  readonly #bias: Term;
  readonly #stack: Term;
  #kept: ((address: Term, bytes: number, value: Term) => boolean) | undefined;
  /** How many stores have been looked at to put others in their places. */
  looks = 0;
  /** What is known of addresses on the way that is being run or compared. */
  knowledge: Knowledge | undefined;
  /** Assumption A3 has been used. */
  usedSaved = false;
  /** Assumption A8 has been used, of a load behind where a frame was given back. */
  usedUnread = false;
  /** Assumption A7 has been used. */
  usedLinks = false;
  /** Others may look and write between two accesses: assumption A11 is not made. */
  readonly watched: boolean;
  readonly #links = new Map<Term, Addr>();
  #unknowns = 0;

  /**
   * @param relocatable code addresses are an unknown bias plus a constant
   * @param stack the stack pointer at the head
   */
  constructor(relocatable: boolean, stack: string, watched = false) {
    super();
    this.watched = watched;
    this.#relocatable = relocatable;
    this.#bias = this.input('bias');
    this.memory = this.input('memory');
    this.#beneath = this.input('beneath');
    this.#stack = this.input(stack);
  }

  /**
   * From now on stores that are wholly overwritten stay where they are, if they are among these. That is as true as to take them out: what is
   * loaded through a pointer that does not lead to the later store is not in the earlier one either. So where optimized code has left out the
   * later store, to a frame that is gone by now, and made the earlier one, both sides say the same of it.
   * @param kept absent: none
   */
  keep(kept?: (address: Term, bytes: number, value: Term) => boolean): void {
    this.#kept = kept;
  }

  /** Memory without stores that later ones wholly overwrite, where some of them have been kept. */
  settled(memory: Term): Term {
    if (this.#kept === undefined) return memory;
    const later: Store[] = [];
    return this.#without(memory, (store) => {
      const gone = later.some((other) => this.#covers(other, store));
      later.push(store);
      return gone;
    });
  }

  /** The run-time value of an address as linked. */
  code(address: Addr): Term {
    const constant = this.const(BigInt(address));
    return this.#relocatable ? this.add(this.#bias, constant) : constant;
  }
  /** The address as linked that a term is, if it is one. */
  addressOf(term: Term): Addr | undefined {
    const value = this.#relocatable
      ? term.op === 'add' && term.args[0] === this.#bias
        ? term.args[1]!.value
        : undefined
      : term.value;
    return value !== undefined && value < 1n << 48n ? Number(value) : undefined;
  }

  /** A return address of the original, of which no number is known: what stands for it in optimized code is another one (A7). */
  link(address: Addr): Term {
    const term = this.input(`link ${address}`);
    this.#links.set(term, address);
    return term;
  }
  /** A value that is the same as no other. */
  unknown(): Term {
    return this.input(`unknown ${this.#unknowns++}`);
  }
  linkOf(term: Term): Addr | undefined {
    return this.#links.get(term);
  }
  /** The return address that is jumped to, where the target is one. */
  linkTarget(target: Term): Addr | undefined {
    const [address, mask] = target.args;
    return target.op === 'and' && mask!.value === EVEN ? this.linkOf(address!) : undefined;
  }

  /** Programs are loaded at whole pages: the last bit of a code address is not the bias's. */
  override and(a: Term, b: Term): Term {
    const address = b.value === EVEN ? this.addressOf(a) : a.value === EVEN ? this.addressOf(b) : undefined;
    return address === undefined ? super.and(a, b) : this.code(address - (address % 2));
  }

  /** Two code addresses are equal or not whatever the bias is. */
  override eq(a: Term, b: Term): Term {
    const [left, right] = [this.addressOf(a), this.addressOf(b)];
    if (left !== undefined && right !== undefined) return this.const(left === right ? 1n : 0n);
    return super.eq(a, b);
  }

  /** Memory after a store. */
  store(memory: Term, address: Term, bytes: Bytes, value: Term): Term {
    return this.#insert(memory, { address, bytes, value: this.stored(value, bytes) });
  }
  /** What of a value a store stores. */
  stored(value: Term, bytes: Bytes): Term {
    return bytes === 8 ? value : this.zext(value, (bytes * 8) as 8 | 16 | 32);
  }
  #covers(store: Write, old: Write): boolean {
    return this.#overlap(store.address, store.bytes, old.address, old.bytes).kind === 'covers';
  }

  /**
   * Stores wholly overwritten by this one are gone, wherever they stand: no byte of them is left. What was loaded in between is a term
   * of the memory there was then, so it does not change.
   */
  #insert(memory: Term, store: Write): Term {
    const again = (old: Store) => old.address === store.address && old.value === store.value;
    const stays = (old: Store) => this.#kept?.(old.address, old.bytes, old.value) && !again(old);
    return this.#place(
      this.#without(memory, (old) => this.#covers(store, old) && !stays(old)),
      store,
    );
  }

  /**
   * Of stores that cannot overlap, the one whose address is the older term comes first. An order of words in which some letters commute
   * is normal if each new letter goes to the earliest place it can reach that has a greater one behind it (Anisimov and Knuth, 1979).
   */
  #place(memory: Term, store: Write): Term {
    const over: Store[] = [];
    let reach = 0;
    for (let at = this.#stores.get(memory); at !== undefined; at = this.#stores.get(at.memory)) {
      this.looks++;
      if (!this.#misses(at, store.address, store.bytes, false)) break;
      over.push(at);
      if (store.address.id < at.address.id) reach = over.length;
    }
    let made = this.#push(reach === 0 ? memory : over[reach - 1]!.memory, store);
    for (const old of over.slice(0, reach).reverse()) made = this.#push(made, old);
    return made;
  }

  #push(memory: Term, { address, bytes, value }: Write): Term {
    const made = this.apply(`store${bytes}`, [memory, address, value]);
    if (!this.#stores.has(made)) this.#stores.set(made, { memory, address, bytes, value });
    return made;
  }

  /** Memory as it is without some of the stores since the last barrier. */
  #without(memory: Term, gone: (store: Store) => boolean): Term {
    const over: Store[] = [];
    let lowest: Store | undefined;
    let kept = 0;
    for (let at = this.#stores.get(memory); at !== undefined; at = this.#stores.get(at.memory)) {
      if (gone(at)) {
        lowest = at;
        kept = over.length;
      } else over.push(at);
    }
    if (lowest === undefined) return memory;
    let made = lowest.memory;
    for (const store of over.slice(0, kept).reverse()) made = this.#place(made, store);
    return made;
  }

  /** Memory behind an ordered event: what is loaded from it is not taken from stores before. */
  barrier(memory: Term, order: Term): Term {
    return this.apply('barrier', [memory, order]);
  }

  /** What a load of so many bytes gives, zero-extended. */
  load(memory: Term, address: Term, bytes: Bytes): Term {
    let at = memory;
    for (;;) {
      // What a frame keeps is not overwritten by other harts.
      if (at.name === 'barrier' && this.#outOfReach(address, bytes, at.args[1]!)) {
        at = at.args[0]!;
        continue;
      }
      const top = this.#stores.get(at);
      if (top === undefined) break;
      const overlap = this.#overlap(top.address, top.bytes, address, bytes);
      if (overlap.kind === 'covers') return this.#part(top.value, overlap.at, bytes);
      if (!this.#misses(top, address, bytes, true)) break;
      at = top.memory;
    }
    const key = `${this.knowledge?.version},${at.id},${address.id},${bytes}`;
    let from = this.#seen.get(key);
    if (from === undefined) {
      from = this.#without(this.#down(at, address, bytes), (store) => this.#misses(store, address, bytes, true));
      this.#seen.set(key, from);
    }
    return this.apply(`load${bytes}`, [from, address], bytes === 8 ? {} : { unsigned: bytes * 8 });
  }

  /** Memory cut off beneath the first store that all of these bytes are in: what was there before does not matter to them. */
  #down(memory: Term, address: Term, bytes: Bytes): Term {
    const over: Store[] = [];
    for (let at = this.#stores.get(memory); at !== undefined; at = this.#stores.get(at.memory)) {
      over.push(at);
      if (this.#overlap(at.address, at.bytes, address, bytes).kind !== 'covers') continue;
      let made = this.#beneath;
      for (const store of over.reverse()) made = this.#place(made, store);
      return made;
    }
    return memory;
  }

  /**
   * Memory without what was stored below a stack pointer since the last barrier, in slots of the stack at the head (assumption A8).
   * Undefined where that stack pointer is not known from the one at the head.
   */
  above(memory: Term, stack: Term): Term | undefined {
    const { base, offset } = this.#split(stack);
    if (base !== this.#stack) return undefined;
    return this.#without(memory, (store) => {
      const slot = this.#split(store.address);
      return slot.base === base && toSigned((slot.offset - offset) & MASK64) + BigInt(store.bytes) <= 0n;
    });
  }

  /** Memory with its stores in the order that all that is known now gives them: some of it may not have been known when they were made. */
  ordered(memory: Term): Term {
    const stores: Store[] = [];
    let made = memory;
    for (let at = this.#stores.get(made); at !== undefined; at = this.#stores.get(made)) {
      stores.push(at);
      made = at.memory;
    }
    for (const store of stores.reverse()) made = this.#place(made, store);
    return made;
  }

  /** Is there a store of this value of eight bytes to this address since the last barrier? */
  stores(memory: Term, { address, value }: { readonly address: Term; readonly value: Term }): boolean {
    for (let at = this.#stores.get(memory); at !== undefined; at = this.#stores.get(at.memory))
      if (at.bytes === 8 && at.address === address && at.value === value) return true;
    return false;
  }

  /** Memory without the stores of these values of eight bytes to these addresses. */
  without(memory: Term, slots: readonly { readonly address: Term; readonly value: Term }[]): Term {
    if (slots.length === 0) return memory;
    return this.#without(
      memory,
      (store) =>
        store.bytes === 8 && slots.some(({ address, value }) => address === store.address && value === store.value),
    );
  }

  /**
   * What must be equal for two memories to be, if they are as many stores of the same widths, each to the same as the other: addresses and
   * values in turn. Undefined where they are not.
   */
  pairs(a: Term, b: Term): (readonly [Term, Term])[] | undefined {
    const pairs: (readonly [Term, Term])[] = [];
    let [left, right] = [a, b];
    while (left !== right) {
      const [one, other] = [this.#stores.get(left), this.#stores.get(right)];
      if (one === undefined || other === undefined || one.bytes !== other.bytes) return undefined;
      pairs.push([one.address, other.address], [one.value, other.value]);
      [left, right] = [one.memory, other.memory];
    }
    return pairs;
  }

  #part(value: Term, at: number, bytes: Bytes): Term {
    const shifted = this.shr(value, this.const(BigInt(8 * at)));
    return bytes === 8 ? shifted : this.zext(shifted, (bytes * 8) as 8 | 16 | 32);
  }

  /** A store cannot touch these bytes, which are loaded or stored to. */
  #misses(store: Write, address: Term, bytes: Bytes, loads: boolean): boolean {
    const { kind } = this.#overlap(store.address, store.bytes, address, bytes);
    if (kind !== 'unknown') return kind === 'none';
    const reads = loads && store.bytes === 8 && this.knowledge?.unread(store.address, store.value, address) === true;
    if (reads) this.usedUnread = true;
    return (
      reads || this.#outOfReach(store.address, store.bytes, address) || this.#outOfReach(address, bytes, store.address)
    );
  }

  /** Assumption A3: the first is a slot that the second does not lead to. */
  #outOfReach(slot: Term, bytes: Bytes, other: Term): boolean {
    if (bytes !== 8 || !this.knowledge?.apart(slot, other)) return false;
    this.usedSaved = true;
    return true;
  }

  /** How far an address is from the stack pointer at the head, where that is known. */
  stackOffset(address: Term): bigint | undefined {
    const { base, offset } = this.#split(address);
    return base === this.#stack ? toSigned(offset) : undefined;
  }

  /** An address as a base and a distance; no base: a constant. */
  #split(address: Term): { base: Term | undefined; offset: bigint } {
    if (address.value !== undefined) return { base: undefined, offset: address.value };
    const [base, constant] = address.args;
    if (address.op === 'add' && constant!.value !== undefined) return { base, offset: constant!.value };
    return { base: address, offset: 0n };
  }

  #overlap(a: Term, aBytes: number, b: Term, bBytes: number): Overlap {
    const [first, second] = [this.#split(a), this.#split(b)];
    if (first.base !== second.base) return { kind: 'unknown' };
    const distance = toSigned((second.offset - first.offset) & MASK64);
    if (distance >= aBytes || -distance >= bBytes) return { kind: 'none' };
    if (distance >= 0n && distance + BigInt(bBytes) <= BigInt(aBytes)) return { kind: 'covers', at: Number(distance) };
    return { kind: 'some' };
  }
}

/** A condition without its negations: `eq(c, 0)` of a comparison c is c the other way round. */
export function plainCondition(condition: Term): { readonly term: Term; readonly when: boolean } {
  let term = condition;
  let when = true;
  while (term.op === 'eq' && term.args[1]!.value === 0n && term.args[0]!.unsigned <= 1) {
    term = term.args[0]!;
    when = !when;
  }
  return { term, when };
}
