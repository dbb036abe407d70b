/** Zbs: single bits (unprivileged manual, chapter "B", section "Zbs"). The index is taken modulo 64, as the domain's shifts do. */
import { type Binary, fromImmediate, fromRegisters, OPCODE, rowsOf } from './build.ts';
import type { Domain, Row } from './row.ts';

const row = rowsOf('Zbs');
const { OP, OP_IMM } = OPCODE;

const registerAndImmediate = (name: string, funct3: number, funct7: number, f: Binary): Row[] => [
  row(name, 'R', 'rd rs1 rs2', { opcode: OP, funct3, funct7 }, fromRegisters(f)),
  row(`${name}i`, 'shift', 'rd rs1 imm', { opcode: OP_IMM, funct3, funct6: funct7 >> 1 }, fromImmediate(f)),
];
const bit = <V>(d: Domain<V>, index: V): V => d.shl(d.const(1n), index);

export const ZBS: readonly Row[] = [
  ...registerAndImmediate('bclr', 1, 0x24, (d, a, b) => d.and(a, d.xor(bit(d, b), d.const(-1n)))),
  ...registerAndImmediate('bext', 5, 0x24, (d, a, b) => d.and(d.shr(a, b), d.const(1n))),
  ...registerAndImmediate('binv', 1, 0x34, (d, a, b) => d.xor(a, bit(d, b))),
  ...registerAndImmediate('bset', 1, 0x14, (d, a, b) => d.or(a, bit(d, b))),
];
