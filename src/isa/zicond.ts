/** Zicond: conditional zero (unprivileged manual, chapter "Zicond"). */
import { OPCODE, rowsOf } from './build.ts';
import type { Row } from './row.ts';

const row = rowsOf('Zicond');

export const ZICOND: readonly Row[] = [
  row('czero.eqz', 'R', 'rd rs1 rs2', { opcode: OPCODE.OP, funct3: 5, funct7: 7 }, (s, d) =>
    s.rd(d.select(s.rs2(), s.rs1(), d.const(0n))),
  ),
  row('czero.nez', 'R', 'rd rs1 rs2', { opcode: OPCODE.OP, funct3: 7, funct7: 7 }, (s, d) =>
    s.rd(d.select(s.rs2(), d.const(0n), s.rs1())),
  ),
];
