/** Templates: instructions as patterns, each by the term that it computes of unknown operands. */
import { type Term, Terms } from '../domain/term.ts';
import { runTerms } from '../domain/term-step.ts';
import { makeInsn } from '../isa/encode.ts';
import { immediateFits } from '../isa/fields.ts';
import type { Insn, Row } from '../isa/row.ts';

/** An instruction, and the term that it computes of two unknowns. `reads` is false for an operand that the row lacks or that is x0. */
export interface Template {
  readonly row: Row;
  readonly imm: number;
  readonly reads: { readonly rs1: boolean; readonly rs2: boolean };
  readonly term: Term;
}

/** Templates by the outermost operation of their terms. */
export type Templates = ReadonlyMap<string, readonly Template[]>;

/** The amounts of shifts and the numbers of bits. */
const SMALL_IMMEDIATES = Array.from({ length: 64 }, (_, amount) => amount);
const BOOLEANS = [true, false];

/** The templates of a row with each of these immediates that fits. */
function* templatesOf(row: Row, immediates: readonly number[]): Generator<Template> {
  const has = (role: 'rs1' | 'rs2') => (row.operands.includes(role) ? BOOLEANS : [false]);
  const terms = new Terms();
  for (const imm of row.operands.includes('imm') ? immediates : [0]) {
    if (!immediateFits(row, imm)) continue;
    for (const rs1 of has('rs1'))
      for (const rs2 of has('rs2')) {
        const operands = {
          ...(rs1 && { rs1: terms.input('rs1') }),
          ...(rs2 && { rs2: terms.input('rs2') }),
          pc: terms.input('pc'),
        };
        const { result } = runTerms(terms, makeInsn(row, { imm }), operands, () => terms.input('?'));
        // Replacing an op by a copy gains nothing.
        if (result !== undefined && result.op !== 'input') yield { row, imm, reads: { rs1, rs2 }, term: result };
      }
  }
}

/**
 * @param rows rows whose immediates, if they have any, are tried from 0 to 63
 * @param forms instructions with the one immediate that is of use
 */
export function makeTemplates(rows: readonly Row[], forms: readonly Insn[]): Templates {
  const made = new Map<string, Template[]>();
  const add = (template: Template) => {
    const list = made.get(template.term.op);
    if (list === undefined) made.set(template.term.op, [template]);
    else list.push(template);
  };
  for (const row of rows) for (const template of templatesOf(row, SMALL_IMMEDIATES)) add(template);
  for (const { row, imm } of forms) for (const template of templatesOf(row, [imm])) add(template);
  return made;
}

/** Could a template compute this term? Operands match anything here; the term of the actual instruction decides later. */
export function resembles(pattern: Term, term: Term): boolean {
  if (pattern.op === 'input') return true;
  if (pattern.op !== term.op || pattern.value !== term.value) return false;
  const [a, b, c] = pattern.args;
  const [x, y, z] = term.args;
  if (a === undefined) return true;
  if (b === undefined) return resembles(a, x!);
  if (c !== undefined) return resembles(a, x!) && resembles(b, y!) && resembles(c, z!);
  // Terms list commutative operands in the order in which the operands were made, which may differ between template and line.
  return (resembles(a, x!) && resembles(b, y!)) || (resembles(a, y!) && resembles(b, x!));
}
