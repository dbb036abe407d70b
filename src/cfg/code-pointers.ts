/**
 * Code addresses that an image's data holds: whole ones, distances from a table's start (the address of it is one that code makes), distances from
 * where they stand, and what a jump is seen to read.
 */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { CodeRange } from '../profile/code.ts';
import type { TableJump } from './flowing.ts';

/**
 * Entries of a table are looked for no further than this, and not behind one that leads nowhere: what follows is no table any more. That
 * another constant lies between says nothing: an index may have been taken for one, or somebody may point into the table.
 */
const TABLE_BYTES = 1 << 16;

/** What unwinders read: its addresses of code are of functions and landing pads, all else in it is lengths and distances. */
const UNWIND: ReadonlySet<string> = new Set(['.eh_frame', '.eh_frame_hdr', '.gcc_except_table']);

/**
 * @param places where code is
 * @param constants that code makes
 * @param jumps that read tables
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
  const unwind = image.sections.filter(({ name }) => UNWIND.has(name));
  const starts = [...constants].sort((a, b) => a - b);
  const tableJumps = [...jumps];
  /** Where jumps are seen to begin to read distances from there: no other table goes on behind that. */
  const begun = new Set(
    tableJumps.filter(({ table, base, one, bytes }) => table === base && !one && bytes === 4).map(({ table }) => table),
  );
  for (const { address, bytes } of image.segments) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let next = 0;
    /** Where tables may begin whose entries have led to code up to here. */
    let tables: Addr[] = [];
    /** A jump is seen to go by one of them. */
    let shown = false;
    for (let at = (4 - (address % 4)) % 4; at + 4 <= bytes.length; at += 4) {
      const here = address + at;
      if (unwind.some((section) => here >= section.address && here < section.address + section.size)) continue;
      if (begun.has(here)) {
        tables = [];
        shown = true;
      }
      // Entries stand at multiples of four, and the first one where the table begins.
      for (; next < starts.length && starts[next]! <= here; next++)
        if (starts[next]! % 4 === 0) tables.push(starts[next]!);
      const whole = (from: number) =>
        view.getUint32(from, true) + (from + 8 <= bytes.length ? view.getUint32(from + 4, true) : 0) * 2 ** 32;
      // Between instructions only aligned addresses are taken for such.
      if (isCode(here)) {
        tables = [];
        if (here % 8 === 0) add(whole(at));
        continue;
      }
      const low = view.getUint32(at, true);
      // Programs that may lie anywhere hold no addresses of 32 bits.
      if (!image.relocatable) add(low);
      for (let from = at; from < at + 4 && from + 4 <= bytes.length; from++) add(whole(from));
      const distance = low | 0;
      tables = tables.filter((table) => here - table < TABLE_BYTES && add(table + distance));
      // An entry of a table that a jump is seen to go by is no distance from where it stands.
      shown &&= tables.length > 0;
      if (!shown) add(here + distance);
    }
  }
  for (const { table, bytes, signed, one, times, base } of tableJumps) {
    const segment = image.segments.find((each) => table >= each.address && table < each.address + each.bytes.length);
    if (segment === undefined) continue;
    const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
    // Up to the next constant all entries count; behind it, as long as they lead to code.
    const sure = (starts.find((start) => start > table) ?? Number.POSITIVE_INFINITY) - segment.address;
    const begin = table - segment.address;
    const end = Math.min(begin + (one ? bytes : TABLE_BYTES), segment.bytes.length);
    for (let at = begin; at + bytes <= end; at += bytes) {
      if (at >= sure && begun.has(segment.address + at)) break;
      const distance = numberAt(view, at, bytes, signed);
      if (!add(base + times * distance) && at >= sure) break;
    }
  }
  return found;
}

function numberAt(view: DataView, at: number, bytes: number, signed: boolean): number {
  let value = 0n;
  for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(at + i));
  return Number(signed || bytes === 8 ? BigInt.asIntN(8 * bytes, value) : value);
}
