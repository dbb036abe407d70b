/** What each op of a superblock computes, as a term over the registers at the head. */
import { regName } from '../base/units.ts';
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
  for (const op of superblock.ops) {
    const effects = runTerms(
      terms,
      op.insn,
      { rs1: op.rs1 && of(op.rs1), rs2: op.rs2 && of(op.rs2), rs3: op.rs3 && of(op.rs3), pc: code(op.pc) },
      (widths) => terms.input(`%${op.id}`, widths),
    );
    const result = op.known === undefined ? effects.result : of(op.known);
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
