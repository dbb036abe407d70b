/** A (unprivileged manual, chapter "A"): load-reserved, store-conditional and atomic read-modify-write, on words and doublewords. */
import { type Binary, OPCODE, rowsOf } from './build.ts';
import type { Row } from './row.ts';

const row = rowsOf('A');
const WIDTHS = [
  { suffix: 'w', funct3: 2, bytes: 4 },
  { suffix: 'd', funct3: 3, bytes: 8 },
] as const;

const UPDATES: readonly (readonly [name: string, funct5: number, f: Binary])[] = [
  ['amoswap', 0x01, (_, __, b) => b],
  ['amoadd', 0x00, (d, a, b) => d.add(a, b)],
  ['amoxor', 0x04, (d, a, b) => d.xor(a, b)],
  ['amoand', 0x0c, (d, a, b) => d.and(a, b)],
  ['amoor', 0x08, (d, a, b) => d.or(a, b)],
  ['amomin', 0x10, (d, a, b) => d.select(d.ltS(a, b), a, b)],
  ['amomax', 0x14, (d, a, b) => d.select(d.ltS(a, b), b, a)],
  ['amominu', 0x18, (d, a, b) => d.select(d.ltU(a, b), a, b)],
  ['amomaxu', 0x1c, (d, a, b) => d.select(d.ltU(a, b), b, a)],
];

export const A: readonly Row[] = WIDTHS.flatMap(({ suffix, funct3, bytes }) => [
  row(`lr.${suffix}`, 'amo', 'rd base aqrl', { opcode: OPCODE.AMO, funct3, funct5: 0x02, rs2: 0 }, (s) =>
    s.rd(s.loadReserved(s.rs1(), bytes)),
  ),
  row(`sc.${suffix}`, 'amo', 'rd rs2 base aqrl', { opcode: OPCODE.AMO, funct3, funct5: 0x03 }, (s) =>
    s.rd(s.storeConditional(s.rs1(), bytes, s.rs2())),
  ),
  ...UPDATES.map(([name, funct5, f]) =>
    row(`${name}.${suffix}`, 'amo', 'rd rs2 base aqrl', { opcode: OPCODE.AMO, funct3, funct5 }, (s, d) => {
      // Sign extension keeps the order of words, unsigned too, so both widths compare as 64 bits.
      const operand = bytes === 4 ? d.sext(s.rs2(), 32) : s.rs2();
      s.rd(s.atomic(s.rs1(), bytes, (old) => f(d, old, operand)));
    }),
  ),
]);
