/** From an instruction to bits. */
import { internal } from '../base/errors.ts';
import { bitOf, EVERY_EXTENSION, type ExtensionSet } from './extensions.ts';
import { immediateFits, layoutOf, type RegisterField, withImmediate } from './fields.ts';
import type { Insn, Row } from './row.ts';
import { COMPRESSED, rowNamed } from './table.ts';

/** An instruction of a row; fields that are left out are 0 and the size is 4. Floating-point registers are 32..63. */
export function makeInsn(row: Row | string, fields: Partial<Omit<Insn, 'row'>>): Insn {
  const { rd = 0, rs1 = 0, rs2 = 0, rs3 = 0, imm = 0, rm = 0, csr = 0, size = 4 } = fields;
  return { row: typeof row === 'string' ? rowNamed(row) : row, rd, rs1, rs2, rs3, imm, rm, csr, size };
}

const PLACE: readonly (readonly [RegisterField, number])[] = [
  ['rd', 7],
  ['rs1', 15],
  ['rs2', 20],
  ['rs3', 27],
];

/** The first field whose register the row cannot encode (one of the other file, or not 0 where the row has no such field), if any. */
export function misfit({ row, ...insn }: Insn): RegisterField | undefined {
  const layout = layoutOf(row);
  for (const [name] of PLACE) {
    const floor = layout[name];
    const number = insn[name] - Math.max(floor, 0);
    // A field that the row does not have must be 0; with another number the caller means another row.
    if (number < 0 || number > (floor < 0 ? 0 : 31)) return name;
  }
  return undefined;
}

/**
 * The 32-bit word, unsigned, whatever insn.size is.
 * @throws internal() if a field does not fit: passes must not make such instructions
 */
export function encode(insn: Insn): number {
  const { row } = insn;
  const layout = layoutOf(row);
  const wrong = misfit(insn);
  if (wrong !== undefined) throw internal(`${row.name}: ${wrong} cannot be register ${insn[wrong]}`);
  let word = row.match;
  for (const [name, at] of PLACE) word |= (insn[name] - Math.max(layout[name], 0)) << at;
  if (!immediateFits(row, insn.imm)) throw internal(`${row.name}: immediate ${insn.imm} does not fit`);
  word |= withImmediate(row, insn.imm);
  if (layout.rounds) {
    if (insn.rm < 0 || insn.rm > 7 || insn.rm === 5 || insn.rm === 6)
      throw internal(`${row.name}: rounding mode ${insn.rm}`);
    word |= insn.rm << 12;
  } else if (layout.orders) {
    if (insn.rm < 0 || insn.rm > 3) throw internal(`${row.name}: ordering bits ${insn.rm}`);
    word |= insn.rm << 25;
  }
  if (layout.csr) {
    if (insn.csr < 0 || insn.csr > 0xfff) throw internal(`${row.name}: CSR ${insn.csr}`);
    word |= insn.csr << 20;
  }
  return word >>> 0;
}

const ALIASES_OF = new Map<Row, (typeof COMPRESSED)[number][]>();
for (const alias of COMPRESSED) {
  const list = ALIASES_OF.get(alias.row);
  if (list) list.push(alias);
  else ALIASES_OF.set(alias.row, [alias]);
}

/**
 * The 16-bit form that decodes to exactly this instruction, if there is one.
 * @param machine the extensions that may be used
 */
export function compress(insn: Insn, machine: ExtensionSet = EVERY_EXTENSION): number | undefined {
  const aliases = ALIASES_OF.get(insn.row);
  if (!aliases) return undefined;
  for (const alias of aliases) {
    const half = (bitOf(alias) & machine) === 0n ? undefined : alias.compress(insn);
    if (half !== undefined) return half;
  }
  return undefined;
}

/**
 * Little-endian bytes: 2 or 4.
 * @throws internal() if `compressed` is asked for and the instruction has no compressed form
 */
export function encodeBytes(insn: Insn, compressed: boolean, machine?: ExtensionSet): Uint8Array {
  if (!compressed) {
    const word = encode(insn);
    return Uint8Array.of(word, word >>> 8, word >>> 16, word >>> 24);
  }
  const half = compress(insn, machine);
  if (half === undefined) throw internal(`${insn.row.name}: has no compressed form here`);
  return Uint8Array.of(half, half >>> 8);
}
