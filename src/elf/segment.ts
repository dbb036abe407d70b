/**
 * The new segment: its parts, and how they are found again. The segment begins with an ELF note that says where the other parts
 * are, so that the address map is found by address alone and survives `strip`. All parts are in sections of their own, because
 * objcopy drops bytes that are in no section.
 */
import { alignUp } from '../base/bits.ts';
import { internal, unsupported } from '../base/errors.ts';
import type { Addr, ByteCount } from '../base/units.ts';
import { SHT } from './constants.ts';
import { ascii, getU64, setFields, viewOf } from './fields.ts';
import type { Image } from './image.ts';

export const SHF = { ALLOC: 2, EXECUTE: 4 } as const;

/**
 * Elf64_Nhdr, the name `isoform\0`, and the description: version, offset and size of map and code, from the segment's start, and 8 bytes
 * of zeros.
 */
const NOTE_NAME = 'isoform\0';
const NOTE_TYPE = 1;
const NOTE_VERSION = 2;
const NOTE_DESCRIPTION = 44;
/** Bytes before the code. */
export const NOTE_SIZE = 12 + NOTE_NAME.length + NOTE_DESCRIPTION;

export interface Patch {
  readonly address: Addr;
  readonly bytes: Uint8Array;
}

/** Unwind tables for the new code, as unwind/ makes them. */
export interface UnwindPart {
  /** The address of `bytes`, behind the code. */
  readonly address: Addr;
  readonly bytes: Uint8Array;
  /** Changes in the original tables, by which unwinders find the new tables. */
  readonly patches: readonly Patch[];
  /** The address of the new table for PT_GNU_EH_FRAME, only for an image with that header. The table ends where `bytes` end. */
  readonly header: Addr | undefined;
  /** The end of the original .eh_frame, which no longer reads as part of that section and gets a section of its own. */
  readonly link: { readonly address: Addr; readonly size: ByteCount } | undefined;
}

export interface SegmentRequest {
  /** Must be `nextSegmentAddress(image)`. */
  readonly address: Addr;
  readonly code: Uint8Array;
  /** Changes of loaded file bytes of the original. Patches may not overlap. */
  readonly patches: readonly Patch[];
  /** The address map; `readNote` gives it back. */
  readonly map: Uint8Array;
  readonly unwind?: UnwindPart | undefined;
  /** Extensions that the new code needs beyond the image's own; they are added to the image's attributes, if there are any. */
  readonly extensions?: readonly string[];
  /** Names for places in the code; written when the image has a symbol table. */
  readonly symbols?: readonly { readonly name: string; readonly address: Addr; readonly size: ByteCount }[];
}

export interface Parts {
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

export function segmentParts(request: SegmentRequest, base: Addr): Parts {
  const { address, code, unwind, map } = request;
  const codeEnd = address + code.length;
  if (unwind && unwind.address < codeEnd) throw internal('unwind tables overlap the code', unwind.address);
  const mapAt = alignUp(unwind ? unwind.address + unwind.bytes.length : codeEnd, 8);
  const note = noteBytes({
    mapOffset: mapAt - base,
    mapSize: map.length,
    codeOffset: address - base,
    codeSize: code.length,
  });
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

/** Offsets and sizes of map and code, from the segment's start. */
interface NoteParts {
  readonly mapOffset: ByteCount;
  readonly mapSize: ByteCount;
  readonly codeOffset: ByteCount;
  readonly codeSize: ByteCount;
}

/** The bytes of the note. */
export function noteBytes({ mapOffset, mapSize, codeOffset, codeSize }: NoteParts): Uint8Array {
  const note = new Uint8Array(NOTE_SIZE);
  const view = viewOf(note);
  view.setUint32(0, NOTE_NAME.length, true);
  view.setUint32(4, NOTE_DESCRIPTION, true);
  view.setUint32(8, NOTE_TYPE, true);
  note.set(ascii(NOTE_NAME), 12);
  view.setUint32(20, NOTE_VERSION, true);
  setFields(view, 24, [mapOffset, mapSize, codeOffset, codeSize]);
  return note;
}

/** The address map of an optimized image, or undefined for any other image. Section names play no part. */
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

/** The parts of an optimized image; undefined for any other image. Throws unsupported for a damaged note, or one of another version. */
export function findNote(image: Image) {
  for (const segment of image.segments) {
    const { bytes, address } = segment;
    if (!segment.flags.execute || bytes.length < NOTE_SIZE) continue;
    const view = viewOf(bytes);
    const kind = [NOTE_NAME.length, NOTE_DESCRIPTION, NOTE_TYPE];
    if (kind.some((field, i) => view.getUint32(4 * i, true) !== field)) continue;
    if (!ascii(NOTE_NAME).every((byte, i) => bytes[12 + i] === byte)) continue;
    if (view.getUint32(20, true) !== NOTE_VERSION)
      throw unsupported(`${image.file}: was optimized by another version of isoform`);
    const [mapOffset, mapSize, codeOffset, codeSize] = [24, 32, 40, 48].map((at) => getU64(view, at)) as [
      number,
      number,
      number,
      number,
    ];
    if (mapOffset + mapSize > bytes.length || codeOffset + codeSize > bytes.length)
      throw unsupported(`${image.file}: its isoform note is damaged`);
    return { address, bytes, mapOffset, mapSize, codeOffset, codeSize };
  }
  return undefined;
}
