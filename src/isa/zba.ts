/** Zba: addresses (unprivileged manual, chapter "B", section "Zba"). The `.uw` forms take the low 32 bits of rs1, zero-extended. */
import { type Binary, fromImmediate, fromRegisters, OPCODE, rowsOf } from './build.ts';
import type { Row } from './row.ts';

const row = rowsOf('Zba');
const { OP, OP_32, OP_IMM_32 } = OPCODE;

const scaled =
  (amount: bigint): Binary =>
  (d, a, b) =>
    d.add(d.shl(a, d.const(amount)), b);
const unsignedWord =
  (f: Binary): Binary =>
  (d, a, b) =>
    f(d, d.zext(a, 32), b);
const shiftAdd = (amount: bigint, funct3: number): Row[] => [
  row(`sh${amount}add`, 'R', 'rd rs1 rs2', { opcode: OP, funct3, funct7: 0x10 }, fromRegisters(scaled(amount))),
  row(
    `sh${amount}add.uw`,
    'R',
    'rd rs1 rs2',
    { opcode: OP_32, funct3, funct7: 0x10 },
    fromRegisters(unsignedWord(scaled(amount))),
  ),
];
const add: Binary = (d, a, b) => d.add(a, b);
const sll: Binary = (d, a, b) => d.shl(a, b);

export const ZBA: readonly Row[] = [
  row('add.uw', 'R', 'rd rs1 rs2', { opcode: OP_32, funct3: 0, funct7: 0x04 }, fromRegisters(unsignedWord(add))),
  ...shiftAdd(1n, 2),
  ...shiftAdd(2n, 4),
  ...shiftAdd(3n, 6),
  row(
    'slli.uw',
    'shift',
    'rd rs1 imm',
    { opcode: OP_IMM_32, funct3: 1, funct6: 0x02 },
    fromImmediate(unsignedWord(sll)),
  ),
];
