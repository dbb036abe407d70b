/** Chooses the compressed form where there is one. */
import { compress } from '../isa/encode.ts';
import type { Insn } from '../isa/row.ts';

/** The instruction with the size it will be encoded in. */
export function compressible(insn: Insn): Insn {
  const size = compress(insn) === undefined ? 4 : 2;
  return insn.size === size ? insn : { ...insn, size };
}
