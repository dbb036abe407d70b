/** Ranges where code may be: all executable bytes, except bytes of sections that are not executable. */
import { SHT } from '../elf/constants.ts';
import type { Image } from '../elf/image.ts';
import { SHF } from '../elf/segment.ts';
import { type CodeRange, codeOf } from './code.ts';

export function codePlaces(image: Image): readonly CodeRange[] {
  const data = image.sections
    .filter(({ flags, type, size }) => (flags & SHF.ALLOC) !== 0 && type !== SHT.NOBITS && size > 0)
    .filter(({ flags }) => (flags & SHF.EXECUTE) === 0)
    .sort((a, b) => a.address - b.address);
  const places: CodeRange[] = [];
  for (const range of codeOf(image).ranges) {
    let start = range.start;
    for (const { address, size } of data) {
      if (address + size <= start || address >= range.end) continue;
      if (address > start) places.push({ start: even(start), end: address });
      start = address + size;
    }
    if (start < range.end) places.push({ start: even(start), end: range.end });
  }
  return places;
}

const even = (address: number): number => address + (address % 2);
