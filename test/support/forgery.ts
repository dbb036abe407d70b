/** Optimized files taken apart and put together again otherwise: what somebody can do who wants a wrong file to look right. */
import { alignUp } from '../../src/base/bits.ts';
import type { Addr } from '../../src/base/units.ts';
import { PROGRAM_HEADER_SIZE, PT } from '../../src/elf/constants.ts';
import { getU64, setU64, viewOf } from '../../src/elf/fields.ts';
import type { Image, ProgramHeader } from '../../src/elf/image.ts';
import { parseImage } from '../../src/elf/read.ts';
import { findNote, NOTE_SIZE, noteBytes } from '../../src/elf/segment.ts';
import { type AddressMapData, decodeMap, encodeMap } from '../../src/emit/map.ts';
import { mapOf, type Proof, prove } from '../../src/verify/prove/prove.ts';
import { reasonText } from '../../src/verify/prove/reasons.ts';

/** Offsets of fields in a program header, and their sizes. */
export const FIELDS = {
  type: [0, 4],
  flags: [4, 4],
  offset: [8, 8],
  vaddr: [16, 8],
  paddr: [24, 8],
  fileSize: [32, 8],
  memSize: [40, 8],
  align: [48, 8],
} as const;
export type Field = keyof typeof FIELDS;

export class Forgery {
  readonly original: Image;
  readonly optimized: Image;
  /** The file; what is not loaded may be written over. */
  bytes: Uint8Array;
  map: AddressMapData;
  /** Frame descriptions and what else is between code and map. */
  tables: Uint8Array;
  #mapChanged = false;

  constructor(original: Image, optimized: Image) {
    this.original = original;
    this.optimized = optimized;
    this.bytes = Uint8Array.from(optimized.bytes);
    const { bytes, mapOffset, mapSize, codeOffset, codeSize } = findNote(optimized)!;
    this.map = decodeMap(bytes.subarray(mapOffset, mapOffset + mapSize), 'forged').data;
    this.tables = bytes.slice(codeOffset + codeSize, mapOffset);
  }

  setMap(change: Partial<AddressMapData>): this {
    this.map = { ...this.map, ...change };
    this.#mapChanged = true;
    return this;
  }
  setTables(tables: Uint8Array): this {
    this.tables = tables;
    this.#mapChanged = true;
    return this;
  }

  /** Where in the file what is loaded at an address is; undefined if the file does not hold it. */
  offsetOf(address: Addr): number | undefined {
    const s = this.optimized.segments.find(
      (each) => address >= each.address && address < each.address + each.bytes.length,
    );
    return s && s.offset + (address - s.address);
  }
  write(address: Addr, bytes: Uint8Array): this {
    this.bytes.set(bytes, this.offsetOf(address)!);
    return this;
  }
  read(address: Addr, size: number): Uint8Array {
    const at = this.offsetOf(address)!;
    return this.bytes.slice(at, at + size);
  }
  number(address: Addr, size: 4 | 8, value: number): this {
    const bytes = new Uint8Array(size);
    const view = viewOf(bytes);
    if (size === 8) view.setBigInt64(0, BigInt(value), true);
    else view.setInt32(0, value, true);
    return this.write(address, bytes);
  }

  /** Where the entry of a program header is in the file. */
  entryAt(index: number): number {
    return this.optimized.programHeaderOffset + index * PROGRAM_HEADER_SIZE;
  }
  indexOf(wanted: (header: ProgramHeader) => boolean): number {
    return this.optimized.programHeaders.findIndex(wanted);
  }
  setField(index: number, field: Field, value: bigint): this {
    const [at, size] = FIELDS[field];
    const view = viewOf(this.bytes);
    if (size === 4) view.setUint32(this.entryAt(index) + at, Number(value & 0xffffffffn), true);
    else view.setBigUint64(this.entryAt(index) + at, value, true);
    return this;
  }
  fieldOf(index: number, field: Field): bigint {
    const [at, size] = FIELDS[field];
    const view = viewOf(this.bytes);
    return size === 4
      ? BigInt(view.getUint32(this.entryAt(index) + at, true))
      : view.getBigUint64(this.entryAt(index) + at, true);
  }

  /** The whole file. */
  file(): Uint8Array {
    if (!this.#mapChanged) return this.bytes;
    const { optimized, original } = this;
    const note = findNote(optimized)!;
    const segment = optimized.segments.find(({ address }) => address === note.address)!;
    const codeEnd = note.codeOffset + note.codeSize;
    const map = encodeMap(this.map);
    const mapOffset = alignUp(codeEnd + this.tables.length, 8);
    let end = mapOffset + map.length;
    const moved = optimized.programHeaderOffset !== original.programHeaderOffset;
    const tableSize = optimized.programHeaders.length * PROGRAM_HEADER_SIZE;
    const table = alignUp(end, 8);
    if (moved) end = table + tableSize;
    const headers = this.bytes.slice(optimized.programHeaderOffset, optimized.programHeaderOffset + tableSize);
    const out = new Uint8Array(Math.max(this.bytes.length, segment.offset + end));
    out.set(this.bytes);
    out.fill(0, segment.offset + codeEnd, segment.offset + Math.max(end, segment.bytes.length));
    out.set(
      noteBytes({ mapOffset, mapSize: map.length, codeOffset: NOTE_SIZE, codeSize: note.codeSize }),
      segment.offset,
    );
    out.set(this.tables, segment.offset + codeEnd);
    out.set(map, segment.offset + mapOffset);
    const at = moved ? segment.offset + table : optimized.programHeaderOffset;
    out.set(headers, at);
    const view = viewOf(out);
    setU64(view, 32, at);
    for (const [index, { type, vaddr }] of optimized.programHeaders.entries()) {
      const entry = at + index * PROGRAM_HEADER_SIZE;
      if (type === PT.LOAD && vaddr === segment.address && getU64(view, entry + 32) === segment.bytes.length)
        for (const field of [32, 40]) setU64(view, entry + field, end);
      if (moved && type === PT.PHDR) {
        setU64(view, entry + 8, at);
        for (const field of [16, 24]) setU64(view, entry + field, segment.address + table);
      }
    }
    return out;
  }
}

/** What `isoform prove` says of a file: reasons why it is not proved, none if it is. A file that cannot be read is not. */
export function doubts(original: Image, bytes: Uint8Array, options: Parameters<typeof prove>[3] = {}): string[] {
  let proof: Proof;
  try {
    const image = parseImage(bytes, 'forged');
    proof = prove(original, image, mapOf(original, image), options);
  } catch (error) {
    if ((error as Error).name !== 'IsoformError') throw error;
    return [(error as Error).message];
  }
  const open = proof.superblocks.filter(({ verdict }) => verdict !== 'proved');
  return [
    ...proof.file.flatMap(({ problems }) => problems),
    ...open.map(({ reason }) => (reason === undefined ? 'not proved' : reasonText(reason))),
  ];
}
