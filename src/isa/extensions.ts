/** Sets of extensions, and what an instruction needs: its row's extension, and that of its encoding where it is a compressed one. */
import { aliasOf } from './decode.ts';
import type { Insn } from './row.ts';
import { COMPRESSED, ROWS } from './table.ts';

/** One bit an extension. */
export type ExtensionSet = bigint;

const NAMES: readonly string[] = [...new Set([...ROWS, ...COMPRESSED].map(({ extension }) => extension))];
const BITS = new Map(NAMES.map((name, index) => [name, 1n << BigInt(index)]));

/** Names that no instruction here belongs to are left out. */
export const extensionSet = (names: Iterable<string>): ExtensionSet => {
  let set = 0n;
  for (const name of names) set |= BITS.get(name) ?? 0n;
  return set;
};
/** Sorted. */
export const extensionNames = (set: ExtensionSet): string[] =>
  NAMES.filter((name) => (set & BITS.get(name)!) !== 0n).sort();

export const EVERY_EXTENSION: ExtensionSet = extensionSet(NAMES);
/** RV64GC (unprivileged manual, "RV32/64G Instruction Set Listings": G is IMAFDZicsr_Zifencei). */
export const RV64GC: ExtensionSet = extensionSet(['I', 'M', 'A', 'F', 'D', 'C', 'Zicsr', 'Zifencei']);

/** Of a row or a compressed encoding. */
export const bitOf = ({ extension }: { readonly extension: string }): ExtensionSet => BITS.get(extension)!;

const known = new WeakMap<Insn, ExtensionSet>();

/** @param insn as it was decoded: how a compressed one is encoded is known of that very object */
export function needsOf(insn: Insn): ExtensionSet {
  let needs = known.get(insn);
  if (needs === undefined) {
    const alias = insn.size === 2 ? aliasOf(insn) : undefined;
    needs = bitOf(insn.row) | (alias === undefined ? 0n : bitOf(alias));
    known.set(insn, needs);
  }
  return needs;
}
