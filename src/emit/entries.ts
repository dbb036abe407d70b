/** Entries that an image shows: those of its code, and the landing pads that its unwind tables tell of. */
import { type Entries, findEntries } from '../cfg/entries.ts';
import type { Image } from '../elf/image.ts';
import { landingPads } from './unwind/index.ts';

const known = new WeakMap<Image, Entries>();

export function imageEntries(image: Image): Entries {
  let entries = known.get(image);
  if (entries === undefined) {
    entries = findEntries(image, landingPads(image));
    known.set(image, entries);
  }
  return entries;
}
