/**
 * Code addresses that an image's data holds: whole addresses, distances from the start of a table whose address code makes, distances from
 * the word that holds them, and entries of tables that jumps are seen to read.
 */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { CodeRange } from './code.ts';
import type { TableJump } from './flowing.ts';

/**
 * Entries of a table that no jump is seen to read are looked for no further than this (assumption A2 says so), and only up to the first
 * entry that leads to no code. A constant that points into the table does not end it: the constant may be an index, or a pointer into the
 * table.
 */
const TABLE_BYTES = 1 << 16;

/** Sections for unwinders, which are skipped: their code addresses are functions and landing pads, other words lengths and distances. */
const UNWIND_SECTIONS: ReadonlySet<string> = new Set(['.eh_frame', '.eh_frame_hdr', '.gcc_except_table']);

/**
 * @param places ranges of code
 * @param constants constants that code makes
 * @param jumps jumps that read tables
 */
export function codePointers(
  image: Image,
  places: readonly CodeRange[],
  constants: Iterable<number>,
  jumps: Iterable<TableJump>,
): Set<Addr> {
  const found = new Set<Addr>();
  const isCode = (address: number) => places.some(({ start, end }) => address >= start && address < end);
  const add = (address: number): boolean => {
    const is = isCode(address);
    if (is) found.add(address);
    return is;
  };
  const unwind = image.sections.filter(({ name }) => UNWIND_SECTIONS.has(name));
  const starts = [...constants].sort((a, b) => a - b);
  const tableJumps = [...jumps];
  const begun = tableStarts(tableJumps);
  /** Those of which any entry is seen to be read: a jump that reads the first entry only may read a distance from the entry itself. */
  const read = tableStarts(tableJumps.filter(({ one }) => !one));
  for (const { address, bytes } of image.segments) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let next = 0;
    /** Starts of possible tables whose entries have all led to code so far. */
    let tables: Addr[] = [];
    /** A jump is seen to read one of `tables`. */
    let shown = false;
    for (let at = (4 - (address % 4)) % 4; at + 4 <= bytes.length; at += 4) {
      const here = address + at;
      if (unwind.some((section) => here >= section.address && here < section.address + section.size)) continue;
      if (begun.has(here)) {
        tables = [];
        shown = read.has(here);
      }
      // Entries are aligned to four bytes, and the first entry is at the table's start.
      for (; next < starts.length && starts[next]! <= here; next++) {
        if (starts[next]! % 4 !== 0) continue;
        tables.push(starts[next]!);
        // Another table may begin there, of distances from the words that hold them.
        shown &&= read.has(starts[next]!);
      }
      const whole = (from: number) =>
        view.getUint32(from, true) + (from + 8 <= bytes.length ? view.getUint32(from + 4, true) : 0) * 2 ** 32;
      const low = view.getUint32(at, true);
      // Data may lie among instructions. The word of a four-byte instruction is odd, as no pointer to code is, nor a distance of code.
      const inCode = isCode(here);
      // A table of whole addresses in code may not even be aligned.
      if (inCode && at + 6 <= bytes.length) {
        const askew = view.getUint32(at + 2, true);
        if (askew % 2 === 0 && (!image.relocatable || (at + 10 <= bytes.length && view.getUint32(at + 6, true) === 0)))
          add(askew);
      }
      if (inCode && low % 2 !== 0) {
        tables = [];
        continue;
      }
      // Position-independent programs hold no 32-bit addresses.
      if (!image.relocatable) add(low);
      for (let from = at; from < (inCode ? at + 1 : at + 4) && from + 4 <= bytes.length; from++) add(whole(from));
      const distance = low | 0;
      tables = tables.filter((table) => here - table < TABLE_BYTES && add(table + distance));
      // An entry of a table that a jump is seen to read is no distance from its own address.
      shown &&= tables.length > 0;
      if (!shown) add(here + distance);
    }
  }
  for (const { table, bytes, signed, one, times, base } of tableJumps) {
    const segment = image.segments.find((each) => table >= each.address && table < each.address + each.bytes.length);
    if (segment === undefined) continue;
    const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
    // Up to the next constant all entries count; behind the constant, entries count up to the first that leads to no code.
    const sure = (starts.find((start) => start > table) ?? Number.POSITIVE_INFINITY) - segment.address;
    const begin = table - segment.address;
    const end = one ? Math.min(begin + bytes, segment.bytes.length) : segment.bytes.length;
    for (let at = begin; at + bytes <= end; at += bytes) {
      if (at >= sure && begun.has(segment.address + at)) break;
      const distance = numberAt(view, at, bytes, signed);
      if (!add(base + times * distance) && at >= sure) break;
    }
  }
  return found;
}

/** Starts of tables of 4-byte distances that jumps are seen to read: such a start ends every table before it. */
export const tableStarts = (jumps: Iterable<TableJump>): ReadonlySet<Addr> =>
  new Set([...jumps].filter(({ table, base, bytes }) => table === base && bytes === 4).map(({ table }) => table));

function numberAt(view: DataView, at: number, bytes: number, signed: boolean): number {
  let value = 0n;
  for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(at + i));
  return Number(signed || bytes === 8 ? BigInt.asIntN(8 * bytes, value) : value);
}
