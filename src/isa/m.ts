/** M (unprivileged manual, chapter "M"). Division never traps: the domain has the manual's results for zero and overflow. */
import { type Binary, fromRegisters, OPCODE, rowsOf } from './build.ts';
import type { Row } from './row.ts';

const row = rowsOf('M');
const full = (name: string, funct3: number, f: Binary): Row =>
  row(name, 'R', 'rd rs1 rs2', { opcode: OPCODE.OP, funct3, funct7: 1 }, fromRegisters(f));
const word = (name: string, funct3: number, f: Binary): Row =>
  row(name, 'R', 'rd rs1 rs2', { opcode: OPCODE.OP_32, funct3, funct7: 1 }, fromRegisters(f));
/** Word forms: the low 32 bits are extended as the 64-bit operation needs; results are sign-extended, unsigned ones too. */
const signed =
  (f: Binary): Binary =>
  (d, a, b) =>
    d.sext(f(d, d.sext(a, 32), d.sext(b, 32)), 32);
const unsigned =
  (f: Binary): Binary =>
  (d, a, b) =>
    d.sext(f(d, d.zext(a, 32), d.zext(b, 32)), 32);

const div: Binary = (d, a, b) => d.divs(a, b);
const divu: Binary = (d, a, b) => d.divu(a, b);
const rem: Binary = (d, a, b) => d.rems(a, b);
const remu: Binary = (d, a, b) => d.remu(a, b);

export const M: readonly Row[] = [
  full('mul', 0, (d, a, b) => d.mul(a, b)),
  full('mulh', 1, (d, a, b) => d.mulhs(a, b)),
  full('mulhsu', 2, (d, a, b) => d.mulhsu(a, b)),
  full('mulhu', 3, (d, a, b) => d.mulhu(a, b)),
  full('div', 4, div),
  full('divu', 5, divu),
  full('rem', 6, rem),
  full('remu', 7, remu),
  word('mulw', 0, (d, a, b) => d.sext(d.mul(a, b), 32)),
  word('divw', 4, signed(div)),
  word('divuw', 5, unsigned(divu)),
  word('remw', 6, signed(rem)),
  word('remuw', 7, unsigned(remu)),
];
