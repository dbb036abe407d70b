/** Places of the operand fields of each format in a 32-bit word, for decoding and encoding. */
import { field, fitsSigned, signExtend } from '../base/bits.ts';
import type { Format, Insn, Operand, Row } from './row.ts';

/** The immediate of a format: out of a word, into a word, and what can be encoded. */
interface ImmediateField {
  get(word: number): number;
  put(imm: number): number;
  fits(imm: number): boolean;
}

const none: ImmediateField = { get: () => 0, put: () => 0, fits: (imm) => imm === 0 };
const I: ImmediateField = { get: (w) => w >> 20, put: (i) => i << 20, fits: (i) => fitsSigned(i, 12) };

const IMMEDIATES: Record<Format, ImmediateField> = {
  R: none,
  R4: none,
  I,
  // The row's mask says whether the amount has five bits or six; see immediateFits.
  shift: { get: (w) => field(w, 25, 20), put: (i) => i << 20, fits: (i) => i >= 0 && i < 64 },
  S: {
    get: (w) => ((w >> 25) << 5) | field(w, 11, 7),
    put: (i) => ((i >> 5) << 25) | ((i & 31) << 7),
    fits: I.fits,
  },
  B: {
    get: (w) =>
      signExtend(
        (field(w, 31, 31) << 12) | (field(w, 7, 7) << 11) | (field(w, 30, 25) << 5) | (field(w, 11, 8) << 1),
        13,
      ),
    put: (i) => (field(i, 12, 12) << 31) | (field(i, 10, 5) << 25) | (field(i, 4, 1) << 8) | (field(i, 11, 11) << 7),
    fits: (i) => fitsSigned(i, 13) && (i & 1) === 0,
  },
  U: { get: (w) => w & ~0xfff, put: (i) => i, fits: (i) => fitsSigned(i, 32) && (i & 0xfff) === 0 },
  J: {
    get: (w) =>
      signExtend(
        (field(w, 31, 31) << 20) | (field(w, 19, 12) << 12) | (field(w, 20, 20) << 11) | (field(w, 30, 21) << 1),
        21,
      ),
    put: (i) =>
      (field(i, 20, 20) << 31) | (field(i, 10, 1) << 21) | (field(i, 11, 11) << 20) | (field(i, 19, 12) << 12),
    fits: (i) => fitsSigned(i, 21) && (i & 1) === 0,
  },
  amo: none,
  csr: none,
  csri: { get: (w) => field(w, 19, 15), put: (i) => i << 15, fits: (i) => i >= 0 && i < 32 },
  fence: { get: (w) => w >>> 20, put: (i) => i << 20, fits: (i) => i >= 0 && i < 4096 },
  none,
};

export const immediateOf = (row: Row, word: number): number => IMMEDIATES[row.format].get(word);
export const withImmediate = (row: Row, imm: number): number => IMMEDIATES[row.format].put(imm);
/** Can an instruction of this row hold this immediate? */
export const immediateFits = (row: Row, imm: number): boolean =>
  Number.isInteger(imm) &&
  IMMEDIATES[row.format].fits(imm) &&
  (row.format !== 'shift' || (withImmediate(row, imm) & row.mask) >>> 0 === 0);

export type RegisterField = 'rd' | 'rs1' | 'rs2' | 'rs3';

/** The register field an operand is in, and whether it names a floating-point register. */
export const REGISTER_OPERANDS: Partial<Record<Operand, { readonly field: RegisterField; readonly float: boolean }>> = {
  rd: { field: 'rd', float: false },
  rs1: { field: 'rs1', float: false },
  mem: { field: 'rs1', float: false },
  base: { field: 'rs1', float: false },
  rs2: { field: 'rs2', float: false },
  fd: { field: 'rd', float: true },
  fs1: { field: 'rs1', float: true },
  fs2: { field: 'rs2', float: true },
  fs3: { field: 'rs3', float: true },
};

/** The fields of a row, worked out once from its operands. A register field has its file's first register (0 or 32), or -1 for no field. */
export interface Layout {
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly rs3: number;
  readonly rounds: boolean;
  readonly orders: boolean;
  readonly csr: boolean;
}

const layouts = new Map<Row, Layout>();

export function layoutOf(row: Row): Layout {
  let layout = layouts.get(row);
  if (layout === undefined) {
    const floors = { rd: -1, rs1: -1, rs2: -1, rs3: -1 };
    for (const operand of row.operands) {
      const register = REGISTER_OPERANDS[operand];
      if (register) floors[register.field] = register.float ? 32 : 0;
    }
    layout = {
      ...floors,
      rounds: row.operands.includes('rm'),
      orders: row.operands.includes('aqrl'),
      csr: row.operands.includes('csr'),
    };
    layouts.set(row, layout);
  }
  return layout;
}

/** The fields of a 32-bit word that is known to be of this row. Reserved rounding modes are not excluded. */
export function fieldsOf(row: Row, word: number): Insn {
  const layout = layoutOf(row);
  return {
    row,
    rd: layout.rd < 0 ? 0 : layout.rd + field(word, 11, 7),
    rs1: layout.rs1 < 0 ? 0 : layout.rs1 + field(word, 19, 15),
    rs2: layout.rs2 < 0 ? 0 : layout.rs2 + field(word, 24, 20),
    rs3: layout.rs3 < 0 ? 0 : layout.rs3 + field(word, 31, 27),
    imm: immediateOf(row, word),
    rm: layout.rounds ? field(word, 14, 12) : layout.orders ? field(word, 26, 25) : 0,
    csr: layout.csr ? word >>> 20 : 0,
    size: 4,
  };
}
