/**
 * RISC-V build attributes (RISC-V ELF psABI, chapter "Attributes"): 'A', then per vendor a length, its name, and subsections; the
 * subsection for the whole file has a tag with the architecture as a string, which emulators, debuggers and disassemblers go by.
 */
import { concat } from '../base/bits.ts';
import { PT, SHT } from './constants.ts';
import { ascii } from './fields.ts';
import type { Image } from './image.ts';

const FORMAT = 0x41;
const VENDOR = 'riscv\0';
const TAG_FILE = 1;
/** Where the subsection for the whole file begins. */
const FILE = 5 + VENDOR.length;
/** Odd tags are strings, even ones are numbers. */
const TAG_ARCH = 5;
/** The version of each added extension, as ratified. */
const VERSION = '1p0';
/** The order of Z names by second letter (ISA manual, "ISA extension naming conventions"); supervisor and vendor names come last. */
const SECOND_LETTERS = 'imafdqlcbkjtpvnh';

function rank(name: string): number {
  if (name.length === 0 || name.startsWith('rv')) return -1;
  const at = name.startsWith('z') ? SECOND_LETTERS.indexOf(name[1]!) : -1;
  if (at >= 0) return 100 + at;
  return name.startsWith('s') ? 200 : name.startsWith('x') ? 300 : 0;
}

/** `rv64i2p1_m2p0_zicsr2p0` with more extensions, each in its place. */
function archWith(arch: string, extensions: readonly string[]): string {
  const parts = arch.split('_');
  for (const extension of extensions.map((each) => each.toLowerCase())) {
    if (parts.some((part) => part.replace(/\d+p\d+$/, '') === extension)) continue;
    const at = parts.findIndex((part) => {
      const [here, mine] = [rank(part), rank(extension)];
      return here > mine || (here === mine && part > extension);
    });
    parts.splice(at < 0 ? parts.length : at, 0, `${extension}${VERSION}`);
  }
  return parts.join('_');
}

function leb(bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let next = at, shift = 0; ; shift += 7) {
    const byte = bytes[next++] ?? 0;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, next };
  }
}

/** Where the architecture's string is in a section of attributes; undefined if the section is damaged or names none. */
function findArchitecture(section: Uint8Array): { readonly start: number; readonly stop: number } | undefined {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  const plain =
    section.length >= FILE + 5 &&
    section[0] === FORMAT &&
    ascii(VENDOR).every((byte, i) => section[5 + i] === byte) &&
    section[FILE] === TAG_FILE;
  if (!plain) return undefined;
  const end = FILE + view.getUint32(FILE + 1, true);
  for (let at = FILE + 5; at < Math.min(end, section.length); ) {
    const { value: tag, next } = leb(section, at);
    if (tag % 2 === 0) {
      at = leb(section, next).next;
      continue;
    }
    const stop = section.indexOf(0, next);
    if (stop < 0) return undefined;
    if (tag === TAG_ARCH) return { start: next, stop };
    at = stop + 1;
  }
  return undefined;
}

/** The contents of a section of attributes with more extensions in its architecture; unchanged if no architecture is found. */
export function withExtensions(section: Uint8Array, extensions: readonly string[]): Uint8Array {
  const found = extensions.length === 0 ? undefined : findArchitecture(section);
  if (found === undefined) return section;
  const { start, stop } = found;
  const arch = archWith(String.fromCharCode(...section.subarray(start, stop)), extensions);
  const out = concat(section.subarray(0, start), ascii(arch), section.subarray(stop));
  const grown = out.length - section.length;
  const [view, changed] = [section, out].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset));
  for (const length of [1, FILE + 1]) changed!.setUint32(length, view!.getUint32(length, true) + grown, true);
  return out;
}

/** The extensions with names of several letters that an image's attributes name, in lower case: what it was built for. */
export function namedExtensions(image: Image): string[] {
  const place =
    image.programHeaders.find(({ type }) => type === PT.RISCV_ATTRIBUTES) ??
    image.sections.find(({ type }) => type === SHT.RISCV_ATTRIBUTES);
  if (place === undefined) return [];
  const size = 'fileSize' in place ? place.fileSize : place.size;
  const section = image.bytes.subarray(place.offset, place.offset + size);
  const found = findArchitecture(section);
  if (found === undefined) return [];
  const [, ...rest] = String.fromCharCode(...section.subarray(found.start, found.stop)).split('_');
  return rest.map((part) => part.replace(/\d+p\d+$/, '')).filter((name) => name.length > 1);
}
