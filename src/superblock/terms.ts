/**
 * The result of each op of a superblock as a term over the registers at the head. A load has a term too: the term of the value that the
 * line has stored to or loaded from that very place, if no store since can overlap it (line-memory.ts).
 */
import { toSigned } from '../base/bits.ts';
import { type Addr, F0, isLink, type Reg, regName, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { addend } from '../domain/rules.ts';
import { type Term, Terms } from '../domain/term.ts';
import { runTerms, type TermEffects } from '../domain/term-step.ts';
import type { Exit, Op, Superblock, Value } from './form.ts';
import { KnownMemory, locate, type Place } from './line-memory.ts';

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

/** The terms of a superblock. They take memory, so they are kept no longer than passes need them (pass.ts). */
export const makeTerms = (superblock: Superblock): SuperblockTerms => new LineTerms(superblock);

class LineTerms implements SuperblockTerms {
  readonly terms = new Terms();
  readonly #bias = this.terms.input(BIAS);
  readonly #stack = this.terms.input(regName(SP));
  readonly #memory = new KnownMemory(this.terms);
  /** By register: its value at the head. */
  readonly #heads: (Term | undefined)[] = [];
  /** By id of the op. */
  readonly #results = new Map<number, Term>();
  readonly #conditions = new Map<number, Term>();
  readonly #places = new Map<number, Place>();

  constructor({ ops, final }: Superblock) {
    for (const op of ops) this.#run(op);
    this.#runSunk(final.exit);
  }

  of(value: Value): Term {
    switch (value.kind) {
      case 'const':
        return this.terms.const(value.value);
      case 'code':
        return this.#code(value.address);
      case 'link':
        return this.#link(value.address);
      case 'head':
        return this.#head(value.reg);
      case 'op':
        return this.#results.get(value.id) ?? this.terms.input(`%${value.id}`);
    }
  }
  result(op: Op): Term | undefined {
    return this.#results.get(op.id);
  }
  condition(op: Op): Term | undefined {
    return this.#conditions.get(op.id);
  }
  place(op: Op): Place | undefined {
    return this.#places.get(op.id);
  }
  stackOffset(value: Value): bigint | undefined {
    const { base, offset } = locate(this.of(value));
    return base === this.#stack ? offset : undefined;
  }

  #code(address: Addr): Term {
    return this.terms.add(this.#bias, this.terms.const(BigInt(address)));
  }
  #link(address: Addr): Term {
    return this.terms.input(`${LINK}${address}`);
  }
  #head(reg: Reg): Term {
    return (this.#heads[reg] ??= this.terms.input(regName(reg)));
  }

  /** Finds the terms of the next op of the line, then of the ops that are sunk into its exit. */
  #run(op: Op): void {
    const effects = this.#effectsOf(op);
    const { load, store, ordered } = facts(op.insn);
    if (op.exit !== undefined) this.#runSunk(op.exit);
    const place = this.#places.get(op.id);
    if (ordered) this.#memory.forget();
    else if (store !== undefined)
      this.#memory.store(place!, op.rs2 === undefined ? this.terms.const(0n) : this.of(op.rs2));
    let result = op.known === undefined ? effects.result : this.of(op.known);
    if (load !== undefined && !ordered && op.known === undefined && effects.result !== undefined)
      result = this.#loaded(op, place!, load, effects.result);
    if (result !== undefined) this.#results.set(op.id, result);
    if (effects.condition !== undefined) this.#conditions.set(op.id, effects.condition);
  }
  /** A sunk store does not change the line's memory: control has left the line there. */
  #runSunk({ sunk }: Exit): void {
    for (const op of sunk) {
      const { result } = this.#effectsOf(op);
      if (result !== undefined) this.#results.set(op.id, result);
    }
  }

  #effectsOf(op: Op): TermEffects {
    const { load, store, readsPc, control, writes } = facts(op.insn);
    const effects = runTerms(
      this.terms,
      op.insn,
      {
        rs1: op.rs1 && this.of(op.rs1),
        rs2: op.rs2 && this.of(op.rs2),
        rs3: op.rs3 && this.of(op.rs3),
        pc: readsPc ? this.#code(op.pc) : this.#bias,
      },
      (widths) => this.terms.input(`%${op.id}`, widths),
    );
    const access = load ?? store;
    if (access !== undefined && effects.address !== undefined)
      this.#places.set(op.id, this.#placeOf(op, effects.address, access.bytes));
    if (control === 'jump' && isLink(writes)) return { ...effects, result: this.#link(op.pc + op.insn.size) };
    return effects;
  }
  #placeOf(op: Op, address: Term, bytes: number): Place {
    const { base, offset } = locate(address);
    const stores = facts(op.insn).store !== undefined;
    return { base, offset, bytes, stack: base === this.#stack, id: op.id, stores, saved: op.saved };
  }

  /** The value that a load finds. @param fallback an unknown for the whole result */
  #loaded(op: Op, place: Place, load: { readonly bytes: number; readonly signed: boolean }, fallback: Term): Term {
    // A load narrower than 8 bytes into a floating-point register fills the upper bits with ones (NaN boxing), which is no extension.
    if (facts(op.insn).writes! >= F0 && load.bytes < 8) return fallback;
    const bits = load.bytes * 8;
    const unknown = this.terms.input(`@%${op.id}`, bits < 64 ? { unsigned: bits } : undefined);
    const raw = this.#memory.load(place, unknown, op.watched === true);
    if (bits === 64) return raw;
    return load.signed ? this.terms.sext(raw, bits as 8 | 16 | 32) : this.terms.zext(raw, bits as 8 | 16 | 32);
  }
}

/** A term as a value that needs no register: a plain constant, an address within the image, or a return address; else undefined. */
export function constantOf(term: Term): Value | undefined {
  if (term.value !== undefined) return { kind: 'const', value: term.value };
  if (term.name?.startsWith(LINK)) return { kind: 'link', address: Number(term.name.slice(LINK.length)) };
  const offset = addend(term);
  if (offset !== undefined && term.args[0]!.name === BIAS) return { kind: 'code', address: Number(toSigned(offset)) };
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
