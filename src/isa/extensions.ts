/** Sets of extensions, and the extensions that an instruction needs: its row's and, if compressed, its encoding's. */
import { derived } from '../base/derived.ts';
import { aliasOf } from './decode.ts';
import type { Insn } from './row.ts';
import { COMPRESSED, ROWS } from './table.ts';

/** One bit for each extension. */
export type ExtensionSet = bigint;

const NAMES: readonly string[] = [...new Set([...ROWS, ...COMPRESSED].map(({ extension }) => extension))];
const BITS = new Map(NAMES.map((name, index) => [name, 1n << BigInt(index)]));

/** The set of the named extensions; names without an instruction here are left out. */
export const extensionSet = (names: Iterable<string>): ExtensionSet => {
  let set = 0n;
  for (const name of names) set |= BITS.get(name) ?? 0n;
  return set;
};
/** The names of a set's extensions, sorted. */
export const extensionNames = (set: ExtensionSet): string[] =>
  NAMES.filter((name) => (set & BITS.get(name)!) !== 0n).sort();

export const EVERY_EXTENSION: ExtensionSet = extensionSet(NAMES);
/** RV64GC (unprivileged manual, "RV32/64G Instruction Set Listings": G is IMAFDZicsr_Zifencei). */
export const RV64GC: ExtensionSet = extensionSet(['I', 'M', 'A', 'F', 'D', 'C', 'Zicsr', 'Zifencei']);

/** The bit of the extension of a row or a compressed encoding. */
export const bitOf = ({ extension }: { readonly extension: string }): ExtensionSet => BITS.get(extension)!;

/** Of the very object that was decoded: the alias of a compressed instruction is kept by object. */
export const needsOf = derived('extensions', (insn: Insn): ExtensionSet => {
  const alias = insn.size === 2 ? aliasOf(insn) : undefined;
  return bitOf(insn.row) | (alias === undefined ? 0n : bitOf(alias));
});
