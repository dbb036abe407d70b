/**
 * Terms as the prover needs them: the domain's own, with a few more rules, memory, and code addresses. Every rule holds for all values;
 * test/verify checks each against the concrete domain. What memory is as a term is said in memory.ts; here is what assumptions say of it.
 */
import { MASK64 } from '../../base/bits.ts';
import type { Addr } from '../../base/units.ts';
import { type Term, Terms } from '../../domain/term.ts';
import { type Bytes, type Kept, Memories, type Memory, type Place, placeOf } from './memory.ts';
import { TermSets } from './sets.ts';

/** What jalr does to its target. */
const EVEN = MASK64 - 1n;

interface Accessed {
  readonly kind: string;
  readonly address: Term;
  readonly bytes: number;
}

export class ProofTerms extends Terms {
  readonly memory: Term;
  /** What has accrued flags on a way, and what has been accessed. */
  readonly flags = new TermSets<Term>(this, (term) => term);
  readonly accesses = new TermSets<Accessed>(this, ({ kind, address, bytes }) =>
    this.apply(`${kind} of ${bytes}`, [address]),
  );
  readonly #memories: Memories;
  readonly #relocatable: boolean;
  readonly #bias: Term;
  readonly #stack: Term;
  #isLink: ((address: Addr) => boolean) | undefined;
  #saves: ((address: Term, value: Term) => boolean) | undefined;
  #kept: Kept | undefined;
  #usedLast = false;

  /**
   * @param relocatable code addresses are an unknown bias plus a constant
   * @param stack the stack pointer at the head
   */
  constructor(relocatable: boolean, stack: string) {
    super();
    this.#relocatable = relocatable;
    this.#bias = this.input('bias');
    this.memory = this.input('memory');
    this.#stack = this.input(stack);
    this.#memories = new Memories(this, this.#stack);
  }

  /** Instructions that have been run, and facts that have been turned to. */
  steps = 0;
  /** How much work it has been: steps, and nodes of what memories and sets are made of. */
  get work(): number {
    return this.steps + this.#memories.made + this.flags.made + this.accesses.made;
  }
  /** Assumption A3 has been used. */
  get usedSaved(): boolean {
    return this.#usedLast || this.#memories.usedSaved;
  }

  /**
   * From now on assumption A3 is made: what is saved in a frame is neither overwritten nor read through another pointer than the stack's.
   * @param isLink is an address that of what stands behind a call?
   * @param saves does a store of this value to this slot save a register?
   */
  trust(isLink: (address: Addr) => boolean, saves: (address: Term, value: Term) => boolean): void {
    this.#isLink = isLink;
    this.#saves = saves;
  }

  /**
   * From now on stores that are wholly overwritten stay where they are, if they are among these. That is as true as to take them out: what is
   * loaded through a pointer that does not lead to the later store is not in the earlier one either. So where optimized code has left out the
   * later store, to a frame that is gone by now, and made the earlier one, both sides say the same of it.
   * @param kept absent: none
   */
  keep(kept?: Kept): void {
    this.#kept = kept;
  }

  /** Memory without stores that later ones wholly overwrite, where some of them have been kept. */
  settled(memory: Term): Term {
    return this.#memories.of(memory).settled?.term ?? memory;
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
    const place = placeOf(address);
    const stored = this.stored(value, bytes);
    const saved = bytes === 8 && place.base === this.#stack && (this.#saves?.(address, stored) ?? false);
    return this.#memories.store(this.#memories.of(memory), place, bytes, stored, saved, this.#kept).term;
  }
  /** What of a value a store stores. */
  stored(value: Term, bytes: Bytes): Term {
    return bytes === 8 ? value : this.zext(value, (bytes * 8) as 8 | 16 | 32);
  }

  /** Memory behind an ordered event: what is loaded from it is not taken from stores before. */
  barrier(memory: Term, order: Term): Term {
    return this.#memories.behind(this.#memories.of(memory), this.apply('barrier', [memory, order])).term;
  }

  /** What a load of so many bytes gives, zero-extended. */
  load(memory: Term, address: Term, bytes: Bytes): Term {
    const at = this.#memories.of(memory);
    const place = placeOf(address);
    const loaded = this.#memories.load(at, place, bytes);
    if (loaded.from === undefined) return this.#part(loaded.value, loaded.at, bytes);
    const saved = bytes === 8 ? this.#saved(at, address, place) : undefined;
    return saved ?? this.apply(`load${bytes}`, [loaded.from, address], bytes === 8 ? {} : { unsigned: bytes * 8 });
  }

  /**
   * Memory without what was stored below a stack pointer since the last barrier, in slots of the stack at the head (assumption A8).
   * Undefined where that stack pointer is not known from the one at the head.
   */
  above(memory: Term, stack: Term): Term | undefined {
    const place = placeOf(stack);
    return place.base === this.#stack ? this.#memories.above(this.#memories.of(memory), place) : undefined;
  }

  /**
   * What must be equal for two memories to be, if they are as many stores of the same widths, each to the same as the other: addresses and
   * values in turn. Undefined where they are not.
   */
  pairs(a: Term, b: Term): (readonly [Term, Term])[] | undefined {
    return this.#memories.pairs(this.#memories.of(a), this.#memories.of(b));
  }

  #part(value: Term, at: number, bytes: Bytes): Term {
    const shifted = this.shr(value, this.const(BigInt(8 * at)));
    return bytes === 8 ? shifted : this.zext(shifted, (bytes * 8) as 8 | 16 | 32);
  }

  /**
   * Assumption A3: what was saved at this very stack slot, past stores through pointers that are not the stack pointer's. What is assumed not
   * to be overwritten is not overwritten by other harts either.
   */
  #saved(memory: Memory, address: Term, place: Place): Term | undefined {
    if (this.#isLink === undefined || place.base !== this.#stack) return undefined;
    const value = this.#memories.lastStored(memory, place, 8);
    if (value === undefined) return undefined;
    const link = this.addressOf(value);
    if (!(link !== undefined && this.#isLink(link)) && !this.#saves?.(address, value)) return undefined;
    this.#usedLast = true;
    return value;
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
