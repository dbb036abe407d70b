/**
 * Jump tables, as the code itself shows them: the target of an indirect jump is loaded from a constant address plus a variable, or is such
 * a load plus a constant. A table begins at the load's constant address and goes on as long as its entries lead to code and the image shows
 * no other object there and no other use of the table (`accesses.ts`). Other uses are: another load or store at an address in the table or
 * from such an address on; an address in the table (but its first) that code makes, stores or passes to a function; an entry's address in
 * the data; another object's symbol; and, if an object begins before the table, an address in that object before the table. Assumption A4
 * says that the entries are for jumping alone; these checks decide the part of it that can be decided.
 */
import { derived } from '../base/derived.ts';
import type { Addr } from '../base/units.ts';
import { imageConstants } from '../code/constants.ts';
import type { Image } from '../elf/image.ts';
import { firstUse, imageAccesses, type JumpRead, sureTargets } from './accesses.ts';
import { imageCfg } from './build.ts';

export interface ReadTable {
  /** Address of the first entry. */
  readonly at: Addr;
  /** First address behind the table. */
  readonly end: Addr;
  readonly width: 4 | 8;
  /** Entries are distances from this address; 0: entries are addresses. */
  readonly base: Addr;
}

/** All tables of an image, by rising address. */
export const imageTables = derived('jump tables', findTables);

function findTables(image: Image): readonly ReadTable[] {
  const tables = new Map<string, ReadTable>();
  for (const read of imageAccesses(image).reads) {
    const { at, width, base } = read;
    const end = endOf(image, read);
    if (end - at >= 2 * width) tables.set(`${at},${width},${base}`, { at, end, width, base });
  }
  // Tables that overlap are dropped: a place is read in one way only.
  const all = [...tables.values()];
  return all
    .filter((table) => !all.some((other) => other !== table && other.at < table.end && table.at < other.end))
    .sort((a, b) => a.at - b.at);
}

/** The end of the table that a jump reads: the first entry that leads to no code, or the first other use. */
function endOf(image: Image, read: JumpRead): Addr {
  const { at, width } = read;
  if (at % width !== 0) return at;
  let end = at + width * sureTargets(imageCfg(image), read).length;
  const { uses } = imageAccesses(image);
  // The table lies within a larger object: code with an address in that object before the table may reach the table.
  const object = image.symbols.find((s) => s.kind === 'object' && s.address < at && at < s.address + s.size);
  if (object !== undefined) {
    if (imageConstants(image).nextAbove(object.address - 1) < at) return at;
    for (let i = firstUse(uses, object.address); i < uses.length && uses[i]!.at < at; i++)
      if (uses[i]!.by !== 'symbol' && uses[i]!.bytes === 0) return at;
  }
  for (let i = firstUse(uses, at - 8); i < uses.length && uses[i]!.at < end; i++) {
    const { at: other, bytes, by } = uses[i]!;
    // A word counts only as a pointer to the start of an entry; a symbol at the table's start may name the table itself.
    if (by === 'word' && (other - at) % width !== 0) continue;
    if (by === 'symbol' ? other > at : other >= at || other + bytes > at) end = Math.max(at, other);
  }
  return end - ((end - at) % width);
}
