/**
 * Decidable parts of assumptions. Of A2: nothing in the original is seen to come into the middle of a patch, whatever the profile saw. What a program
 * computes so that no look at its code and data shows it is assumed not to lead there.
 */
import { type Addr, type ByteCount, hex } from '../../base/units.ts';
import type { Image } from '../../elf/image.ts';
import { imageEntries } from '../../emit/entries.ts';

/** Why a patch may not lie there; undefined if nothing speaks against it. */
export function enteredWithin(original: Image, address: Addr, size: ByteCount): string | undefined {
  const at = imageEntries(original).into(address, size);
  if (at === undefined) return undefined;
  return at === address
    ? `an instruction of the original reaches into it from before`
    : `the original is entered at ${hex(at)}, in its middle`;
}

/** The decidable part of A7: is something in the original seen to return elsewhere than to a return point, but near one? */
export const returnsBehind = (original: Image): boolean => imageEntries(original).returnsBehind;
