/**
 * Terms as the prover needs them: the domain's own, with a few more rules, memory as a chain of stores, and code addresses. Every
 * rule holds for all values; test/verify checks each against the concrete domain.
 *
 * Memory is a term too: an unknown at the head, then one `store` around it for each store, in an order that does not depend on the
 * order in which stores that cannot overlap were made. A load looks through stores that cannot overlap it and takes the value of one
 * that covers it; what it cannot decide stays a function of the memory it reached.
 */
import { MASK64, toSigned } from '../../base/bits.ts';
import type { Addr } from '../../base/units.ts';
import { type Term, Terms } from '../../domain/term.ts';

type Bytes = 1 | 2 | 4 | 8;

/** What jalr does to its target. */
const EVEN = MASK64 - 1n;

interface Store {
  readonly memory: Term;
  readonly address: Term;
  readonly bytes: Bytes;
  readonly value: Term;
}

/** How two accesses lie to each other. `covers`: all bytes of the second are in the first, from byte `at` on. */
type Overlap = { readonly kind: 'none' | 'some' | 'unknown' } | { readonly kind: 'covers'; readonly at: number };

export class ProofTerms extends Terms {
  readonly memory: Term;
  readonly #stores = new Map<Term, Store>();
  readonly #relocatable: boolean;
  readonly #bias: Term;
  readonly #stack: Term;
  readonly #savedLinks: ((address: Addr) => boolean) | undefined;
  /** Assumption A3 has been used. */
  usedSaved = false;

  /**
   * @param relocatable code addresses are an unknown bias plus a constant
   * @param stack the stack pointer at the head
   * @param savedLinks assumption A3, if it may be made: a return address saved on the stack is not overwritten through another pointer;
   * tells what is a return address
   */
  constructor(relocatable: boolean, stack: string, savedLinks?: (address: Addr) => boolean) {
    super();
    this.#relocatable = relocatable;
    this.#bias = this.input('bias');
    this.memory = this.input('memory');
    this.#stack = this.input(stack);
    this.#savedLinks = savedLinks;
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

  /** Two parts of one value together are that value: what moves between floating-point registers come to. */
  override or(a: Term, b: Term): Term {
    if (a.op === 'and' && b.op === 'and' && a.args[0] === b.args[0]) {
      const [left, right] = [a.args[1]!.value, b.args[1]!.value];
      if (left !== undefined && right !== undefined) return this.and(a.args[0]!, this.const(left | right));
    }
    return super.or(a, b);
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
    const low = bytes === 8 ? value : this.zext(value, (bytes * 8) as 8 | 16 | 32);
    return this.#insert(memory, address, bytes, low);
  }

  #insert(memory: Term, address: Term, bytes: Bytes, value: Term): Term {
    const top = this.#stores.get(memory);
    if (top !== undefined) {
      // Overwritten at once.
      if (this.#overlap(address, bytes, top.address, top.bytes).kind === 'covers')
        return this.#insert(top.memory, address, bytes, value);
      // Stores that cannot overlap stand in the order of their addresses' terms.
      if (this.#overlap(top.address, top.bytes, address, bytes).kind === 'none' && address.id < top.address.id)
        return this.#push(this.#insert(top.memory, address, bytes, value), top.address, top.bytes, top.value);
    }
    return this.#push(memory, address, bytes, value);
  }

  #push(memory: Term, address: Term, bytes: Bytes, value: Term): Term {
    const made = this.apply(`store${bytes}`, [memory, address, value]);
    if (!this.#stores.has(made)) this.#stores.set(made, { memory, address, bytes, value });
    return made;
  }

  /** Memory behind an ordered event: what is loaded from it is not taken from stores before. */
  barrier(memory: Term, order: Term): Term {
    return this.apply('barrier', [memory, order]);
  }

  /** What a load of so many bytes gives, zero-extended. */
  load(memory: Term, address: Term, bytes: Bytes): Term {
    let at = memory;
    for (let top = this.#stores.get(at); top !== undefined; top = this.#stores.get(at)) {
      const overlap = this.#overlap(top.address, top.bytes, address, bytes);
      if (overlap.kind === 'covers') return this.#part(top.value, overlap.at, bytes);
      if (overlap.kind !== 'none') break;
      at = top.memory;
    }
    return (
      this.#savedLink(at, address, bytes) ??
      this.apply(`load${bytes}`, [at, address], bytes === 8 ? {} : { unsigned: bytes * 8 })
    );
  }

  #part(value: Term, at: number, bytes: Bytes): Term {
    const shifted = this.shr(value, this.const(BigInt(8 * at)));
    return bytes === 8 ? shifted : this.zext(shifted, (bytes * 8) as 8 | 16 | 32);
  }

  /** Assumption A3: the link that was stored at this very stack slot, past stores through pointers that are not the stack pointer's. */
  #savedLink(memory: Term, address: Term, bytes: Bytes): Term | undefined {
    const isLink = this.#savedLinks;
    if (isLink === undefined || bytes !== 8 || this.#split(address).base !== this.#stack) return undefined;
    let at = memory;
    for (;;) {
      // What is assumed not to be overwritten is not overwritten by other harts.
      while (at.name === 'barrier') at = at.args[0]!;
      const top = this.#stores.get(at);
      if (top === undefined) return undefined;
      const overlap = this.#overlap(top.address, top.bytes, address, bytes);
      if (overlap.kind === 'covers') {
        const saved = this.addressOf(top.value);
        if (overlap.at !== 0 || top.bytes !== 8 || saved === undefined || !isLink(saved)) return undefined;
        this.usedSaved = true;
        return top.value;
      }
      if (overlap.kind === 'some') return undefined;
      at = top.memory;
    }
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
