/** Whole code addresses that an image shows: words of its data, and constants that its code makes. */
import { derived } from '../base/derived.ts';
import type { Addr } from '../base/units.ts';
import { codeOf } from '../code/code.ts';
import { imageConstants } from '../code/constants.ts';
import { codePlaces } from '../code/places.ts';
import type { Image } from '../elf/image.ts';

/**
 * The addresses that pointers to code lead to; a pointer's lowest bit is ignored, as by jumps. Pointers are words of eight bytes at any
 * place of the data; aligned words of four bytes, unless the image can be relocated; in code, where data may lie too, aligned even words;
 * and constants. Some are mere numbers.
 */
export const pointerTargets = derived('pointer targets', findTargets);

function findTargets(image: Image): ReadonlySet<Addr> {
  const places = codePlaces(image);
  const isCode = (address: Addr) => places.some(({ start, end }) => address >= start && address < end);
  const [low, high] = [Math.min(...places.map(({ start }) => start)), Math.max(...places.map(({ end }) => end))];
  const found = new Set<Addr>();
  const add = (value: number) => {
    if (isCode(value)) found.add(value - (value % 2));
  };
  const { ranges } = codeOf(image);
  for (const { address, bytes } of image.segments) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const holdsCode = ranges.some(({ start, end }) => start < address + bytes.length && address < end);
    for (let at = 0; at + 4 <= bytes.length; at++) {
      const value = view.getUint32(at, true);
      if (value < low || value >= high) continue;
      const here = address + at;
      const inCode = holdsCode && isCode(here);
      const wide = at + 8 <= bytes.length && view.getUint32(at + 4, true) === 0;
      const aligned = here % 4 === 0;
      if (inCode ? aligned && value % 2 === 0 && (wide || !image.relocatable) : wide || (aligned && !image.relocatable))
        add(value);
    }
  }
  for (const { value, whole } of imageConstants(image).all) if (whole) add(value);
  return found;
}
