/** Loads and stores through the stack pointer or the frame pointer. */
import { S0, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Insn } from '../isa/row.ts';

/** Does an instruction load from a frame or store to one, through sp or the frame pointer? */
export const isOnStack = (insn: Insn): boolean =>
  (insn.rs1 === SP || insn.rs1 === S0) && (facts(insn).load !== undefined || facts(insn).store !== undefined);

/** The place of a frame that such an instruction concerns, as far as its text tells. */
export const slotOf = ({ rs1, imm }: Insn): string => `${rs1},${imm}`;
