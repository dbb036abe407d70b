/**
 * Terms as the prover needs them: the domain's own, with a few more rules, memory, and code addresses. Every rule holds for all values;
 * test/verify checks each rule against the concrete domain. memory.ts defines memory as a term; this file adds the knowledge about
 * addresses and the assumptions.
 */
import { MASK64 } from '../../base/bits.ts';
import type { Addr } from '../../base/units.ts';
import { addend, type Bits } from '../../domain/rules.ts';
import { type Term, Terms } from '../../domain/term.ts';
import type { Accessed, Knowledge, Stores } from './knowledge.ts';
import { Memories } from './memory.ts';
import {
  type Bytes,
  type Extent,
  type Kept,
  type Loaded,
  type Misses,
  type Piece,
  placeOf,
  type Reach,
  type Span,
} from './pieces.ts';
import { TermSets } from './sets.ts';

/** Number of bytes of a load, by its term's name. */
const WIDTHS: ReadonlyMap<string, number> = new Map([1, 2, 4, 8].map((bytes) => [`load${bytes}`, bytes]));

/** The mask that jalr applies to its target. */
const EVEN_MASK = MASK64 - 1n;

/** Bytes of a value, from byte `at` on, that are left at a distance from the stack pointer at the head. */
export interface Left {
  readonly offset: number;
  readonly bytes: number;
  readonly at: number;
  readonly value: Term;
}

/** Parts of a slot, and the number of stores through other pointers before its frame was given back. */
interface Unseen {
  readonly rest: readonly Span[];
  readonly given: number;
}

export class ProofTerms extends Terms {
  readonly memory: Term;
  /** Operations that have accrued flags on a path, and accesses. */
  readonly flags = new TermSets<Term>(this, (term) => term);
  readonly accesses = new TermSets<Accessed & { readonly kind: string }>(this, ({ kind, address, bytes }) =>
    this.apply(`${kind} of ${bytes}`, [address]),
  );
  readonly #memories: Memories;
  readonly #relocatable: boolean;
  readonly #bias: Term;
  readonly #stack: Term;
  #kept: Kept | undefined;
  /** Number of instructions that have been run, and of facts that have been added to or taken from the current list. */
  steps = 0;
  /** The facts about addresses on the path that is being run or compared. */
  knowledge: Knowledge | undefined;
  /** While the original is run: slots left in frames that it has given back, which it does not read (assumption A8). */
  left: ReadonlySet<Extent> = new Set();
  /** Assumption A3 has been used. */
  usedSaved = false;
  /** Assumption A8 has been used, for a load behind a frame's end. */
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
    this.#stack = this.input(stack);
    this.#memories = new Memories(this, this.#stack);
  }

  /** A measure of the work done: steps, and nodes of memories and sets. */
  get work(): number {
    return this.steps + this.#memories.made + this.flags.made + this.accesses.made;
  }

  /**
   * From now on a wholly overwritten store stays in its place if `kept` says so. Removing and keeping an overwritten store are equally
   * sound: a load through a pointer that misses the later store misses the earlier one too. So where optimized code has left out the later
   * store, to a frame that is gone by now, and made the earlier one, both sides have the earlier store.
   * @param kept absent: none stays
   */
  keep(kept?: Kept): void {
    this.#kept = kept;
  }

  /** Memory as it is compared: without kept stores that later stores wholly overwrite. */
  settled(memory: Term): Term {
    return this.#memories.settled(this.#memories.of(memory)).term;
  }

  /** The run-time value of an address as linked. */
  code(address: Addr): Term {
    const constant = this.const(BigInt(address));
    return this.#relocatable ? this.add(this.#bias, constant) : constant;
  }
  /** The address as linked that a term stands for, if it is a code address. */
  addressOf(term: Term): Addr | undefined {
    const value = !this.#relocatable ? term.value : term.args[0] === this.#bias ? addend(term) : undefined;
    return value !== undefined && value < 1n << 48n ? Number(value) : undefined;
  }

  /** A return address of the original, as a term without a number: optimized code may have another number for it (A7). */
  link(address: Addr): Term {
    const term = this.input(`link ${address}`);
    this.#links.set(term, address);
    return term;
  }
  /** A value that equals no other term. */
  unknown(): Term {
    return this.input(`unknown ${this.#unknowns++}`);
  }
  linkOf(term: Term): Addr | undefined {
    return this.#links.get(term);
  }
  /** The return address that a target jumps to, if it is one. */
  linkTarget(target: Term): Addr | undefined {
    const [address, mask] = target.args;
    return target.op === 'and' && mask!.value === EVEN_MASK ? this.linkOf(address!) : undefined;
  }

  /** Bytes of a load from byte `at` on, as a load of just these bytes: so parts of a value that was put together are known. */
  #loadedPart(value: Term, at: number, bytes: Bytes): Term | undefined {
    const { op, args, name = '' } = value;
    const shift = op === 'shr' ? args[1]!.value : undefined;
    if (shift !== undefined && shift % 8n === 0n) return this.#loadedPart(args[0]!, at + Number(shift) / 8, bytes);
    const width = WIDTHS.get(name);
    // Where overwritten stores stay, the visible bytes of a piece are not known.
    if (width === undefined || width === bytes || at + bytes > width || this.#kept !== undefined) return undefined;
    const address = this.add(args[1]!, this.const(BigInt(at)));
    const loaded = this.#memories.part(args[0]!, { ...placeOf(address), bytes });
    return loaded && this.#loaded(loaded, address, bytes);
  }
  #loaded(loaded: Loaded, address: Term, bytes: Bytes): Term {
    // A part of a return address: its number differs in optimized code, and is not known.
    const whole = loaded.from === undefined && loaded.at === 0 && bytes === 8;
    const parts = loaded.from === undefined ? [loaded.value] : loaded.parts;
    if (!whole && parts.some((part) => this.linkOf(part) !== undefined)) return this.unknown();
    if (loaded.from === undefined) return this.#part(loaded.value, loaded.at, bytes);
    return this.apply(`load${bytes}`, [loaded.from, address], bytes === 8 ? {} : { unsigned: bytes * 8 });
  }
  override zext(a: Term, bits: Bits): Term {
    return this.#loadedPart(a, 0, (bits / 8) as Bytes) ?? super.zext(a, bits);
  }
  override sext(a: Term, bits: Bits): Term {
    return super.sext(this.#loadedPart(a, 0, (bits / 8) as Bytes) ?? a, bits);
  }
  override shr(a: Term, b: Term): Term {
    return this.#upperPart(a, b) ?? super.shr(a, b);
  }
  override sar(a: Term, b: Term): Term {
    const part = this.#upperPart(a, b);
    return part === undefined ? super.sar(a, b) : this.sext(part, (64 - Number(b.value)) as Bits);
  }
  /** The bytes of an eight-byte load that a shift to the right by 4, 6 or 7 bytes leaves. */
  #upperPart(value: Term, amount: Term): Term | undefined {
    const left = 64n - (amount.value ?? 0n);
    if (value.name !== 'load8' || (left !== 32n && left !== 16n && left !== 8n)) return undefined;
    return this.#loadedPart(value, Number(amount.value) / 8, (Number(left) / 8) as Bytes);
  }

  /** Programs are loaded at whole pages: the last bit of a code address is not the bias's. */
  override and(a: Term, b: Term): Term {
    const address = b.value === EVEN_MASK ? this.addressOf(a) : a.value === EVEN_MASK ? this.addressOf(b) : undefined;
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
    const before = this.#memories.of(memory);
    const reach = this.#reachOf({ address, bytes });
    const piece: Piece = { ...placeOf(address), bytes, at: 0, value: this.stored(value, bytes) };
    return this.#memories.store(before, piece, reach, this.#kept).term;
  }
  /** The bytes of a value that a store stores. */
  stored(value: Term, bytes: Bytes): Term {
    return bytes === 8 ? value : this.zext(value, (bytes * 8) as Bits);
  }

  /** Memory behind an ordered event: earlier stores answer no loads, but for slots that frames keep: no other hart overwrites these. */
  barrier(memory: Term, order: Term): Term {
    const behind = this.apply('barrier', [this.settled(memory), order]);
    const reach = this.#reachOf({ address: order, bytes: 8 });
    return this.#memories.behind(this.#memories.of(memory), behind, reach).term;
  }

  /** The value of a load, zero-extended. */
  load(memory: Term, address: Term, bytes: Bytes): Term {
    const slots = [...this.left, ...this.#slotsBeside(address)];
    const misses: Misses = (slot, behind) => {
      if (!this.left.has(slot)) return this.#outOfReach(slot, { address, bytes }, behind);
      this.usedUnread = true;
      return true;
    };
    const loaded = this.#memories.load(this.#memories.of(memory), { ...placeOf(address), bytes }, { slots, misses });
    return this.#loaded(loaded, address, bytes);
  }

  /**
   * A settled memory without the bytes stored below a stack pointer since the last barrier, through the stack pointer at the head
   * (assumption A8). Undefined where the former's distance from the latter is not known.
   */
  above(memory: Term, stack: Term): Term | undefined {
    const place = placeOf(stack);
    return place.base === this.#stack ? this.#memories.above(this.#memories.of(memory), place) : undefined;
  }

  /** A settled memory as it would be had all present facts been known from the beginning. */
  ordered(memory: Term): Term {
    return this.#memories.ordered(this.#memories.of(memory), (address, bytes) => this.#reachOf({ address, bytes }))
      .term;
  }

  /** Is this piece in a settled memory? */
  has(memory: Term, left: Left): boolean {
    return this.#memories.has(this.#memories.of(memory), this.#pieceOf(left));
  }

  /** A settled memory without these pieces. */
  without(memory: Term, left: readonly Left[]): Term {
    const pieces = left.map((each) => this.#pieceOf(each));
    return this.#memories.without(this.#memories.of(memory), pieces).term;
  }
  /**
   * A settled memory without the stores to slots of frames that were given back: such a store is not seen (assumption A8) if each store
   * through another pointer since then misses the slot, or its bytes were stored behind the store to the slot.
   * @param stores the original's stores through other pointers
   */
  unseen(memory: Term, slots: readonly Unseen[], stores: Stores | undefined): Term {
    let made = this.#memories.of(memory);
    for (const { rest, given } of slots) {
      const since = this.knowledge?.since(stores, given);
      if (since === undefined) continue;
      const misses: Misses = (part, behind) =>
        since.every(
          (store) => this.#outOfReach(part, store) || behind?.({ ...placeOf(store.address), bytes: store.bytes }),
        );
      made = this.#memories.unseen(made, { slots: this.onStack(rest), misses });
    }
    return made.term;
  }
  #pieceOf({ offset, bytes, at, value }: Left): Piece {
    return { base: this.#stack, offset, bytes, at, value };
  }

  /**
   * The pairs of terms that must be equal for two settled memories to be equal, if these have as many stores of the same widths in the same
   * order: addresses and values in turn. Undefined where they have not.
   */
  pairs(a: Term, b: Term): (readonly [Term, Term])[] | undefined {
    return this.#memories.pairs(this.#memories.of(a), this.#memories.of(b));
  }

  #part(value: Term, at: number, bytes: Bytes): Term {
    const known = this.#loadedPart(value, at, bytes);
    if (known !== undefined) return known;
    const shifted = this.shr(value, this.const(BigInt(8 * at)));
    return bytes === 8 ? shifted : this.zext(shifted, (bytes * 8) as 8 | 16 | 32);
  }

  /** What is known of an access to these bytes. */
  #reachOf(accessed: Accessed): Reach {
    return { slots: this.#slotsBeside(accessed.address), misses: (slot) => this.#outOfReach(slot, accessed) };
  }
  #slotsBeside(other: Term): Extent[] {
    return this.onStack(this.knowledge?.slotsBeside(other) ?? []);
  }
  /** Parts of the stack, by their distances from the stack pointer at the head. */
  onStack(parts: readonly Span[]): Extent[] {
    return parts.map((part) => ({ base: this.#stack, ...part }));
  }

  /**
   * Assumptions A3 and A8: does an access of these bytes miss a part of a slot, or does a load see nothing of a store to that part?
   * @param behind have bytes been stored behind that store? Absent: unknown
   */
  #outOfReach(part: Span, accessed: Accessed, behind?: (bytes: Extent) => boolean): boolean {
    if (this.knowledge === undefined) return false;
    if (this.knowledge.apart(part, accessed)) {
      this.usedSaved = true;
      return true;
    }
    const covered = ({ address, bytes }: Accessed) => behind?.({ ...placeOf(address), bytes }) ?? false;
    const shown = this.knowledge.unread(part, accessed, covered);
    if (shown === undefined) return false;
    this.usedUnread = true;
    this.usedSaved ||= shown.saved;
    return true;
  }
  /** The distance of an address from the stack pointer at the head, where it is known. */
  stackOffset(address: Term): number | undefined {
    const { base, offset } = placeOf(address);
    return base === this.#stack ? offset : undefined;
  }
}

/** A condition without its negations: `eq(c, 0)` of a comparison c is the negation of c. */
export function plainCondition(condition: Term): { readonly term: Term; readonly when: boolean } {
  let term = condition;
  let when = true;
  while (term.op === 'eq' && term.args[1]!.value === 0n && term.args[0]!.unsigned <= 1) {
    term = term.args[0]!;
    when = !when;
  }
  return { term, when };
}
