/**
 * What each op of a superblock computes, as a term over the registers at the head. A load has a term too: what the line has stored to or
 * loaded from that very place, if nothing stored since can overlap it. Two accesses with different bases may be anywhere.
 */
import { toSigned } from '../base/bits.ts';
import { F0, regName } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { runTerms, type Term, Terms } from '../domain/term.ts';
import type { Op, Superblock, Value } from './form.ts';

export interface SuperblockTerms {
  readonly terms: Terms;
  of(value: Value): Term;
  /** The term of an op's result; undefined if it has none. */
  result(op: Op): Term | undefined;
  /** The term of a branch's condition. */
  condition(op: Op): Term | undefined;
}

/** A code address is the (unknown) load bias plus a constant, so that differences of addresses are known and addresses are not. */
const BIAS = 'bias';

/** A place that the line has accessed, with the bits there, zero-extended. */
interface Place {
  readonly base: Term | undefined;
  readonly offset: bigint;
  readonly bytes: number;
  readonly raw: Term;
  readonly stored: boolean;
}

/** What is known of memory, newest last. */
class Places {
  readonly #terms: Terms;
  readonly #places: Place[] = [];
  constructor(terms: Terms) {
    this.#terms = terms;
  }
  #at(address: Term): { base: Term | undefined; offset: bigint } {
    if (address.value !== undefined) return { base: undefined, offset: toSigned(address.value) };
    const [base, offset] = address.args;
    if (address.op === 'add' && offset!.value !== undefined) return { base, offset: toSigned(offset!.value) };
    return { base: address, offset: 0n };
  }
  #low(value: Term, bytes: number): Term {
    return bytes === 8 ? value : this.#terms.zext(value, (bytes * 8) as 8 | 16 | 32);
  }
  store(address: Term, bytes: number, value: Term): void {
    this.#places.push({ ...this.#at(address), bytes, raw: this.#low(value, bytes), stored: true });
  }
  /** @param unknown the bits, if they are not known */
  load(address: Term, bytes: number, unknown: Term): Term {
    const { base, offset } = this.#at(address);
    for (let i = this.#places.length - 1; i >= 0; i--) {
      const place = this.#places[i]!;
      const same = place.base === base;
      if (same && place.offset === offset && place.bytes >= bytes) return this.#low(place.raw, bytes);
      const apart = same && (place.offset >= offset + BigInt(bytes) || offset >= place.offset + BigInt(place.bytes));
      if (place.stored && !apart) break;
    }
    this.#places.push({ base, offset, bytes, raw: unknown, stored: false });
    return unknown;
  }
  /** Something happened that memory may be changed by, or that nothing may be moved across. */
  forget(): void {
    this.#places.length = 0;
  }
}

export function termsOf(superblock: Superblock): SuperblockTerms {
  const terms = new Terms();
  const results = new Map<number, Term>();
  const conditions = new Map<number, Term>();
  const code = (address: number) => terms.add(terms.input(BIAS), terms.const(BigInt(address)));
  const of = (value: Value): Term => {
    switch (value.kind) {
      case 'const':
        return terms.const(value.value);
      case 'code':
        return code(value.address);
      case 'head':
        return terms.input(regName(value.reg));
      case 'op':
        return results.get(value.id) ?? terms.input(`%${value.id}`);
    }
  };
  const places = new Places(terms);
  const loaded = (op: Op, address: Term, load: { bytes: number; signed: boolean }, fallback: Term): Term => {
    // A single-precision load fills the upper half with ones, which is no extension.
    if (facts(op.insn).writes! >= F0 && load.bytes < 8) return fallback;
    const bits = load.bytes * 8;
    const unknown = terms.input(`@%${op.id}`, bits < 64 ? { unsigned: bits } : {});
    const raw = places.load(address, load.bytes, unknown);
    if (bits === 64) return raw;
    return load.signed ? terms.sext(raw, bits as 8 | 16 | 32) : terms.zext(raw, bits as 8 | 16 | 32);
  };
  for (const op of superblock.ops) {
    const effects = runTerms(
      terms,
      op.insn,
      { rs1: op.rs1 && of(op.rs1), rs2: op.rs2 && of(op.rs2), rs3: op.rs3 && of(op.rs3), pc: code(op.pc) },
      (widths) => terms.input(`%${op.id}`, widths),
    );
    const { load, store, ordered } = facts(op.insn);
    if (ordered) places.forget();
    else if (store !== undefined)
      places.store(effects.address!, store.bytes, op.rs2 === undefined ? terms.const(0n) : of(op.rs2));
    let result = op.known === undefined ? effects.result : of(op.known);
    if (load !== undefined && !ordered && op.known === undefined && effects.result !== undefined)
      result = loaded(op, effects.address!, load, effects.result);
    if (result !== undefined) results.set(op.id, result);
    if (effects.condition !== undefined) conditions.set(op.id, effects.condition);
  }
  return {
    terms,
    of,
    result: (op) => results.get(op.id),
    condition: (op) => conditions.get(op.id),
  };
}

/** The constant a term is, as a value: a plain constant, or an address within the image. */
export function constantOf(term: Term): Value | undefined {
  if (term.value !== undefined) return { kind: 'const', value: term.value };
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
