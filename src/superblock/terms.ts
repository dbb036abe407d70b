/**
 * What each op of a superblock computes, as a term over the registers at the head. A load has a term too: what the line has stored to or
 * loaded from that very place, if nothing stored since can overlap it. Two accesses with different bases may be anywhere.
 */
import { toSigned } from '../base/bits.ts';
import { F0, regName, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { runTerms, type Term, type TermEffects, Terms } from '../domain/term.ts';
import { isLink } from '../profile/flow.ts';
import type { Exit, Op, Superblock, Value } from './form.ts';

export interface SuperblockTerms {
  readonly terms: Terms;
  of(value: Value): Term;
  /** The term of an op's result; undefined if it has none. */
  result(op: Op): Term | undefined;
  /** The term of a branch's condition. */
  condition(op: Op): Term | undefined;
  /** Where an op accesses memory; undefined if it does not. */
  place(op: Op): Place | undefined;
  /** How far a value is from the stack pointer at the head; undefined if it is not known. */
  stackOffset(value: Value): bigint | undefined;
}

/** A code address is the (unknown) load bias plus a constant, so that differences of addresses are known and addresses are not. */
const BIAS = 'bias';
/** A return address is its own unknown: its number in the optimized file need not be the original's. */
const LINK = 'link@';

/** Where an op accesses memory: at a distance from a base, which is undefined for a constant address. */
export interface Place {
  readonly base: Term | undefined;
  readonly offset: bigint;
  readonly bytes: number;
  /** The base is the stack pointer at the head. */
  readonly stack: boolean;
  /** The access as the line had it first: ids rise along it. */
  readonly id: number;
  readonly stores: boolean;
  /** Of a store that saves a register: the id from which on the frame is given back. */
  readonly saved: number | undefined;
}

/** Two accesses that cannot overlap: at distances from one base, or one to what is saved and one that does not lead there (A3, A8). */
export function apart(a: Place, b: Place): boolean {
  if (a.base === b.base) {
    const distance = BigInt.asIntN(64, a.offset - b.offset);
    return distance >= BigInt(b.bytes) || -distance >= BigInt(a.bytes);
  }
  return outOfReach(a, b) || outOfReach(b, a);
}

/**
 * Does the second not lead to what the first saves? While the frame is there only the stack pointer does (A3). Once it is given back another
 * pointer may be stored through to where it was, but nobody loads what is left there (A8). An access before it says nothing: there was another
 * frame then.
 */
function outOfReach({ id, saved }: Place, other: Place): boolean {
  return saved !== undefined && saved > id && !other.stack && other.id > id && (other.id < saved || !other.stores);
}

/** All bytes of the second are among the first's. */
export function overwrites(a: Place, b: Place): boolean {
  if (a.base !== b.base) return false;
  const distance = BigInt.asIntN(64, b.offset - a.offset);
  return distance >= 0n && distance + BigInt(b.bytes) <= BigInt(a.bytes);
}

/** All bytes of the second are among the first's, from its first byte on. */
const covers = (a: Place, b: Place): boolean => a.base === b.base && a.offset === b.offset && a.bytes >= b.bytes;

/** What is known of memory: what was loaded and stored, newest last, with the bits, zero-extended. */
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
   * @param unknown the bits, if they are not known
   * @param watched others may write in between: nothing is known but what a frame that is there saves
   */
  load(place: Place, unknown: Term, watched: boolean): Term {
    /** What was stored since then that could be the same place, were that not out of the reach of other pointers. */
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
  /** Something happened that memory may be changed by, or that nothing may be moved across. */
  forget(): void {
    this.#known.length = 0;
  }
}

/** A pass that changes nothing hands the same superblock on to the next, and most change nothing. */
let last: { readonly superblock: Superblock; readonly known: SuperblockTerms } | undefined;

export function termsOf(superblock: Superblock): SuperblockTerms {
  if (last?.superblock !== superblock) last = { superblock, known: makeTerms(superblock) };
  return last.known;
}

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
    // A single-precision load fills the upper half with ones, which is no extension.
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

/** What a term is, as a value that needs no register: a plain constant, an address within the image, a return address. */
export function constantOf(term: Term): Value | undefined {
  if (term.value !== undefined) return { kind: 'const', value: term.value };
  if (term.name?.startsWith(LINK)) return { kind: 'link', address: Number(term.name.slice(LINK.length)) };
  const [base, offset] = term.args;
  if (term.op === 'add' && base?.name === BIAS && offset?.value !== undefined)
    return { kind: 'code', address: Number(BigInt.asIntN(64, offset.value)) };
  return undefined;
}

/** True if an op computes the same with its operands changed. Only asked of pure ops and branches: others have more than a result. */
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
