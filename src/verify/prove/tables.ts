/**
 * Changed entries of jump tables. Such an entry led to an original address and now leads to the superblock that stands for it (A4). The
 * decidable part of A4: the original has a jump that reads this very table, all of the table up to the entry leads to code, and nothing in
 * the original shows that other data lies there or that the table serves another purpose (`cfg/jump-tables.ts`).
 */
import type { Addr, ByteCount } from '../../base/units.ts';
import { numberAt } from '../../cfg/accesses.ts';
import { imageTables } from '../../cfg/jump-tables.ts';
import type { Image } from '../../elf/image.ts';

/** The address that an entry led to, and the address that it leads to now; undefined if there is no such entry. */
export function changedEntry(
  original: Image,
  optimized: Image,
  address: Addr,
  size: ByteCount,
): { readonly head: Addr; readonly start: Addr } | undefined {
  const table = imageTables(original).find(({ at, end }) => address >= at && address < end);
  if (table === undefined || size !== table.width || (address - table.at) % size !== 0) return undefined;
  // In a position-independent image addresses are written by relocations when the program starts.
  if (table.base === 0 && original.relocatable) return undefined;
  const [was, is] = [numberAt(original, address, size), numberAt(optimized, address, size)];
  return was === undefined || is === undefined ? undefined : { head: table.base + was, start: table.base + is };
}
