/**
 * C (unprivileged manual, chapter "C", section "RVC Instruction Set Listings", the RV64 column): aliases of full rows. The layout
 * is written as in the manual, high bit first, and serves both directions. In a layout
 *   - digits are fixed bits,
 *   - rd rs1 rs2 are 5-bit register fields, with a quote 3-bit ones for x8..x15; rdrs1 is one field for both,
 *   - u[..] and s[..] hold bits of an immediate, zero- or sign-extended: `5:3|2` is bits 5, 4, 3, 2.
 * Operands that are not in the layout are 0 unless `fixed`. `nonzero` and `notRd` exclude reserved encodings and the encodings of
 * other aliases. Hints (such as c.slli with amount 0) expand to their full instruction.
 *
 * Where two aliases can stand for one instruction, the first is chosen.
 */
import { RA, SP } from '../base/units.ts';

export interface AliasRule {
  readonly name: string;
  readonly extension: string;
  readonly layout: string;
  /** The full row. */
  readonly row: string;
  readonly fixed?: { readonly rd?: number; readonly rs1?: number; readonly rs2?: number; readonly imm?: number };
  /** Fields that may not be 0: with 0 the encoding is reserved or another alias's. */
  readonly nonzero?: readonly ('rd' | 'rs1' | 'rs2' | 'imm')[];
  /** A register that rd may not be: the encoding is another alias's. */
  readonly notRd?: number;
}

/** Rules of one extension: the extension is given once for a file. */
export const rulesOf = (extension: string, rules: readonly Omit<AliasRule, 'extension'>[]): AliasRule[] =>
  rules.map((rule) => ({ ...rule, extension }));

export const C: readonly AliasRule[] = rulesOf('C', [
  { name: 'c.addi4spn', layout: "000 u[5:4|9:6|2|3] rd' 00", row: 'addi', fixed: { rs1: SP }, nonzero: ['imm'] },
  { name: 'c.fld', layout: "001 u[5:3] rs1' u[7:6] rd' 00", row: 'fld' },
  { name: 'c.lw', layout: "010 u[5:3] rs1' u[2|6] rd' 00", row: 'lw' },
  { name: 'c.ld', layout: "011 u[5:3] rs1' u[7:6] rd' 00", row: 'ld' },
  { name: 'c.fsd', layout: "101 u[5:3] rs1' u[7:6] rs2' 00", row: 'fsd' },
  { name: 'c.sw', layout: "110 u[5:3] rs1' u[2|6] rs2' 00", row: 'sw' },
  { name: 'c.sd', layout: "111 u[5:3] rs1' u[7:6] rs2' 00", row: 'sd' },

  { name: 'c.nop', layout: '000 s[5] 00000 s[4:0] 01', row: 'addi' },
  { name: 'c.addi', layout: '000 s[5] rdrs1 s[4:0] 01', row: 'addi', nonzero: ['rd'] },
  { name: 'c.addiw', layout: '001 s[5] rdrs1 s[4:0] 01', row: 'addiw', nonzero: ['rd'] },
  { name: 'c.li', layout: '010 s[5] rd s[4:0] 01', row: 'addi' },
  {
    name: 'c.addi16sp',
    layout: '011 s[9] 00010 s[4|6|8:7|5] 01',
    row: 'addi',
    fixed: { rd: SP, rs1: SP },
    nonzero: ['imm'],
  },
  { name: 'c.lui', layout: '011 s[17] rd s[16:12] 01', row: 'lui', nonzero: ['imm'], notRd: SP },
  { name: 'c.srli', layout: "100 u[5] 00 rdrs1' u[4:0] 01", row: 'srli' },
  { name: 'c.srai', layout: "100 u[5] 01 rdrs1' u[4:0] 01", row: 'srai' },
  { name: 'c.andi', layout: "100 s[5] 10 rdrs1' s[4:0] 01", row: 'andi' },
  { name: 'c.sub', layout: "100 0 11 rdrs1' 00 rs2' 01", row: 'sub' },
  { name: 'c.xor', layout: "100 0 11 rdrs1' 01 rs2' 01", row: 'xor' },
  { name: 'c.or', layout: "100 0 11 rdrs1' 10 rs2' 01", row: 'or' },
  { name: 'c.and', layout: "100 0 11 rdrs1' 11 rs2' 01", row: 'and' },
  { name: 'c.subw', layout: "100 1 11 rdrs1' 00 rs2' 01", row: 'subw' },
  { name: 'c.addw', layout: "100 1 11 rdrs1' 01 rs2' 01", row: 'addw' },
  { name: 'c.j', layout: '101 s[11|4|9:8|10|6|7|3:1|5] 01', row: 'jal' },
  { name: 'c.beqz', layout: "110 s[8|4:3] rs1' s[7:6|2:1|5] 01", row: 'beq' },
  { name: 'c.bnez', layout: "111 s[8|4:3] rs1' s[7:6|2:1|5] 01", row: 'bne' },

  { name: 'c.slli', layout: '000 u[5] rdrs1 u[4:0] 10', row: 'slli' },
  { name: 'c.fldsp', layout: '001 u[5] rd u[4:3|8:6] 10', row: 'fld', fixed: { rs1: SP } },
  { name: 'c.lwsp', layout: '010 u[5] rd u[4:2|7:6] 10', row: 'lw', fixed: { rs1: SP }, nonzero: ['rd'] },
  { name: 'c.ldsp', layout: '011 u[5] rd u[4:3|8:6] 10', row: 'ld', fixed: { rs1: SP }, nonzero: ['rd'] },
  { name: 'c.jr', layout: '100 0 rs1 00000 10', row: 'jalr', nonzero: ['rs1'] },
  { name: 'c.mv', layout: '100 0 rd rs2 10', row: 'add', nonzero: ['rs2'] },
  { name: 'c.ebreak', layout: '100 1 00000 00000 10', row: 'ebreak' },
  { name: 'c.jalr', layout: '100 1 rs1 00000 10', row: 'jalr', fixed: { rd: RA }, nonzero: ['rs1'] },
  { name: 'c.add', layout: '100 1 rdrs1 rs2 10', row: 'add', nonzero: ['rs2'] },
  { name: 'c.fsdsp', layout: '101 u[5:3|8:6] rs2 10', row: 'fsd', fixed: { rs1: SP } },
  { name: 'c.swsp', layout: '110 u[5:2|7:6] rs2 10', row: 'sw', fixed: { rs1: SP } },
  { name: 'c.sdsp', layout: '111 u[5:3|8:6] rs2 10', row: 'sd', fixed: { rs1: SP } },
]);
