/**
 * The tail, which loading never reads: symbols, strings, debugging sections, section headers. The tail moves behind the new segment,
 * so that file offsets stay below addresses: qemu's loader takes the smallest `p_vaddr - p_offset` of all segments as the load
 * address (linux-user/elfload.c), so a segment far down in a file with much debugging data would break AT_PHDR, through which static
 * glibc finds TLS.
 */
import { alignUp } from '../base/bits.ts';
import { unsupported } from '../base/errors.ts';
import { type Addr, type ByteCount, type FileOffset, PAGE } from '../base/units.ts';
import { ELF_HEADER_SIZE, PROGRAM_HEADER_SIZE, SECTION_HEADER_SIZE, SHT } from './constants.ts';
import { getU64, setU64, viewOf } from './fields.ts';
import type { Image } from './image.ts';
import { changingSections, inFile, type MovedSection, type NewSection, Sections } from './sections.ts';
import { type Parts, type SegmentRequest, SHF } from './segment.ts';

export interface Layout {
  /** The end of the part of the file that stays in place. */
  readonly stay: FileOffset;
  /** Indexes of the sections that are written behind the new segment, in the order in which they are written. */
  readonly moving: readonly number[];
  /** p_vaddr - p_offset of the first segment. */
  readonly difference: number;
}

/**
 * All bytes behind the last loaded byte move, if every one of them belongs to a section that is not loaded or to the section headers,
 * or is zero. Else (data appended to the executable) the whole file stays, and only symbols, names, attributes and headers are written
 * anew behind the segment.
 */
export function layoutOf(image: Image): Layout {
  const first = image.segments[0]!;
  const loaded = [
    { offset: 0, size: ELF_HEADER_SIZE },
    { offset: image.programHeaderOffset, size: image.programHeaders.length * PROGRAM_HEADER_SIZE },
    ...image.segments.map((s) => ({ offset: s.offset, size: s.bytes.length })),
    ...image.sections.filter((s) => inFile(s) && (s.flags & SHF.ALLOC) !== 0),
  ];
  const end = loaded.reduce((most, part) => Math.max(most, part.offset + part.size), 0);
  // Whole pages are mapped: bytes behind a segment in its last page are in memory, unless bss begins there.
  const mapped = image.segments
    .filter((s) => s.bytes.length > 0 && !(s.flags.write && s.size > s.bytes.length))
    .reduce((most, s) => Math.max(most, alignUp(s.offset + s.bytes.length, PAGE)), end);
  const moving = image.sections
    .map((section, index) => ({ section, index }))
    .filter(({ section }) => inFile(section) && section.offset >= end)
    .sort((a, b) => a.section.offset - b.section.offset || a.index - b.index);
  const known = moving.map(({ section }) => ({ from: section.offset, to: section.offset + section.size }));
  const headersAt = getU64(viewOf(image.bytes), 40);
  if (image.sections.length > 0)
    known.push({ from: headersAt, to: headersAt + image.sections.length * SECTION_HEADER_SIZE });
  known.sort((a, b) => a.from - b.from);
  let at = end;
  let foreign = false;
  for (const { from, to } of [...known, { from: image.bytes.length, to: image.bytes.length }]) {
    if (from > at && image.bytes.subarray(at, from).some((byte) => byte !== 0)) foreign = true;
    at = Math.max(at, to);
  }
  const difference = first.address - first.offset;
  const indexes = new Set([...(foreign ? [] : moving.map(({ index }) => index)), ...changingSections(image)]);
  return {
    stay: foreign ? image.bytes.length : Math.min(mapped, image.bytes.length),
    moving: [...indexes].filter((index) => index > 0 && index < image.sections.length),
    difference,
  };
}

/** Removes the reference to section headers that are not all in the part that stays: readers would look for them in new bytes. */
function forgetSections(out: Uint8Array, stay: FileOffset): void {
  const view = viewOf(out);
  if (getU64(view, 40) + view.getUint16(60, true) * SECTION_HEADER_SIZE <= stay) return;
  setU64(view, 40, 0);
  view.setUint16(60, 0, true);
  view.setUint16(62, 0, true);
}

export interface Tail {
  /** Size of the whole file, but for appended data. */
  readonly size: ByteCount;
  /** The new offset of a byte of the original file. */
  moved(offset: FileOffset): FileOffset;
  /** The new size of a part of the original file. */
  sizeOf(offset: FileOffset, size: ByteCount): ByteCount;
  write(out: Uint8Array): void;
}

/** Where the new segment is. */
interface SegmentPlace {
  readonly base: Addr;
  readonly offset: FileOffset;
  /** The end of the segment's bytes in the file. */
  readonly end: FileOffset;
}

/** The part of the file behind the segment: moved sections (symbols and names grown) and the section headers. */
export function makeTail(
  image: Image,
  layout: Layout,
  request: SegmentRequest,
  parts: Parts,
  segment: SegmentPlace,
): Tail {
  if (image.sections.length === 0)
    return {
      size: segment.end as number,
      moved: (offset) => offset,
      sizeOf: (_, size) => size,
      write: (out) => forgetSections(out, layout.stay),
    };
  const sections = new Sections(image, layout.moving);
  const added = parts.list.map(
    (part): NewSection => ({
      ...part,
      size: part.bytes.length,
      offset: segment.offset + (part.address - segment.base),
    }),
  );
  const link = request.unwind?.link && splitOffLink(image, sections, request.unwind.link);
  if (link !== undefined) added.push(link);
  if (image.sections.length + added.length >= 0xff00) throw unsupported(`${image.file}: has too many sections`);
  for (const section of added) sections.add(section);
  // The code is the second of the segment's parts.
  sections.addSymbols(request.symbols ?? [], image.sections.length + 1);
  sections.addExtensions(request.extensions ?? []);
  return tailOf(sections.place(segment.end), sections.headers, segment.end);
}

/** Ends the section that the link to the new unwind tables is in where the link begins. @returns the link as a section of its own */
function splitOffLink(
  image: Image,
  sections: Sections,
  { address, size }: { readonly address: Addr; readonly size: ByteCount },
): NewSection | undefined {
  const index = image.sections.findIndex(
    (s) => (s.flags & SHF.ALLOC) !== 0 && s.address <= address && address < s.address + s.size,
  );
  const section = image.sections[index];
  if (section === undefined) return undefined;
  const before = address - section.address;
  sections.resize(index, before);
  return {
    name: '.isoform.eh_link',
    type: SHT.PROGBITS,
    flags: SHF.ALLOC,
    align: 1,
    address,
    size,
    offset: section.offset + before,
  };
}

/** @param start the end of the segment, where the moved sections begin */
function tailOf(moved: readonly MovedSection[], headers: readonly Uint8Array[], start: FileOffset): Tail {
  const last = moved.at(-1);
  const headersAt = alignUp(last === undefined ? start : last.offset + last.bytes.length, 8);
  return {
    size: headersAt + headers.length * SECTION_HEADER_SIZE,
    moved(offset) {
      for (const { original, offset: place } of moved)
        if (offset >= original.offset && offset < original.offset + original.size)
          return place + (offset - original.offset);
      return offset;
    },
    sizeOf(offset, size) {
      const found = moved.find(({ original }) => original.offset === offset && original.size === size);
      return found === undefined ? size : found.bytes.length;
    },
    write(out) {
      for (const { bytes, offset } of moved) out.set(bytes, offset);
      for (const [index, header] of headers.entries()) out.set(header, headersAt + index * SECTION_HEADER_SIZE);
      const view = viewOf(out);
      setU64(view, 40, headersAt);
      view.setUint16(60, headers.length, true);
    },
  };
}
