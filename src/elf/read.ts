/**
 * Reads an ELF executable and checks everything that loading relies on. Whatever the bytes, the result is an Image or one IsoformError:
 * every offset is checked against the file before it is used, and no memory is allocated by a size that the file merely claims.
 *
 * Sections and symbols are not needed for loading; broken sections or symbols are left out (empty), since a kernel ignores them, too.
 */

import { badElf, needsInterpreter, unsupported, wrongArchitecture } from '../base/errors.ts';
import { once } from '../base/once.ts';
import { readRegular } from '../base/read.ts';
import { type Addr, PAGE } from '../base/units.ts';
import {
  EF_RISCV,
  ELF_HEADER_SIZE,
  EM_RISCV,
  ET,
  PF,
  PROGRAM_HEADER_SIZE,
  PT,
  SECTION_HEADER_SIZE,
  SHN,
  SHT,
  STT,
  SYMBOL_SIZE,
} from './constants.ts';
import type { ElfSymbol, Image, ProgramHeader, SectionHeader, Segment } from './image.ts';

/** Linux refuses a program header table of more than 64 KiB (fs/binfmt_elf.c, load_elf_phdrs). */
const MAX_PROGRAM_HEADERS = Math.floor(65536 / PROGRAM_HEADER_SIZE);
/** The end of Sv48 user space; addresses above can never be mapped. */
const ADDRESS_LIMIT: Addr = 2 ** 47;

const MACHINES: Readonly<Record<number, string>> = {
  2: 'SPARC',
  3: 'x86 (32-bit)',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'PowerPC64',
  22: 'S/390',
  40: 'ARM (32-bit)',
  43: 'SPARC64',
  62: 'x86-64',
  183: 'AArch64',
  247: 'BPF',
  258: 'LoongArch',
};

/** Reads an executable from disk. Throws IsoformError (cannot-read, bad-elf, wrong-architecture, needs-interpreter, unsupported). */
export const readImage = (file: string): Image => parseImage(readRegular(file), file);

/** Parses an executable. The bytes are kept, not copied: the caller must not change them. Throws as readImage does. */
export function parseImage(bytes: Uint8Array, file: string): Image {
  const reader = makeReader(bytes, file);
  const header = checkHeader(reader);
  const programHeaders = readProgramHeaders(reader, header);
  for (const { type, offset, fileSize } of programHeaders)
    if (type === PT.INTERP) throw needsInterpreter(file, interpreterName(bytes, offset, fileSize));
  const segments = makeSegments(reader, programHeaders);
  const { entry } = header;
  if (entry === 0) throw badElf(file, 'it has no entry point (a shared library?)');
  if (entry % 2 !== 0) throw badElf(file, 'the entry point is odd', entry);
  if (!segments.some((s) => s.flags.execute && entry >= s.address && entry + 2 <= s.address + s.bytes.length))
    throw badElf(file, 'the entry point is in no executable segment', entry);
  const sections = readSections(reader, header);
  const last = segments[segments.length - 1]!;
  // A run needs neither hash nor symbols, and both take time: loading node:crypto takes half as long as loading Node itself.
  const hash = once(() => process.getBuiltinModule('node:crypto').createHash('sha256').update(bytes).digest('hex'));
  const symbols = once(() => readSymbols(reader, sections));
  return {
    file,
    bytes,
    get hash() {
      return hash();
    },
    relocatable: header.type === ET.DYN,
    entry,
    programHeaders,
    programHeaderOffset: header.programHeaderOffset,
    segments,
    sections,
    get symbols() {
      return symbols();
    },
    end: last.address + last.size,
  };
}

interface Reader {
  readonly bytes: Uint8Array;
  readonly file: string;
  u16(at: number): number;
  u32(at: number): number;
  /** A 64-bit field as a number; a value beyond 2^53 is rounded, and still too large for any check it meets. */
  u64(at: number): number;
}

function makeReader(bytes: Uint8Array, file: string): Reader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    bytes,
    file,
    u16: (at) => view.getUint16(at, true),
    u32: (at) => view.getUint32(at, true),
    u64: (at) => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32,
  };
}

interface Header {
  readonly type: number;
  readonly entry: Addr;
  readonly programHeaderOffset: number;
  readonly programHeaderCount: number;
  readonly sectionOffset: number;
  readonly sectionEntrySize: number;
  readonly sectionCount: number;
  readonly sectionNames: number;
}

function checkHeader(r: Reader): Header {
  const { bytes, file } = r;
  if (bytes.length < 20 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46)
    throw badElf(file, bytes.length === 0 ? 'it is empty' : 'it does not begin with an ELF header');
  const [elfClass, order] = [bytes[4], bytes[5]];
  if (elfClass !== 1 && elfClass !== 2) throw badElf(file, `unknown ELF class ${elfClass}`);
  if (order !== 1 && order !== 2) throw badElf(file, `unknown byte order ${order}`);
  const machine = order === 1 ? r.u16(18) : (bytes[18]! << 8) | bytes[19]!;
  if (machine !== EM_RISCV) throw wrongArchitecture(file, MACHINES[machine] ?? `machine number ${machine}`);
  if (elfClass === 1) throw wrongArchitecture(file, '32-bit RISC-V');
  if (order === 2) throw wrongArchitecture(file, 'big-endian RISC-V');
  if (bytes.length < ELF_HEADER_SIZE) throw badElf(file, 'the ELF header is cut off');
  if (bytes[6] !== 1 || r.u32(20) !== 1) throw badElf(file, 'unknown ELF version');
  const type = r.u16(16);
  if (type === ET.REL) throw badElf(file, 'it is an object file that has not been linked');
  if (type === ET.CORE) throw badElf(file, 'it is a core dump');
  if (type !== ET.EXEC && type !== ET.DYN) throw badElf(file, `unknown ELF type ${type}`);
  const flags = r.u32(48);
  if (flags & EF_RISCV.RVE) throw wrongArchitecture(file, 'the RV64E base instruction set');
  if ((flags & EF_RISCV.FLOAT_ABI) === EF_RISCV.FLOAT_ABI_QUAD)
    throw unsupported(`${file}: uses the 128-bit floating-point ABI`, 'build it with -mabi=lp64d');
  if (r.u16(52) !== ELF_HEADER_SIZE) throw badElf(file, `the ELF header claims ${r.u16(52)} bytes`);
  return {
    type,
    entry: r.u64(24),
    programHeaderOffset: r.u64(32),
    programHeaderCount: r.u16(56),
    sectionOffset: r.u64(40),
    sectionEntrySize: r.u16(58),
    sectionCount: r.u16(60),
    sectionNames: r.u16(62),
  };
}

function readProgramHeaders(r: Reader, header: Header): ProgramHeader[] {
  const { bytes, file } = r;
  const { programHeaderOffset: start, programHeaderCount: count } = header;
  if (count === 0) throw badElf(file, 'it has no program headers');
  if (r.u16(54) !== PROGRAM_HEADER_SIZE) throw badElf(file, `program headers of ${r.u16(54)} bytes`);
  if (count > MAX_PROGRAM_HEADERS) throw badElf(file, `${count} program headers; ${MAX_PROGRAM_HEADERS} are the most`);
  if (start + count * PROGRAM_HEADER_SIZE > bytes.length)
    throw badElf(file, 'the program headers lie outside the file');
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * PROGRAM_HEADER_SIZE;
    return {
      type: r.u32(at),
      flags: r.u32(at + 4),
      offset: r.u64(at + 8),
      vaddr: r.u64(at + 16),
      paddr: r.u64(at + 24),
      fileSize: r.u64(at + 32),
      memSize: r.u64(at + 40),
      align: r.u64(at + 48),
    };
  });
}

function makeSegments(r: Reader, headers: readonly ProgramHeader[]): Segment[] {
  const { bytes, file } = r;
  const segments: Segment[] = [];
  for (const h of headers) {
    if (h.type !== PT.LOAD || h.memSize === 0) continue;
    if (h.fileSize > h.memSize) throw badElf(file, 'a segment is larger in the file than in memory', h.vaddr);
    if (h.offset + h.fileSize > bytes.length) throw badElf(file, 'a segment lies outside the file', h.vaddr);
    if (h.vaddr + h.memSize > ADDRESS_LIMIT) throw badElf(file, 'a segment ends beyond the address space', h.vaddr);
    // Linux maps whole pages of the file, so address and offset must agree within a page (binfmt_elf.c, elf_map).
    if (h.fileSize > 0 && h.vaddr % PAGE !== h.offset % PAGE)
      throw badElf(file, 'a segment whose address and file offset differ within a page', h.vaddr);
    segments.push({
      address: h.vaddr,
      size: h.memSize,
      bytes: bytes.subarray(h.offset, h.offset + h.fileSize),
      offset: h.offset,
      flags: {
        read: (h.flags & PF.READ) !== 0,
        write: (h.flags & PF.WRITE) !== 0,
        execute: (h.flags & PF.EXECUTE) !== 0,
      },
    });
  }
  if (segments.length === 0) throw badElf(file, 'it has nothing to load');
  segments.sort((a, b) => a.address - b.address);
  for (let i = 1; i < segments.length; i++)
    if (segments[i - 1]!.address + segments[i - 1]!.size > segments[i]!.address)
      throw badElf(file, 'two segments overlap', segments[i]!.address);
  return segments;
}

const utf8 = new TextDecoder();

function interpreterName(bytes: Uint8Array, offset: number, size: number): string {
  const raw = bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + Math.min(size, 256), bytes.length));
  const end = raw.indexOf(0);
  const name = utf8.decode(end < 0 ? raw : raw.subarray(0, end));
  // The name goes into a one-line message: a name that would break the line or the terminal is left out.
  const printable = [...name].every((c) => c >= ' ' && c !== '\x7f');
  return name !== '' && printable ? name : 'a program interpreter';
}

function readSections(r: Reader, header: Header): SectionHeader[] {
  const { bytes } = r;
  const { sectionOffset: start, sectionEntrySize } = header;
  if (start === 0 || sectionEntrySize !== SECTION_HEADER_SIZE || start + SECTION_HEADER_SIZE > bytes.length) return [];
  // Counts that do not fit in the header are in section 0 (gABI, "Extended section numbering").
  const count = header.sectionCount === 0 ? r.u64(start + 32) : header.sectionCount;
  const namesIndex = header.sectionNames === 0xffff ? r.u32(start + 40) : header.sectionNames;
  if (start + count * SECTION_HEADER_SIZE > bytes.length || namesIndex >= count) return [];
  const namesAt = start + namesIndex * SECTION_HEADER_SIZE;
  const names = makeStrings(bytes, r.u64(namesAt + 24), r.u64(namesAt + 32));
  const sections: SectionHeader[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * SECTION_HEADER_SIZE;
    const name = names(r.u32(at));
    if (name === undefined) return [];
    const section = {
      name,
      type: r.u32(at + 4),
      flags: r.u64(at + 8),
      address: r.u64(at + 16),
      offset: r.u64(at + 24),
      size: r.u64(at + 32),
      link: r.u32(at + 40),
      info: r.u32(at + 44),
      align: r.u64(at + 48),
      entrySize: r.u64(at + 56),
    };
    const bytesless = section.type === SHT.NOBITS || section.type === SHT.NULL;
    if (!bytesless && section.offset + section.size > bytes.length) return [];
    sections.push(section);
  }
  return sections;
}

function readSymbols(r: Reader, sections: readonly SectionHeader[]): ElfSymbol[] {
  const table = sections.find((s) => s.type === SHT.SYMTAB) ?? sections.find((s) => s.type === SHT.DYNSYM);
  const strings = table && sections[table.link];
  if (!table || !strings || strings.type !== SHT.STRTAB || table.entrySize !== SYMBOL_SIZE) return [];
  const names = makeStrings(r.bytes, strings.offset, strings.size);
  const symbols: ElfSymbol[] = [];
  for (let at = table.offset; at + SYMBOL_SIZE <= table.offset + table.size; at += SYMBOL_SIZE) {
    const info = r.bytes[at + 4]!;
    const type = info & 15;
    const section = r.u16(at + 6);
    // The value of a TLS symbol is an offset in the TLS block, not an address.
    if (section === SHN.UNDEF || type === STT.FILE || type === STT.SECTION || type === STT.TLS) continue;
    const name = names(r.u32(at));
    if (name === undefined) return [];
    if (name === '') continue;
    symbols.push({
      name,
      address: r.u64(at + 8),
      size: r.u64(at + 16),
      kind: type === STT.FUNC ? 'function' : type === STT.OBJECT ? 'object' : 'other',
      global: info >> 4 !== 0,
      section,
    });
  }
  return symbols.sort((a, b) => a.address - b.address || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/**
 * Names in a string table by offset; undefined if the table is broken. Names may share their ends, so a hostile table could make
 * the names' total length quadratic in the file's: past a fixed multiple of the table's size, the table counts as broken.
 */
function makeStrings(bytes: Uint8Array, offset: number, size: number): (at: number) => string | undefined {
  if (offset + size > bytes.length) return () => undefined;
  const table = bytes.subarray(offset, offset + size);
  const known = new Map<number, string>();
  let allowance = 64 * size + 4096;
  return (at) => {
    const hit = known.get(at);
    if (hit !== undefined) return hit;
    if (at >= table.length || allowance < 0) return at === 0 && size === 0 ? '' : undefined;
    const end = table.indexOf(0, at);
    if (end < 0) return undefined;
    allowance -= end - at;
    const name = utf8.decode(table.subarray(at, end));
    known.set(at, name);
    return name;
  };
}
