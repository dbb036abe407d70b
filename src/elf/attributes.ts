/**
 * RISC-V build attributes (RISC-V ELF psABI, chapter "Attributes"): 'A', then per vendor a length, its name, and subsections; the
 * subsection for the whole file has a tag with the architecture as a string, which emulators, debuggers and disassemblers go by.
 */
import { concat } from '../base/bits.ts';
import { ascii } from './fields.ts';

const FORMAT = 0x41;
const VENDOR = 'riscv\0';
const TAG_FILE = 1;
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

/** The contents of a section of attributes with more extensions in its architecture; unchanged if no architecture is found. */
export function withExtensions(section: Uint8Array, extensions: readonly string[]): Uint8Array {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  const file = 5 + VENDOR.length;
  const plain =
    section.length >= file + 5 &&
    section[0] === FORMAT &&
    ascii(VENDOR).every((byte, i) => section[5 + i] === byte) &&
    section[file] === TAG_FILE;
  if (!plain || extensions.length === 0) return section;
  const end = file + view.getUint32(file + 1, true);
  for (let at = file + 5; at < Math.min(end, section.length); ) {
    const { value: tag, next } = leb(section, at);
    if (tag % 2 === 0) {
      at = leb(section, next).next;
      continue;
    }
    const stop = section.indexOf(0, next);
    if (stop < 0) return section;
    if (tag === TAG_ARCH) {
      const arch = archWith(String.fromCharCode(...section.subarray(next, stop)), extensions);
      const out = concat(section.subarray(0, next), ascii(arch), section.subarray(stop));
      const grown = out.length - section.length;
      const changed = new DataView(out.buffer, out.byteOffset);
      for (const length of [1, file + 1]) changed.setUint32(length, view.getUint32(length, true) + grown, true);
      return out;
    }
    at = stop + 1;
  }
  return section;
}
