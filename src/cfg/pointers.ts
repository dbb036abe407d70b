/** Whole code addresses that an image shows: words of its data, and constants that its code makes. */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { codeOf } from '../profile/code.ts';
import { imageConstants } from './constants.ts';
import { codePlaces } from './places.ts';

export interface CodePointer {
  /** The address of the word that holds the pointer; undefined for a pointer that code makes. */
  readonly word: Addr | undefined;
  /** A code address; a pointer's lowest bit is ignored, as by jumps. */
  readonly to: Addr;
  /** The pointer has four bytes: many such words are mere numbers. */
  readonly narrow: boolean;
}

const known = new WeakMap<Image, readonly CodePointer[]>();

/** All pointers to code: at any place of the data, in words aligned to eight bytes of the code, and constants that code makes. */
export function wholePointers(image: Image): readonly CodePointer[] {
  let pointers = known.get(image);
  if (pointers === undefined) {
    pointers = findPointers(image);
    known.set(image, pointers);
  }
  return pointers;
}

function findPointers(image: Image): CodePointer[] {
  const places = codePlaces(image);
  const isCode = (address: Addr) => places.some(({ start, end }) => address >= start && address < end);
  const [low, high] = [Math.min(...places.map(({ start }) => start)), Math.max(...places.map(({ end }) => end))];
  const found: CodePointer[] = [];
  const add = (word: Addr | undefined, value: number, narrow = false) => {
    if (value >= low && value < high && isCode(value)) found.push({ word, to: value - (value % 2), narrow });
  };
  const { ranges } = codeOf(image);
  for (const { address, bytes } of image.segments) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const holdsCode = ranges.some(({ start, end }) => start < address + bytes.length && address < end);
    for (let at = 0; at + 4 <= bytes.length; at++) {
      const value = view.getUint32(at, true);
      if (value < low || value >= high) continue;
      const here = address + at;
      if (holdsCode && here % 8 !== 0 && isCode(here)) continue;
      // Position-independent programs hold no 32-bit addresses.
      const wide = at + 8 <= bytes.length && view.getUint32(at + 4, true) === 0;
      if (wide || (!image.relocatable && here % 4 === 0 && !isCode(here))) add(here, value, !wide);
    }
  }
  for (const { value, whole } of imageConstants(image).all) if (whole) add(undefined, value);
  return found;
}
