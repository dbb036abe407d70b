/** Chooses an instruction's compressed form where the machine has that form. */
import { compress } from '../isa/encode.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import type { Insn } from '../isa/row.ts';
import type { Item } from './item.ts';

/** The instruction with the size it will be encoded in. */
function compressible(insn: Insn, machine: ExtensionSet | undefined): Insn {
  const size = compress(insn, machine) === undefined ? 4 : 2;
  return insn.size === size ? insn : { ...insn, size };
}

/** Items whose instructions have their encoded sizes; items that depend on addresses are sized later, by layout. */
export const sized = (items: readonly Item[], machine: ExtensionSet | undefined): Item[] =>
  items.map((item) =>
    item.kind === 'insn' || item.kind === 'branch' || item.kind === 'escape'
      ? { ...item, insn: compressible(item.insn, machine) }
      : item,
  );
