/** Constructors that keep a row to one line: its name, its place in the opcode map, its semantics. */
import type { Domain, Format, Operand, Row, Step } from './row.ts';

export type Semantics = Row['semantics'];
/** The operation on two values that a register form and its immediate form have in common. */
export type Binary = <V>(domain: Domain<V>, a: V, b: V) => V;

/** Major opcodes (unprivileged manual, chapter "RV32/64G instruction set listings", table of the base opcode map). */
export const OPCODE = {
  LOAD: 0x03,
  LOAD_FP: 0x07,
  MISC_MEM: 0x0f,
  OP_IMM: 0x13,
  AUIPC: 0x17,
  OP_IMM_32: 0x1b,
  STORE: 0x23,
  STORE_FP: 0x27,
  AMO: 0x2f,
  OP: 0x33,
  LUI: 0x37,
  OP_32: 0x3b,
  MADD: 0x43,
  MSUB: 0x47,
  NMSUB: 0x4b,
  NMADD: 0x4f,
  OP_FP: 0x53,
  BRANCH: 0x63,
  JALR: 0x67,
  JAL: 0x6f,
  SYSTEM: 0x73,
} as const;

/** Fixed bits by field; a field that is left out is an operand or ignored. */
export interface Bits {
  readonly opcode: number;
  readonly funct3?: number;
  readonly funct7?: number;
  /** The upper six bits, where the seventh belongs to a 6-bit shift amount. */
  readonly funct6?: number;
  readonly funct5?: number;
  /** The format of a fused multiply-add (bits 26..25). */
  readonly funct2?: number;
  readonly rs2?: number;
}

const PLACES: readonly (readonly [keyof Bits, width: number, low: number])[] = [
  ['opcode', 7, 0],
  ['funct3', 3, 12],
  ['funct7', 7, 25],
  ['funct6', 6, 26],
  ['funct5', 5, 27],
  ['funct2', 2, 25],
  ['rs2', 5, 20],
];

/** A row of one extension: the extension is given once for a file. */
export const rowsOf =
  (extension: string) =>
  (
    name: string,
    format: Format,
    operands: string,
    bits: Bits,
    semantics: Semantics,
    more: Pick<Row, 'exact' | 'work'> = {},
  ): Row => {
    let mask = 0;
    let match = 0;
    for (const [place, width, low] of PLACES) {
      const value = bits[place];
      if (value === undefined) continue;
      mask |= (2 ** width - 1) << low;
      match |= value << low;
    }
    const row = { name, extension, format, mask: mask >>> 0, match: match >>> 0, semantics, facts: new Map() };
    const roles = operands.split(' ').filter(Boolean) as Operand[];
    return { ...row, operands: roles, ...more };
  };

/** rd := f(rs1, rs2) and rd := f(rs1, imm). */
export const fromRegisters =
  (f: Binary): Semantics =>
  (s, d) =>
    s.rd(f(d, s.rs1(), s.rs2()));
export const fromImmediate =
  (f: Binary): Semantics =>
  (s, d) =>
    s.rd(f(d, s.rs1(), s.imm()));

/** The negation of a comparison result. */
export const not = <V>(d: Domain<V>, condition: V): V => d.eq(condition, d.const(0n));
/** The address of a load or store. */
export const address = <V>(s: Step<V>, d: Domain<V>): V => d.add(s.rs1(), s.imm());
