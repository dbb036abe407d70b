/**
 * The tail, which loading never reads: symbols, strings, debugging sections, section headers. The tail moves behind the new segment,
 * so that file offsets stay below addresses: qemu's loader takes the smallest `p_vaddr - p_offset` of all segments as the load
 * address (linux-user/elfload.c), so a segment far down in a file with much debugging data would break AT_PHDR, through which static
 * glibc finds TLS.
 */
import { alignUp } from '../base/bits.ts';
import { unsupported } from '../base/errors.ts';
import type { Addr, ByteCount, FileOffset } from '../base/units.ts';
import { withExtensions } from './attributes.ts';
import { ELF_HEADER_SIZE, PROGRAM_HEADER_SIZE, SECTION_HEADER_SIZE, SHT, SYMBOL_SIZE } from './constants.ts';
import { ascii, concat, getU64, setFields, setU64, viewOf } from './fields.ts';
import type { Image, SectionHeader } from './image.ts';
import { type Parts, type SegmentRequest, SHF } from './segment.ts';

const PAGE = 4096;
const STB_GLOBAL = 1;
const STT_FUNC = 2;

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
  // The tables of section names, symbols and symbol names and the attributes change, so they are written anew wherever they were.
  const names = sectionNamesIndex(image);
  const table = image.sections.findIndex(isSymbolTable);
  const attributes = image.sections.findIndex(isAttributes);
  const rewrittenSections = [
    names,
    ...(table < 0 ? [] : [table, image.sections[table]!.link]),
    ...(attributes < 0 ? [] : [attributes]),
  ];
  const indexes = new Set([...(foreign ? [] : moving.map(({ index }) => index)), ...rewrittenSections]);
  return {
    stay: foreign ? image.bytes.length : Math.min(mapped, image.bytes.length),
    moving: [...indexes].filter((index) => index > 0 && index < image.sections.length),
    difference,
  };
}

const isAttributes = (s: SectionHeader) => s.type === SHT.RISCV_ATTRIBUTES && inFile(s) && (s.flags & SHF.ALLOC) === 0;
const isSymbolTable = (s: SectionHeader) => s.type === SHT.SYMTAB && s.entrySize === SYMBOL_SIZE;
/** Does a section take bytes of the file? */
export const inFile = (s: SectionHeader) => s.type !== SHT.NOBITS && s.type !== SHT.NULL && s.size > 0;
const sectionNamesIndex = (image: Image): number => {
  const view = viewOf(image.bytes);
  const index = view.getUint16(62, true);
  return index === 0xffff ? (image.sections[0]?.link ?? 0) : index;
};

/** Removes the reference to section headers that are not all in the part that stays: readers would look for them in new bytes. */
function forgetSections(out: Uint8Array, stay: FileOffset): void {
  const view = viewOf(out);
  if (getU64(view, 40) + view.getUint16(60, true) * SECTION_HEADER_SIZE <= stay) return;
  setU64(view, 40, 0);
  view.setUint16(60, 0, true);
  view.setUint16(62, 0, true);
}

/** A string table to which names can be added: its last string ends, and its first one, which entries without names have, is empty. */
const closed = (strings: Uint8Array): Uint8Array => (strings.at(-1) === 0 ? strings : concat(strings, ascii('\0')));

interface AddedSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly address: Addr;
  readonly offset: FileOffset;
  readonly size: ByteCount;
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

/** The part of the file behind the segment: moved sections (symbols and names grown) and the section headers. */
export function makeTail(
  image: Image,
  layout: Layout,
  request: SegmentRequest,
  parts: Parts,
  segment: { readonly base: Addr; readonly offset: FileOffset; readonly end: FileOffset },
): Tail {
  if (image.sections.length === 0)
    return {
      size: segment.end as number,
      moved: (offset) => offset,
      sizeOf: (_, size) => size,
      write: (out) => forgetSections(out, layout.stay),
    };
  const names = sectionNamesIndex(image);
  const contents = new Map<number, Uint8Array>(
    layout.moving.map((index) => [
      index,
      image.bytes.subarray(image.sections[index]!.offset).subarray(0, image.sections[index]!.size),
    ]),
  );
  const addName = (table: number, name: string): number => {
    const strings = contents.get(table);
    // A file may have no table of section names; new sections then have no names.
    if (!strings) return 0;
    const old = closed(strings);
    contents.set(table, concat(old, ascii(`${name}\0`)));
    return old.length;
  };
  const oldHeaders = getU64(viewOf(image.bytes), 40);
  const headers: Uint8Array[] = image.sections.map((_, index) =>
    image.bytes.slice(oldHeaders + index * SECTION_HEADER_SIZE, oldHeaders + (index + 1) * SECTION_HEADER_SIZE),
  );
  const link = request.unwind?.link;
  const added: AddedSection[] = [
    ...parts.list.map((part) => ({
      ...part,
      size: part.bytes.length,
      offset: segment.offset + (part.address - segment.base),
    })),
  ];
  const frame =
    link &&
    image.sections.findIndex(
      (s) => (s.flags & SHF.ALLOC) !== 0 && s.address <= link.address && link.address < s.address + s.size,
    );
  if (link && frame !== undefined && frame >= 0) {
    const section = image.sections[frame]!;
    setU64(viewOf(headers[frame]!), 32, link.address - section.address);
    added.push({
      name: '.isoform.eh_link',
      type: SHT.PROGBITS,
      flags: SHF.ALLOC,
      align: 1,
      address: link.address,
      size: link.size,
      offset: section.offset + (link.address - section.address),
    });
  }
  if (image.sections.length + added.length >= 0xff00) throw unsupported(`${image.file}: has too many sections`);
  for (const part of added) {
    const header = new Uint8Array(SECTION_HEADER_SIZE);
    const view = viewOf(header);
    view.setUint32(0, addName(names, part.name), true);
    view.setUint32(4, part.type, true);
    setFields(view, 8, [part.flags, part.address, part.offset, part.size]);
    setU64(view, 48, part.align);
    headers.push(header);
  }
  const table = image.sections.findIndex(isSymbolTable);
  if (table >= 0 && contents.has(table) && contents.has(image.sections[table]!.link)) {
    const textIndex = image.sections.length + 1;
    // New symbols are global and behind all old symbols, so that neither old indexes nor the count of local symbols change.
    const symbols = (request.symbols ?? []).map((symbol) => {
      const entry = new Uint8Array(SYMBOL_SIZE);
      const view = viewOf(entry);
      view.setUint8(4, (STB_GLOBAL << 4) | STT_FUNC);
      view.setUint16(6, textIndex, true);
      setU64(view, 8, symbol.address);
      setU64(view, 16, symbol.size);
      return { name: symbol.name, entry, view };
    });
    const strings = closed(contents.get(image.sections[table]!.link)!);
    const places = new Map<string, number>();
    let at = strings.length;
    for (const { name, view } of symbols) {
      const place = places.get(name) ?? at;
      view.setUint32(0, place, true);
      if (place < at) continue;
      places.set(name, at);
      at += ascii(name).length + 1;
    }
    contents.set(image.sections[table]!.link, concat(strings, ascii([...places.keys()].map((s) => `${s}\0`).join(''))));
    contents.set(table, concat(contents.get(table)!, ...symbols.map((s) => s.entry)));
  }
  const attributes = image.sections.findIndex(isAttributes);
  const arch = contents.get(attributes);
  if (arch !== undefined) contents.set(attributes, withExtensions(arch, request.extensions ?? []));
  const places = new Map<number, FileOffset>();
  let at = segment.end;
  for (const index of layout.moving) {
    at = alignUp(at, Math.max(1, Math.min(image.sections[index]!.align, PAGE)));
    places.set(index, at);
    const header = viewOf(headers[index]!);
    setU64(header, 24, at);
    setU64(header, 32, contents.get(index)!.length);
    at += contents.get(index)!.length;
  }
  const headersAt = alignUp(at, 8);
  return {
    size: headersAt + headers.length * SECTION_HEADER_SIZE,
    moved(offset) {
      for (const [index, place] of places) {
        const section = image.sections[index]!;
        if (offset >= section.offset && offset < section.offset + section.size)
          return place + (offset - section.offset);
      }
      return offset;
    },
    sizeOf(offset, size) {
      const same = ([index]: [number, FileOffset]) =>
        image.sections[index]!.offset === offset && image.sections[index]!.size === size;
      const found = [...places].find(same);
      return found === undefined ? size : contents.get(found[0])!.length;
    },
    write(out) {
      for (const [index, place] of places) out.set(contents.get(index)!, place);
      for (const [index, header] of headers.entries()) out.set(header, headersAt + index * SECTION_HEADER_SIZE);
      const view = viewOf(out);
      setU64(view, 40, headersAt);
      view.setUint16(60, headers.length, true);
    },
  };
}
