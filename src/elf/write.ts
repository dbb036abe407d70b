/**
 * Writes an optimized executable: the original's loaded bytes where they were, but for patches, and one new segment behind bss
 * that holds a note, the optimized code, unwind tables and the address map.
 *
 * The file is laid out as: everything that is loaded, unchanged; the new segment; then what loading never reads (symbols, strings,
 * debugging sections, section headers), moved behind it. Moving that part keeps file offsets below addresses: qemu's loader takes
 * the smallest `p_vaddr - p_offset` of all segments as the load address (linux-user/elfload.c), so a segment far down in a
 * file with much debugging data would break AT_PHDR, through which static glibc finds TLS.
 *
 * The segment begins with an ELF note, `.note.isoform`, which says where the other parts are. So the address map is found
 * again by address alone, and survives `strip`; all parts are in sections of their own, because objcopy drops what is in none.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { alignUp } from '../base/bits.ts';
import { cannotWrite, internal, unsupported } from '../base/errors.ts';
import type { Addr, ByteCount, FileOffset } from '../base/units.ts';
import { ELF_HEADER_SIZE, PF, PROGRAM_HEADER_SIZE, PT, SECTION_HEADER_SIZE, SHT, SYMBOL_SIZE } from './constants.ts';
import type { Image, ProgramHeader, SectionHeader } from './image.ts';

const PAGE = 4096;
const PT_NULL = 0;
const PT_GNU_EH_FRAME = 0x6474e550;
const PT_GNU_PROPERTY = 0x6474e553;
const SHF = { ALLOC: 2, EXECUTE: 4 } as const;
/** More than this much zero padding in the file is refused; it can only come from a huge bss and a full header table. */
const MAX_PADDING = 2 ** 28;

/** Elf64_Nhdr, the name `isoform\0`, and the description: version, and offset and size of map and code, from the segment's start. */
const NOTE_NAME = 'isoform\0';
const NOTE_TYPE = 1;
const NOTE_VERSION = 1;
const NOTE_DESCRIPTION = 44;
const NOTE_SIZE = 12 + NOTE_NAME.length + NOTE_DESCRIPTION;

export interface Patch {
  readonly address: Addr;
  readonly bytes: Uint8Array;
}

/** Unwind tables for the new code, as emit/unwind makes them. */
export interface UnwindPart {
  /** Where `bytes` belong: behind the code. */
  readonly address: Addr;
  readonly bytes: Uint8Array;
  /** What must change in the original tables, so that unwinders find the new ones. */
  readonly patches: readonly Patch[];
  /** The new table that PT_GNU_EH_FRAME is to point to; only for an image that has that header. It ends with `bytes`. */
  readonly header: Addr | undefined;
  /** The part of the original .eh_frame that no longer reads as part of it. */
  readonly link: { readonly address: Addr; readonly size: ByteCount } | undefined;
}

export interface SegmentRequest {
  /** Must be `nextSegmentAddress(image)`. */
  readonly address: Addr;
  readonly code: Uint8Array;
  /** Over loaded file bytes of the original. They may not overlap. */
  readonly patches: readonly Patch[];
  /** The address map; `readNote` gives it back. */
  readonly map: Uint8Array;
  readonly unwind?: UnwindPart;
  /** Names for places in the code; written when the image has a symbol table. */
  readonly symbols?: readonly { readonly name: string; readonly address: Addr; readonly size: ByteCount }[];
}

/** Where the new segment's code begins. Throws unsupported for an image that is already optimized. */
export function nextSegmentAddress(image: Image): Addr {
  if (findNote(image))
    throw unsupported(`${image.file}: is already optimized by isoform`, 'optimize the original executable instead');
  return segmentBase(image, layoutOf(image)) + NOTE_SIZE;
}

/** The address map of an optimized image, or undefined if the image is not one. The sections' names play no part. */
export function readNote(image: Image): Uint8Array | undefined {
  const note = findNote(image);
  return note?.bytes.subarray(note.mapOffset, note.mapOffset + note.mapSize);
}

/** The new code of an optimized image. */
export function readOptimizedCode(image: Image): { readonly address: Addr; readonly bytes: Uint8Array } | undefined {
  const note = findNote(image);
  return (
    note && {
      address: note.address + note.codeOffset,
      bytes: note.bytes.subarray(note.codeOffset, note.codeOffset + note.codeSize),
    }
  );
}

/**
 * The output file. The same request gives the same bytes. Throws unsupported if no room for a program header can be made, or the
 * image is already optimized.
 */
export function addSegment(image: Image, request: SegmentRequest): Uint8Array {
  const layout = layoutOf(image);
  if (request.address !== nextSegmentAddress(image))
    throw internal('the segment is not where it belongs', request.address);
  const base = request.address - NOTE_SIZE;
  const parts = segmentParts(request, base);
  const headers = planHeaders(image, layout, request);
  const tableAt = headers.where === 'segment' ? alignUp(parts.end, 8) : undefined;
  const size = (tableAt === undefined ? parts.end : tableAt + headers.size) - base;

  let offset: FileOffset = layout.stay + ((((base - layout.stay) % PAGE) + PAGE) % PAGE);
  if (tableAt !== undefined) {
    // The kernel before 5.18 and qemu compute AT_PHDR as load address + e_phoff: one difference for all of the file.
    offset = base - layout.difference;
    if (offset < layout.stay || offset - layout.stay > MAX_PADDING)
      throw unsupported(`${image.file}: has no room for another program header`);
  }
  const shift = makeTail(image, layout, request, parts, { base, offset, end: offset + size });
  const out = new Uint8Array(shift.size);
  out.set(image.bytes.subarray(0, layout.stay));
  for (const patch of [...request.patches, ...(request.unwind?.patches ?? [])]) applyPatch(out, image, patch);
  const segment = out.subarray(offset, offset + size);
  for (const part of parts.list) segment.set(part.bytes, part.address - base);
  shift.write(out);

  const table = encodeHeaders(
    image,
    headers,
    {
      type: PT.LOAD,
      flags: PF.READ | PF.EXECUTE,
      offset,
      vaddr: base,
      paddr: base,
      fileSize: size,
      memSize: size,
      align: PAGE,
    },
    tableAt,
    shift.moved,
    request.unwind,
  );
  const view = new DataView(out.buffer);
  const tableOffset = tableAt === undefined ? image.programHeaderOffset : offset + (tableAt - base);
  out.set(table, tableOffset);
  setU64(view, 32, tableOffset);
  view.setUint16(56, table.length / PROGRAM_HEADER_SIZE, true);
  return out;
}

/** Writes an executable so that the path holds either what it held before or all of the new file. Throws cannotWrite. */
export function writeExecutable(path: string, bytes: Uint8Array): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  let made = false;
  try {
    const fd = openSync(temporary, 'wx', 0o755);
    made = true;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    chmodSync(temporary, 0o755);
    renameSync(temporary, path);
  } catch (error) {
    if (made) rmSync(temporary, { force: true });
    throw cannotWrite(path, error);
  }
}

interface Layout {
  /** The file up to here stays as it is. */
  readonly stay: FileOffset;
  /** Indexes of sections that move behind the new segment, in file order. */
  readonly moving: readonly number[];
  /** p_vaddr - p_offset of the first segment. */
  readonly difference: number;
}

/**
 * What moves is all that lies behind the last loaded byte, if every byte of it belongs to a section that is not loaded or to the
 * section headers, or is zero. Else (data appended to the executable) the whole file stays and only the symbols and headers
 * are written anew behind the segment.
 */
function layoutOf(image: Image): Layout {
  const first = image.segments[0];
  const loaded = [
    { offset: 0, size: ELF_HEADER_SIZE },
    { offset: image.programHeaderOffset, size: image.programHeaders.length * PROGRAM_HEADER_SIZE },
    ...image.segments.map((s) => ({ offset: s.offset, size: s.bytes.length })),
    ...image.sections.filter((s) => inFile(s) && (s.flags & SHF.ALLOC) !== 0),
  ];
  const end = loaded.reduce((most, part) => Math.max(most, part.offset + part.size), 0);
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
  // These get new entries, so they are written anew wherever they were.
  const names = sectionNamesIndex(image);
  const table = image.sections.findIndex(isSymbolTable);
  const again = [names, ...(table < 0 ? [] : [table, image.sections[table].link])];
  const indexes = new Set([...(foreign ? [] : moving.map(({ index }) => index)), ...again]);
  return {
    stay: foreign ? image.bytes.length : end,
    moving: [...indexes].filter((index) => index > 0 && index < image.sections.length),
    difference,
  };
}

const isSymbolTable = (s: SectionHeader) => s.type === SHT.SYMTAB && s.entrySize === SYMBOL_SIZE;
const inFile = (s: SectionHeader) => s.type !== SHT.NOBITS && s.type !== SHT.NULL && s.size > 0;
const sectionNamesIndex = (image: Image): number => {
  const view = viewOf(image.bytes);
  const index = view.getUint16(62, true);
  return index === 0xffff ? (image.sections[0]?.link ?? 0) : index;
};

/** The first page behind bss; higher where the file part that stays is so long that offsets would overtake addresses. */
function segmentBase(image: Image, layout: Layout): Addr {
  const least = Math.max(image.end, layout.stay + layout.difference);
  return alignUp(least, PAGE);
}

interface Parts {
  readonly list: readonly {
    readonly name: string;
    readonly type: number;
    readonly flags: number;
    readonly align: number;
    readonly address: Addr;
    readonly bytes: Uint8Array;
  }[];
  readonly end: Addr;
}

function segmentParts(request: SegmentRequest, base: Addr): Parts {
  const { address, code, unwind, map } = request;
  const codeEnd = address + code.length;
  if (unwind && unwind.address < codeEnd) throw internal('unwind tables overlap the code', unwind.address);
  const mapAt = alignUp(unwind ? unwind.address + unwind.bytes.length : codeEnd, 8);
  const note = new Uint8Array(NOTE_SIZE);
  const view = viewOf(note);
  view.setUint32(0, NOTE_NAME.length, true);
  view.setUint32(4, NOTE_DESCRIPTION, true);
  view.setUint32(8, NOTE_TYPE, true);
  note.set(ascii(NOTE_NAME), 12);
  view.setUint32(20, NOTE_VERSION, true);
  setFields(view, 24, [mapAt - base, map.length, address - base, code.length]);
  const list = [
    { name: '.note.isoform', type: SHT.NOTE, flags: SHF.ALLOC, align: 4, address: base, bytes: note },
    { name: '.isoform.text', type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.EXECUTE, align: 4, address, bytes: code },
  ];
  const data = { type: SHT.PROGBITS, flags: SHF.ALLOC, align: 8 };
  if (unwind && unwind.bytes.length > 0) {
    const split = unwind.header === undefined ? unwind.bytes.length : unwind.header - unwind.address;
    list.push({ name: '.isoform.eh_frame', ...data, address: unwind.address, bytes: unwind.bytes.subarray(0, split) });
    if (unwind.header !== undefined)
      list.push({
        name: '.isoform.eh_frame_hdr',
        ...data,
        align: 4,
        address: unwind.header,
        bytes: unwind.bytes.subarray(split),
      });
  }
  list.push({ name: '.isoform.map', ...data, address: mapAt, bytes: map });
  return { list, end: mapAt + map.length };
}

interface HeaderPlan {
  readonly kept: readonly ProgramHeader[];
  readonly where: 'place' | 'segment';
  readonly size: ByteCount;
}

/**
 * Headers that loading does not need, the least useful first. Binutils (bfd/elfnn-riscv.c) put PT_RISCV_ATTRIBUTES back whenever
 * they copy a file that has the section, and `strip` then fails for want of room: where the section is, the header goes last.
 */
const SPARE = [PT_NULL, PT_GNU_PROPERTY, PT.NOTE, PT.RISCV_ATTRIBUTES];
const SPARE_WITHOUT_ATTRIBUTES = [PT_NULL, PT.RISCV_ATTRIBUTES, PT_GNU_PROPERTY, PT.NOTE];

function planHeaders(image: Image, layout: Layout, request: SegmentRequest): HeaderPlan {
  const headers = image.programHeaders;
  if (request.unwind?.header !== undefined && !headers.some((h) => h.type === PT_GNU_EH_FRAME))
    throw internal('a table for a PT_GNU_EH_FRAME that the image has not');
  const attributes = image.sections.some((s) => s.name === '.riscv.attributes');
  const spare = (attributes ? SPARE : SPARE_WITHOUT_ATTRIBUTES)
    .map((type) => headers.findIndex((h) => h.type === type))
    .find((index) => index >= 0);
  const size = headers.length * PROGRAM_HEADER_SIZE;
  if (spare !== undefined) return { kept: headers.filter((_, index) => index !== spare), where: 'place', size };
  const end = image.programHeaderOffset + size;
  const more = size + PROGRAM_HEADER_SIZE;
  // The headers must be in memory: the new entry may neither leave the segment they are in nor lie over anything else.
  const room =
    image.segments.some((s) => end >= s.offset && end + PROGRAM_HEADER_SIZE <= s.offset + s.bytes.length) &&
    image.sections.length > 0 &&
    !image.sections.some((s) => inFile(s) && s.offset < end + PROGRAM_HEADER_SIZE && s.offset + s.size > end) &&
    end + PROGRAM_HEADER_SIZE <= layout.stay &&
    image.entry - layout.difference >= end + PROGRAM_HEADER_SIZE &&
    image.bytes.subarray(end, end + PROGRAM_HEADER_SIZE).every((byte) => byte === 0);
  return { kept: headers, where: room ? 'place' : 'segment', size: more };
}

function encodeHeaders(
  image: Image,
  plan: HeaderPlan,
  load: ProgramHeader,
  tableAt: Addr | undefined,
  moved: (offset: FileOffset) => FileOffset,
  unwind: UnwindPart | undefined,
): Uint8Array {
  const { kept } = plan;
  // PT_LOAD entries must rise by address (gABI); the new one is the highest.
  const last = kept.reduce((found, header, index) => (header.type === PT.LOAD ? index : found), -1);
  const list = [...kept.slice(0, last + 1), load, ...kept.slice(last + 1)].map((header) => {
    if (header.type === PT.PHDR) {
      const at = tableAt ?? header.vaddr;
      const offset = tableAt === undefined ? header.offset : load.offset + (tableAt - load.vaddr);
      return { ...header, offset, vaddr: at, paddr: at, fileSize: plan.size, memSize: plan.size };
    }
    if (header.type === PT_GNU_EH_FRAME && unwind?.header !== undefined) {
      const size = unwind.address + unwind.bytes.length - unwind.header;
      const offset = load.offset + (unwind.header - load.vaddr);
      return { ...header, offset, vaddr: unwind.header, paddr: unwind.header, fileSize: size, memSize: size, align: 4 };
    }
    return header.type === PT.LOAD ? header : { ...header, offset: moved(header.offset) };
  });
  const table = new Uint8Array(list.length * PROGRAM_HEADER_SIZE);
  if (table.length !== plan.size) throw internal(`${list.length} program headers do not fit ${image.file}`);
  const view = viewOf(table);
  list.forEach((header, index) => {
    const at = index * PROGRAM_HEADER_SIZE;
    view.setUint32(at, header.type, true);
    view.setUint32(at + 4, header.flags, true);
    setFields(view, at + 8, [header.offset, header.vaddr, header.paddr, header.fileSize, header.memSize, header.align]);
  });
  return table;
}

interface AddedSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly address: Addr;
  readonly offset: FileOffset;
  readonly size: ByteCount;
}

interface Tail {
  /** Of the whole file. */
  readonly size: ByteCount;
  /** Where a byte of the original file is now. */
  moved(offset: FileOffset): FileOffset;
  write(out: Uint8Array): void;
}

/** What comes behind the segment: moved sections (symbols and names grown) and the section headers. */
function makeTail(
  image: Image,
  layout: Layout,
  request: SegmentRequest,
  parts: Parts,
  segment: { readonly base: Addr; readonly offset: FileOffset; readonly end: FileOffset },
): Tail {
  if (image.sections.length === 0) return { size: segment.end as number, moved: (offset) => offset, write: () => {} };
  const names = sectionNamesIndex(image);
  const contents = new Map<number, Uint8Array>(
    layout.moving.map((index) => [
      index,
      image.bytes.subarray(image.sections[index].offset).subarray(0, image.sections[index].size),
    ]),
  );
  const addName = (table: number, name: string): number => {
    const old = contents.get(table);
    if (!old) throw internal(`string table ${table} does not move`);
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
    const section = image.sections[frame];
    setU64(viewOf(headers[frame]), 32, link.address - section.address);
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
  if (table >= 0 && contents.has(table) && contents.has(image.sections[table].link)) {
    const textIndex = image.sections.length + 1;
    // Behind all others and global, so that neither the indexes of old symbols nor the count of local ones change.
    const symbols = (request.symbols ?? []).map((symbol) => {
      const entry = new Uint8Array(SYMBOL_SIZE);
      const view = viewOf(entry);
      view.setUint8(4, (STB_GLOBAL << 4) | STT_FUNC);
      view.setUint16(6, textIndex, true);
      setU64(view, 8, symbol.address);
      setU64(view, 16, symbol.size);
      return { name: symbol.name, entry, view };
    });
    const strings = contents.get(image.sections[table].link)!;
    let at = strings.length;
    for (const { name, view } of symbols) {
      view.setUint32(0, at, true);
      at += ascii(name).length + 1;
    }
    contents.set(image.sections[table].link, concat(strings, ascii(symbols.map((s) => `${s.name}\0`).join(''))));
    contents.set(table, concat(contents.get(table)!, ...symbols.map((s) => s.entry)));
  }
  const places = new Map<number, FileOffset>();
  let at = segment.end;
  for (const index of layout.moving) {
    at = alignUp(at, Math.max(1, Math.min(image.sections[index].align, PAGE)));
    places.set(index, at);
    const header = viewOf(headers[index]);
    setU64(header, 24, at);
    setU64(header, 32, contents.get(index)!.length);
    at += contents.get(index)!.length;
  }
  const headersAt = alignUp(at, 8);
  return {
    size: headersAt + headers.length * SECTION_HEADER_SIZE,
    moved(offset) {
      for (const [index, place] of places) {
        const section = image.sections[index];
        if (offset >= section.offset && offset < section.offset + section.size)
          return place + (offset - section.offset);
      }
      return offset;
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

const STB_GLOBAL = 1;
const STT_FUNC = 2;

function applyPatch(out: Uint8Array, image: Image, patch: Patch): void {
  const { address, bytes } = patch;
  const segment = image.segments.find(
    (s) => address >= s.address && address + bytes.length <= s.address + s.bytes.length,
  );
  if (!segment) throw internal('a patch outside the file', address);
  out.set(bytes, segment.offset + (address - segment.address));
}

function findNote(image: Image) {
  for (const segment of image.segments) {
    const { bytes, address } = segment;
    if (!segment.flags.execute || bytes.length < NOTE_SIZE) continue;
    const view = viewOf(bytes);
    if (view.getUint32(0, true) !== NOTE_NAME.length || view.getUint32(4, true) !== NOTE_DESCRIPTION) continue;
    if (!ascii(NOTE_NAME).every((byte, i) => bytes[12 + i] === byte)) continue;
    if (view.getUint32(20, true) !== NOTE_VERSION)
      throw unsupported(`${image.file}: was optimized by another version of isoform`);
    const [mapOffset, mapSize, codeOffset, codeSize] = [24, 32, 40, 48].map((at) => getU64(view, at));
    if (mapOffset + mapSize > bytes.length || codeOffset + codeSize > bytes.length)
      throw unsupported(`${image.file}: its isoform note is damaged`);
    return { address, bytes, mapOffset, mapSize, codeOffset, codeSize };
  }
  return undefined;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const setU64 = (view: DataView, at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
/** Consecutive 64-bit fields. */
function setFields(view: DataView, at: number, values: readonly number[]): void {
  for (const [index, value] of values.entries()) setU64(view, at + 8 * index, value);
}
const getU64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
