/**
 * The result of each op of a superblock as a term over the registers at the head. A load has a term too: the term of the value that the
 * line has stored to or loaded from that very place, if no store since can overlap it. Two accesses with different bases may overlap.
 */

import { toSigned } from '../base/bits.ts';
import { derived } from '../base/derived.ts';
import { F0, isLink, regName, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { runTerms, type Term, type TermEffects, Terms } from '../domain/term.ts';
import type { Exit, Op, Superblock, Value } from './form.ts';

export interface SuperblockTerms {
  readonly terms: Terms;
  of(value: Value): Term;
  /** The term of an op's result; undefined if it has none. */
  result(op: Op): Term | undefined;
  /** The term of a branch's condition. */
  condition(op: Op): Term | undefined;
  /** The place that an op loads from or stores to; undefined if it accesses no memory. */
  place(op: Op): Place | undefined;
  /** Distance in bytes of a value from the stack pointer at the head; undefined if unknown. */
  stackOffset(value: Value): bigint | undefined;
}

/** A code address is the unknown load bias plus a constant: differences of addresses are known, addresses themselves are not. */
const BIAS = 'bias';
/** Each return address is an unknown of its own: its number in the optimized file need not be the original's. */
const LINK = 'link@';

/** A place in memory that an op accesses: at a distance from a base, which is undefined for a constant address. */
export interface Place {
  readonly base: Term | undefined;
  readonly offset: bigint;
  readonly bytes: number;
  /** The base is the stack pointer at the head. */
  readonly stack: boolean;
  /** The op's id. Ids rise along the line as it was built, so they tell the original order of accesses. */
  readonly id: number;
  readonly stores: boolean;
  /** Of a store that saves a register: the id from which on the frame is given back. */
  readonly saved: number | undefined;
}

/** Two accesses that cannot overlap: apart from each other on one base, or a save and an access that cannot reach its slot (A3, A8). */
export function apart(a: Place, b: Place): boolean {
  if (a.base === b.base) {
    const distance = BigInt.asIntN(64, a.offset - b.offset);
    return distance >= BigInt(b.bytes) || -distance >= BigInt(a.bytes);
  }
  return outOfReach(a, b) || outOfReach(b, a);
}

/**
 * Can an access not reach the slot of a save? While the frame exists only the stack pointer leads there (A3). Once the frame is given
 * back, a store through another pointer may go to its place, but no load reads the saved value that is left there (A8). Nothing is known
 * of accesses before the save: another frame may have been there.
 */
function outOfReach({ id, saved }: Place, other: Place): boolean {
  return saved !== undefined && saved > id && !other.stack && other.id > id && (other.id < saved || !other.stores);
}

/** Does the first place contain all bytes of the second? */
export function overwrites(a: Place, b: Place): boolean {
  if (a.base !== b.base) return false;
  const distance = BigInt.asIntN(64, b.offset - a.offset);
  return distance >= 0n && distance + BigInt(b.bytes) <= BigInt(a.bytes);
}

/** Does the first place contain all bytes of the second, and begin with the same byte? */
const covers = (a: Place, b: Place): boolean => a.base === b.base && a.offset === b.offset && a.bytes >= b.bytes;

/** Known contents of memory: the line's loads and stores, newest last, with their bits, zero-extended. */
class Memory {
  readonly #terms: Terms;
  readonly #known: { readonly place: Place; readonly raw: Term; readonly stored: boolean }[] = [];
  constructor(terms: Terms) {
    this.#terms = terms;
  }
  #low(value: Term, bytes: number): Term {
    return bytes === 8 ? value : this.#terms.zext(value, (bytes * 8) as 8 | 16 | 32);
  }
  store(place: Place, value: Term): void {
    this.#known.push({ place, raw: this.#low(value, place.bytes), stored: true });
  }
  /**
   * @param unknown the term to use if the bits are unknown
   * @param watched other threads or handlers may write in between: only saves in frames that still exist are known
   */
  load(place: Place, unknown: Term, watched: boolean): Term {
    /** Later stores through bases other than sp, which could overlap a place in the stack unless that is a save out of their reach. */
    const crossed: Place[] = [];
    for (let i = this.#known.length - 1; i >= 0; i--) {
      const { place: at, raw, stored } = this.#known[i]!;
      const misses = crossed.length === 0 || (stored && crossed.every((other) => outOfReach(at, other)));
      if (covers(at, place) && watched)
        return misses && at.saved !== undefined && place.id < at.saved ? this.#low(raw, place.bytes) : unknown;
      if (covers(at, place) && misses) return this.#low(raw, place.bytes);
      if (!stored || apart(at, place)) continue;
      if (!place.stack || at.stack) break;
      crossed.push(at);
    }
    if (!watched) this.#known.push({ place, raw: unknown, stored: false });
    return unknown;
  }
  /** Called for an ordered op, which may change memory or must not be crossed: nothing is known behind it. */
  forget(): void {
    this.#known.length = 0;
  }
}

/** The terms of a superblock. Most passes change nothing, and the next pass gets the same superblock and terms. */
export const termsOf = derived('terms', makeTerms);

function makeTerms(superblock: Superblock): SuperblockTerms {
  const terms = new Terms();
  const results = new Map<number, Term>();
  const conditions = new Map<number, Term>();
  const bias = terms.input(BIAS);
  const code = (address: number) => terms.add(bias, terms.const(BigInt(address)));
  const link = (address: number) => terms.input(`${LINK}${address}`);
  const heads: (Term | undefined)[] = [];
  const of = (value: Value): Term => {
    switch (value.kind) {
      case 'const':
        return terms.const(value.value);
      case 'code':
        return code(value.address);
      case 'link':
        return link(value.address);
      case 'head':
        return (heads[value.reg] ??= terms.input(regName(value.reg)));
      case 'op':
        return results.get(value.id) ?? terms.input(`%${value.id}`);
    }
  };
  const memory = new Memory(terms);
  const places = new Map<number, Place>();
  const stack = terms.input(regName(SP));
  const placeOf = (op: Op, address: Term, bytes: number): Place => {
    const [first, constant] = address.args;
    const [base, offset] =
      address.value !== undefined
        ? [undefined, toSigned(address.value)]
        : address.op === 'add' && constant!.value !== undefined
          ? [first, toSigned(constant!.value)]
          : [address, 0n];
    const stores = facts(op.insn).store !== undefined;
    return { base, offset, bytes, stack: base === stack, id: op.id, stores, saved: op.saved };
  };
  const loaded = (op: Op, place: Place, load: { bytes: number; signed: boolean }, fallback: Term): Term => {
    // A load narrower than 8 bytes into a floating-point register fills the upper bits with ones (NaN boxing), which is no extension.
    if (facts(op.insn).writes! >= F0 && load.bytes < 8) return fallback;
    const bits = load.bytes * 8;
    const unknown = terms.input(`@%${op.id}`, bits < 64 ? { unsigned: bits } : undefined);
    const raw = memory.load(place, unknown, op.watched === true);
    if (bits === 64) return raw;
    return load.signed ? terms.sext(raw, bits as 8 | 16 | 32) : terms.zext(raw, bits as 8 | 16 | 32);
  };
  const effectsOf = (op: Op): TermEffects => {
    const { load, store, readsPc, control, writes } = facts(op.insn);
    const effects = runTerms(
      terms,
      op.insn,
      {
        rs1: op.rs1 && of(op.rs1),
        rs2: op.rs2 && of(op.rs2),
        rs3: op.rs3 && of(op.rs3),
        pc: readsPc ? code(op.pc) : bias,
      },
      (widths) => terms.input(`%${op.id}`, widths),
    );
    const access = load ?? store;
    const place = access && effects.address && placeOf(op, effects.address, access.bytes);
    if (place !== undefined) places.set(op.id, place);
    if (control === 'jump' && isLink(writes)) return { ...effects, result: link(op.pc + op.insn.size) };
    return effects;
  };
  const sunk = (exit: Exit | undefined) => {
    for (const op of exit?.sunk ?? []) {
      const { result } = effectsOf(op);
      if (result !== undefined) results.set(op.id, result);
    }
  };
  for (const op of superblock.ops) {
    const effects = effectsOf(op);
    const place = places.get(op.id);
    const { load, store, ordered } = facts(op.insn);
    sunk(op.exit);
    if (ordered) memory.forget();
    else if (store !== undefined) memory.store(place!, op.rs2 === undefined ? terms.const(0n) : of(op.rs2));
    let result = op.known === undefined ? effects.result : of(op.known);
    if (load !== undefined && !ordered && op.known === undefined && effects.result !== undefined)
      result = loaded(op, place!, load, effects.result);
    if (result !== undefined) results.set(op.id, result);
    if (effects.condition !== undefined) conditions.set(op.id, effects.condition);
  }
  sunk(superblock.final.exit);
  return {
    terms,
    of,
    result: (op) => results.get(op.id),
    condition: (op) => conditions.get(op.id),
    place: (op) => places.get(op.id),
    stackOffset(value) {
      const term = of(value);
      if (term === stack) return 0n;
      const constant = term.op === 'add' && term.args[0] === stack ? term.args[1]!.value : undefined;
      return constant === undefined ? undefined : toSigned(constant);
    },
  };
}

/** A term as a value that needs no register: a plain constant, an address within the image, or a return address; else undefined. */
export function constantOf(term: Term): Value | undefined {
  if (term.value !== undefined) return { kind: 'const', value: term.value };
  if (term.name?.startsWith(LINK)) return { kind: 'link', address: Number(term.name.slice(LINK.length)) };
  const [base, offset] = term.args;
  if (term.op === 'add' && base?.name === BIAS && offset?.value !== undefined)
    return { kind: 'code', address: Number(BigInt.asIntN(64, offset.value)) };
  return undefined;
}

/** Does an op compute the same with its operands changed? False for all but pure ops and branches: other ops have effects as well. */
export function withOperands(known: SuperblockTerms, before: Op, after: Op): boolean {
  const fact = facts(before.insn);
  if (!fact.pure && fact.control !== 'branch') return false;
  const run = (op: Op) =>
    runTerms(
      known.terms,
      op.insn,
      {
        rs1: op.rs1 && known.of(op.rs1),
        rs2: op.rs2 && known.of(op.rs2),
        rs3: op.rs3 && known.of(op.rs3),
        pc: known.of({ kind: 'code', address: op.pc }),
      },
      (widths) => known.terms.input(`%${op.id}`, widths),
    );
  const a = run(before);
  const b = run(after);
  return a.result === b.result && a.condition === b.condition;
}
