/**
 * The bytes that loading puts into memory. A loader maps whole pages of the file: the bytes before a segment's first byte in its page,
 * and behind its last byte, are mapped too, except that a writable segment is zeroed from its bss on. All mapped bytes must be as they
 * were, but for patches and the file's headers, which other files check (`file.ts`, `headers.ts`).
 */

import { alignDown, alignUp } from '../../base/bits.ts';
import { type Addr, type ByteCount, hex, PAGE } from '../../base/units.ts';
import { appended } from '../../elf/appended.ts';
import { ELF_HEADER_SIZE, PF, PROGRAM_HEADER_SIZE, PT } from '../../elf/constants.ts';
import type { Image, ProgramHeader } from '../../elf/image.ts';
import type { AddressMapData } from '../../emit/map.ts';
import { tableOf } from './headers.ts';

/** Bytes of the file that a segment brings into memory: [from, to). */
export function mappedBytes({ offset, fileSize, memSize, flags }: ProgramHeader): readonly [number, number] {
  const end = offset + fileSize;
  const zeroed = memSize > fileSize && (flags & PF.WRITE) !== 0;
  return [alignDown(offset, PAGE), zeroed ? end : alignUp(end, PAGE)];
}

/** Checks that every mapped byte of the original is as it was, but for patches and the file's own headers. */
export function byteProblems(
  original: Image,
  optimized: Image,
  patches: AddressMapData['patches'],
): { readonly checked: number; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const changed = patchedOffsets(original, patches);
  const [from, to] = tableOf(optimized);
  for (const [address, size] of patches)
    if (mappings(original, address, size) > 1) problems.push(`the patch at ${hex(address)} is loaded more than once`);
  const inPlace = optimized.programHeaderOffset === original.programHeaderOffset;
  if (inPlace) problems.push(...growthProblems(original, to));
  let bytes = 0;
  for (const header of original.programHeaders) {
    if (header.type !== PT.LOAD || header.fileSize === 0) continue;
    const [first, end] = mappedBytes(header);
    bytes += end - first;
    for (let at = first; at < end; at++) {
      // Behind the end of a file its last page holds zeros.
      if ((original.bytes[at] ?? 0) === (optimized.bytes[at] ?? 0)) continue;
      if (changed.has(at) || at < ELF_HEADER_SIZE || (inPlace && at >= from && at < to)) continue;
      problems.push(`the byte at ${hex(header.vaddr + (at - header.offset))} has changed`);
      break;
    }
  }
  return { checked: bytes, problems };
}

/** Checks the data appended to the original (an archive, or nothing): at the end and at the old offset a program must find it again. */
export function endProblems(original: Image, optimized: Image): string[] {
  const was = appended(original);
  if (Buffer.compare(was, appended(optimized)) !== 0) return ['it does not end with what was appended to the original'];
  const at = original.bytes.length - was.length;
  const stays = Buffer.compare(was, optimized.bytes.subarray(at, original.bytes.length)) === 0;
  return stays ? [] : ['what was appended to the original is not where it was'];
}

/** The number of executable mappings of a patch's bytes: at another address its jump would lead elsewhere. */
function mappings(original: Image, address: Addr, size: ByteCount): number {
  const header = original.programHeaders.find(
    ({ type, vaddr, fileSize }) => type === PT.LOAD && address >= vaddr && address + size <= vaddr + fileSize,
  );
  if (header === undefined) return 0;
  const offset = header.offset + (address - header.vaddr);
  return original.programHeaders.filter((each) => {
    const [from, to] = mappedBytes(each);
    return each.type === PT.LOAD && (each.flags & PF.EXECUTE) !== 0 && offset < to && offset + size > from;
  }).length;
}

function patchedOffsets(original: Image, patches: AddressMapData['patches']): ReadonlySet<number> {
  const changed = new Set<number>();
  for (const [address, size] of patches) {
    const segment = original.segments.find((s) => address >= s.address && address + size <= s.address + s.bytes.length);
    if (segment === undefined) continue;
    for (let at: Addr = 0; at < size; at++) changed.add(segment.offset + (address - segment.address) + at);
  }
  return changed;
}

/** Checks that a header table that has grown took unused bytes: zeros that are in no section of the original. */
function growthProblems(original: Image, to: number): string[] {
  const [, end] = tableOf(original);
  if (to <= end) return [];
  const sections = original.sections.filter(({ type, size }) => type !== 0 && size > 0);
  const free =
    to === end + PROGRAM_HEADER_SIZE &&
    sections.length > 0 &&
    !sections.some((s) => s.type !== 8 && s.offset < to && s.offset + s.size > end) &&
    original.bytes.subarray(end, to).every((byte) => byte === 0);
  return free ? [] : ['its program headers have grown over something else'];
}
