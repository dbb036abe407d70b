/**
 * Jump tables, as the code itself shows them: an indirect jump whose target is loaded from a constant address plus something that varies, or
 * is such a load plus a constant. A table begins where the jump's load begins, and goes on as long as its entries lead to code and nothing
 * else in the image shows that something else lies there or that the table serves another purpose (`accesses.ts`): no other load or store at
 * or from an address in it, no address in it that code makes (but its first), keeps or hands to a function, none that stands in the data,
 * no other object by the symbols, and in an object that begins before it no address there. That its entries are for jumping alone is an assumption (A4), of which this can be decided.
 */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { firstUse, imageAccesses, type JumpRead, targetsOf } from './accesses.ts';
import { imageCfg } from './build.ts';
import { imageConstants } from './constants.ts';

export interface ReadTable {
  /** Its first entry. */
  readonly at: Addr;
  /** First address behind it. */
  readonly end: Addr;
  readonly width: 4 | 8;
  /** Entries are distances from here; 0: addresses. */
  readonly base: Addr;
}

const known = new WeakMap<Image, readonly ReadTable[]>();

/** All tables of an image, by rising address. */
export function imageTables(image: Image): readonly ReadTable[] {
  let tables = known.get(image);
  if (tables === undefined) {
    tables = tablesOf(image);
    known.set(image, tables);
  }
  return tables;
}

function tablesOf(image: Image): ReadTable[] {
  const tables = new Map<string, ReadTable>();
  for (const read of imageAccesses(image).reads) {
    const { at, width, base } = read;
    const end = endOf(image, read);
    if (end - at >= 2 * width) tables.set(`${at},${width},${base}`, { at, end, width, base });
  }
  // One place, one way to read it.
  const all = [...tables.values()];
  return all
    .filter((table) => !all.some((other) => other !== table && other.at < table.end && table.at < other.end))
    .sort((a, b) => a.at - b.at);
}

/** Where a table ends that begins here: entries that lead to no code, or something else. */
function endOf(image: Image, read: JumpRead): Addr {
  const { at, width } = read;
  if (at % width !== 0) return at;
  let end = at + width * targetsOf(imageCfg(image), read).length;
  const { uses } = imageAccesses(image);
  // A table in an object of more: whoever has an address before it there may come to it.
  const object = image.symbols.find((s) => s.kind === 'object' && s.address < at && at < s.address + s.size);
  if (object !== undefined) {
    if (imageConstants(image).nextAbove(object.address - 1) < at) return at;
    for (let i = firstUse(uses, object.address); i < uses.length && uses[i]!.at < at; i++)
      if (uses[i]!.by !== 'symbol' && uses[i]!.bytes === 0) return at;
  }
  for (let i = firstUse(uses, at - 8); i < uses.length && uses[i]!.at < end; i++) {
    const { at: other, bytes, by } = uses[i]!;
    // A pointer leads to an entry; a symbol may name the table itself.
    if (by === 'word' && (other - at) % width !== 0) continue;
    if (by === 'symbol' ? other > at : other >= at || other + bytes > at) end = Math.max(at, other);
  }
  return end - ((end - at) % width);
}
