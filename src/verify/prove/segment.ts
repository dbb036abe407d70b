/**
 * The layout of the new segment: a note, the code, frame descriptions, the address map, and perhaps the program headers, each at its
 * required place; bytes between map and headers are zero. The contents of code, descriptions, map and headers are checked elsewhere.
 */
import { alignUp } from '../../base/bits.ts';
import type { Image } from '../../elf/image.ts';
import { findNote, NOTE_SIZE, noteBytes } from '../../elf/segment.ts';
import { tableOf } from './headers.ts';

export function segmentProblems(original: Image, optimized: Image): string[] {
  const note = findNote(optimized);
  const segment = optimized.segments.at(-1)!;
  if (note === undefined || note.address !== segment.address) return ['its note is not in the new segment'];
  const { bytes, codeOffset, codeSize, mapOffset, mapSize } = note;
  const problems: string[] = [];
  if (!noteBytes(note).every((byte, at) => bytes[at] === byte)) problems.push('its note is damaged');
  const codeEnd = codeOffset + codeSize;
  const mapEnd = mapOffset + mapSize;
  if (codeOffset !== NOTE_SIZE || mapOffset < codeEnd || mapOffset % 8 !== 0)
    problems.push('code and map are not where they belong');
  let end = mapEnd;
  if (optimized.programHeaderOffset !== original.programHeaderOffset) {
    const [from, to] = tableOf(optimized);
    const table = from - segment.offset;
    if (table !== alignUp(mapEnd, 8)) problems.push('the program headers are not behind the map');
    else if (bytes.subarray(mapEnd, table).some((byte) => byte !== 0)) problems.push('something is behind the map');
    end = to - segment.offset;
  }
  if (bytes.length !== end) problems.push('something else is in the new segment');
  return problems;
}
