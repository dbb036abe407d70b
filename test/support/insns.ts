/** Random instructions of any row, for property tests. */
import fc from 'fast-check';
import { makeInsn } from '../../src/isa/encode.ts';
import type { Insn, Operand, Row } from '../../src/isa/row.ts';
import { CSR } from '../../src/isa/zicsr.ts';

const register = (floor: number) => fc.integer({ min: floor, max: floor + 31 });
const immediates: Partial<Record<Row['format'], fc.Arbitrary<number>>> = {
  I: fc.integer({ min: -2048, max: 2047 }),
  S: fc.integer({ min: -2048, max: 2047 }),
  B: fc.integer({ min: -2048, max: 2047 }).map((n) => n * 2),
  J: fc.integer({ min: -(2 ** 19), max: 2 ** 19 - 1 }).map((n) => n * 2),
  U: fc.integer({ min: -(2 ** 19), max: 2 ** 19 - 1 }).map((n) => n * 4096),
  csri: fc.integer({ min: 0, max: 31 }),
  fence: fc.integer({ min: 0, max: 4095 }),
};

/** Written from the manual, not from fields.ts: which field of Insn an operand stands for, and what it may be. */
function fieldsOf(row: Row, operand: Operand): Record<string, fc.Arbitrary<number>> {
  const imm =
    row.format === 'shift'
      ? fc.integer({ min: 0, max: row.name.endsWith('iw') ? 31 : 63 })
      : (immediates[row.format] ?? fc.constant(0));
  switch (operand) {
    case 'rd':
      return { rd: register(0) };
    case 'fd':
      return { rd: register(32) };
    case 'rs1':
    case 'base':
      return { rs1: register(0) };
    case 'mem':
      return { rs1: register(0), imm };
    case 'fs1':
      return { rs1: register(32) };
    case 'rs2':
      return { rs2: register(0) };
    case 'fs2':
      return { rs2: register(32) };
    case 'fs3':
      return { rs3: register(32) };
    case 'imm':
    case 'target':
    case 'fence':
      return { imm };
    case 'csr':
      return { csr: fc.constantFrom(...Object.values(CSR), 0x7c0, 0xcc0) };
    case 'rm':
      return { rm: fc.constantFrom(0, 1, 2, 3, 4, 7) };
    case 'aqrl':
      return { rm: fc.integer({ min: 0, max: 3 }) };
  }
}

/** Any instruction of a row, size 4. */
export const insnOf = (row: Row): fc.Arbitrary<Insn> =>
  fc
    .record(
      Object.assign({}, ...row.operands.map((operand) => fieldsOf(row, operand))) as Record<
        string,
        fc.Arbitrary<number>
      >,
    )
    .map((fields) => makeInsn(row, fields));

/** The fields to compare two instructions by, the row by name. */
export const plain = (insn: Insn | undefined) => insn && { ...insn, row: insn.row.name };
