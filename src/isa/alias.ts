/** Makes an alias, for both directions, from its rule (see c.ts). */
import { signExtend } from '../base/bits.ts';
import { internal } from '../base/errors.ts';
import type { AliasRule } from './c.ts';
import { layoutOf, type RegisterField } from './fields.ts';
import type { Insn, Row } from './row.ts';

/** A compressed instruction: another, 16-bit encoding of some instances of a full row. */
export interface Alias {
  readonly name: string;
  /** The extension of the encoding; the instruction needs its row's extension as well. */
  readonly extension: string;
  readonly row: Row;
  /** A halfword can be this alias only if (half & mask) === match. */
  readonly mask: number;
  readonly match: number;
  /** The full instruction (size 2), or undefined if the encoding is reserved or another alias's. */
  expand(half: number): Insn | undefined;
  /** The halfword for an instruction of this row, or undefined if this alias cannot encode the instruction. */
  compress(insn: Insn): number | undefined;
}

/** A piece of an immediate: `width` bits of the halfword at `to` are the immediate's bits at `from`. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly width: number;
}
/** A register field: its place and how many bits it has (3: x8..x15). */
interface RegisterPlace {
  readonly roles: readonly ('rd' | 'rs1' | 'rs2')[];
  readonly at: number;
  readonly width: 3 | 5;
}

const ROLES: Record<string, readonly ('rd' | 'rs1' | 'rs2')[]> = {
  rd: ['rd'],
  rs1: ['rs1'],
  rs2: ['rs2'],
  rdrs1: ['rd', 'rs1'],
};

interface Parsed {
  readonly mask: number;
  readonly match: number;
  readonly registers: readonly RegisterPlace[];
  readonly pieces: readonly Piece[];
  /** Width of the immediate, up to its highest bit; 0 for a layout without immediate. */
  readonly immediateBits: number;
  readonly signed: boolean;
}

/** @throws internal() if a layout does not fill 16 bits: a slip in the table. */
function parseLayout({ name, layout }: AliasRule): Parsed {
  let at = 16;
  let mask = 0;
  let match = 0;
  let signed = false;
  let immediateBits = 0;
  const registers: RegisterPlace[] = [];
  const pieces: Piece[] = [];
  for (const token of layout.split(' ')) {
    const immediate = /^([us])\[(.*)\]$/.exec(token);
    if (/^[01]+$/.test(token)) {
      at -= token.length;
      mask |= (2 ** token.length - 1) << at;
      match |= Number.parseInt(token, 2) << at;
    } else if (immediate) {
      signed ||= immediate[1] === 's';
      for (const part of immediate[2]!.split('|')) {
        const [high = 0, low = high] = part.split(':').map(Number);
        const width = high - low + 1;
        at -= width;
        pieces.push({ from: low, to: at, width });
        immediateBits = Math.max(immediateBits, high + 1);
      }
    } else {
      const short = token.endsWith("'");
      const roles = ROLES[short ? token.slice(0, -1) : token];
      if (!roles) throw internal(`${name}: unknown field ${token}`);
      const width = short ? 3 : 5;
      at -= width;
      registers.push({ roles, at, width });
    }
  }
  if (at !== 0) throw internal(`${name}: its layout has ${16 - at} bits`);
  return { mask, match, registers, pieces, immediateBits, signed };
}

/** Binds a rule to its row. */
export function makeAlias(rule: AliasRule, row: Row): Alias {
  const { mask, match, registers, pieces, immediateBits, signed } = parseLayout(rule);
  const floors = layoutOf(row);
  const floor = (role: RegisterField): number => Math.max(floors[role], 0);
  const { imm: fixedImmediate = 0, ...fixedRegisters } = rule.fixed ?? {};
  const nonzero = rule.nonzero ?? [];
  const allowed = (insn: Pick<Insn, 'rd' | 'rs1' | 'rs2' | 'imm'>): boolean =>
    nonzero.every((name) => insn[name] !== 0) && (rule.notRd === undefined || insn.rd !== rule.notRd);

  const alias: Alias = {
    name: rule.name,
    extension: rule.extension,
    row,
    mask,
    match,
    expand(half) {
      if ((half & mask) !== match) return undefined;
      const regs = { rd: floor('rd'), rs1: floor('rs1'), rs2: floor('rs2'), ...fixedRegisters };
      for (const { roles, at, width } of registers) {
        const bits = (half >>> at) & (2 ** width - 1);
        for (const role of roles) regs[role] = floor(role) + (width === 3 ? bits + 8 : bits);
      }
      let imm = fixedImmediate;
      for (const { from, to, width } of pieces) imm |= ((half >>> to) & (2 ** width - 1)) << from;
      if (signed) imm = signExtend(imm, immediateBits);
      const { rd, rs1, rs2 } = regs;
      return allowed({ rd, rs1, rs2, imm }) ? { row, rd, rs1, rs2, rs3: 0, imm, rm: 0, csr: 0, size: 2 } : undefined;
    },
    compress(insn) {
      if (insn.row !== row || !allowed(insn)) return undefined;
      let half = match;
      for (const { roles, at, width } of registers) {
        const bits = insn[roles[0]!] - floor(roles[0]!) - (width === 3 ? 8 : 0);
        if (bits < 0 || bits >= 2 ** width) return undefined;
        half |= bits << at;
      }
      for (const { from, to, width } of pieces) half |= ((insn.imm >> from) & (2 ** width - 1)) << to;
      // Expanding the halfword again checks all ranges, alignments, fixed registers and shared fields by one comparison.
      const back = alias.expand(half);
      const same =
        back !== undefined &&
        back.rd === insn.rd &&
        back.rs1 === insn.rs1 &&
        back.rs2 === insn.rs2 &&
        back.imm === insn.imm;
      return same ? half : undefined;
    },
  };
  return alias;
}
