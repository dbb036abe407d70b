/**
 * Instructions that the optimizer itself needs to make: moves, constants, jumps, the inverse of a branch. These functions are kept
 * beside the rows because no other code outside a row names an instruction for its meaning.
 */
import { fitsSigned, toSigned } from '../base/bits.ts';
import { internal, outOfReach } from '../base/errors.ts';
import { type Addr, F0, type Reg, ZERO } from '../base/units.ts';
import { makeInsn } from './encode.ts';
import type { Insn } from './row.ts';
import { ROWS } from './table.ts';

/** rd := rs, within the integer or within the floating-point registers (raw 64 bits, as fmv.d). */
export const moveInsn = (rd: Reg, rs: Reg): Insn =>
  rd >= F0 ? makeInsn('fsgnj.d', { rd, rs1: rs, rs2: rs }) : makeInsn('add', { rd, rs1: ZERO, rs2: rs });

/** rd := rs with an integer register on one side and a floating-point one on the other (fmv.d.x, fmv.x.d). */
export const crossMoveInsn = (rd: Reg, rs: Reg): Insn => makeInsn(rd >= F0 ? 'fmv.d.x' : 'fmv.x.d', { rd, rs1: rs });

/** rd ^= rs: three such instructions exchange two integer registers. */
export const xorInsn = (rd: Reg, rs: Reg): Insn => makeInsn('xor', { rd, rs1: rd, rs2: rs });

/** A short, not always shortest sequence that puts a constant into an integer register (unprivileged manual, "RV64I", LUI/ADDIW/SLLI). */
export function constantInsns(rd: Reg, value: bigint): Insn[] {
  const signed = toSigned(value);
  if (signed >= -2048n && signed < 2048n) return [makeInsn('addi', { rd, rs1: ZERO, imm: Number(signed) })];
  if (signed >= -(1n << 31n) && signed < 1n << 31n) {
    const low = Number(BigInt.asIntN(12, signed));
    const high = Number(BigInt.asIntN(32, signed - BigInt(low)));
    const lui = makeInsn('lui', { rd, imm: high });
    return low === 0 ? [lui] : [lui, makeInsn('addiw', { rd, rs1: rd, imm: low })];
  }
  const low = BigInt.asIntN(12, signed);
  let rest = BigInt.asIntN(64, signed - low) >> 12n;
  let shift = 12;
  while ((rest & 1n) === 0n) {
    rest >>= 1n;
    shift++;
  }
  const insns = [...constantInsns(rd, rest), makeInsn('slli', { rd, rs1: rd, imm: shift })];
  return low === 0n ? insns : [...insns, makeInsn('addi', { rd, rs1: rd, imm: Number(low) })];
}

/** The two immediates that add up to a pc-relative distance: auipc's (a multiple of 4096) and the 12 signed bits that follow. */
export function splitDistance(distance: number): { high: number; low: number } {
  const low = ((distance & 0xfff) ^ 0x800) - 0x800;
  const high = distance - low;
  if (high < -(2 ** 31) || high >= 2 ** 31) throw outOfReach(distance);
  return { high, low };
}

export const addPcInsn = (rd: Reg, high: number): Insn => makeInsn('auipc', { rd, imm: high });
export const addImmediateInsn = (rd: Reg, rs1: Reg, imm: number): Insn => makeInsn('addi', { rd, rs1, imm });
export const jumpInsn = (distance: number, link: Reg = ZERO): Insn => makeInsn('jal', { rd: link, imm: distance });
export const jumpRegisterInsn = (rs1: Reg, imm: number, link: Reg = ZERO): Insn =>
  makeInsn('jalr', { rd: link, rs1, imm });
/** An instruction that stops in a debugger and has a compressed form. */
export const breakInsn = (): Insn => makeInsn('ebreak', {});
export const unequalInsn = (rs1: Reg, rs2: Reg): Insn => makeInsn('bne', { rs1, rs2 });

/** Reach of the pc-relative forms, in bytes. */
export const reachesBranch = (distance: number): boolean => fitsSigned(distance, 13);
export const reachesJump = (distance: number): boolean => fitsSigned(distance, 21);

const BRANCH_INVERSE = new Map(
  ROWS.filter((row) => row.format === 'B').map((row) => [
    row.name,
    ROWS.find((other) => other.format === 'B' && other.match === (row.match ^ 0x1000) >>> 0),
  ]),
);

/** The branch with the opposite condition: bit 0 of funct3 inverts a condition (unprivileged manual, table of opcodes). */
export function invertBranch(insn: Insn): Insn {
  const row = BRANCH_INVERSE.get(insn.row.name);
  if (row === undefined) throw internal(`${insn.row.name} has no inverse`);
  return { ...insn, row, size: 4 };
}

/** The address that an auipc at pc computes; undefined for any other instruction. */
export const pcRelativeAddress = (insn: Insn, pc: Addr): Addr | undefined =>
  insn.row.format === 'U' && insn.row.name === 'auipc' ? pc + insn.imm : undefined;
