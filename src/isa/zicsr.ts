/** Zicsr (unprivileged manual, chapter "Zicsr"), and the names of the user-level CSRs. */

import { MASK64 } from '../base/bits.ts';
import { type Binary, OPCODE, rowsOf } from './build.ts';
import type { Row } from './row.ts';

const row = rowsOf('Zicsr');

/** @param always for csrrw, which always writes; csrrs and csrrc write only if the source field is not 0 */
const pair = (name: string, funct3: number, always: boolean, f: Binary): Row[] => [
  row(name, 'csr', 'rd csr rs1', { opcode: OPCODE.SYSTEM, funct3 }, (s, d) => {
    const operand = s.rs1();
    s.rd(s.csr(always || s.writesCsr() ? (old) => f(d, old, operand) : undefined));
  }),
  row(`${name}i`, 'csri', 'rd csr imm', { opcode: OPCODE.SYSTEM, funct3: funct3 + 4 }, (s, d) => {
    const operand = s.imm();
    s.rd(s.csr(always || s.writesCsr() ? (old) => f(d, old, operand) : undefined));
  }),
];

export const ZICSR: readonly Row[] = [
  ...pair('csrrw', 1, true, (_, __, b) => b),
  ...pair('csrrs', 2, false, (d, a, b) => d.or(a, b)),
  ...pair('csrrc', 3, false, (d, a, b) => d.and(a, d.xor(b, d.const(MASK64)))),
];

/** User-level CSRs by name. The counters are read-only. */
export const CSR = { fflags: 0x001, frm: 0x002, fcsr: 0x003, cycle: 0xc00, time: 0xc01, instret: 0xc02 } as const;

const CSR_NAMES = new Map<number, string>(Object.entries(CSR).map(([name, number]) => [number, name]));

/** The name of a CSR, such as `fcsr`, or the number in hex for a CSR without a name here. */
export const csrName = (number: number): string => CSR_NAMES.get(number) ?? `0x${number.toString(16)}`;
/** The number of a CSR by name, or undefined. */
export const csrByName = (name: string): number | undefined =>
  Object.hasOwn(CSR, name) ? CSR[name as keyof typeof CSR] : undefined;
