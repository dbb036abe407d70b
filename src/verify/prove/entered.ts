/**
 * The decidable parts of A2 and A7. A2: no code or data of the original is seen to lead into the middle of a patch, whatever the profile
 * saw. Targets that a program computes without showing them in its code and data are assumed not to lead there.
 */
import type { Addr, ByteCount } from '../../base/units.ts';
import type { Image } from '../../elf/image.ts';
import { imageEntries } from '../../emit/entries.ts';
import type { PatchFault } from './reasons.ts';

/** The reason why a patch may not lie at an address; undefined if there is none. */
export function enteredWithin(original: Image, address: Addr, size: ByteCount): PatchFault | undefined {
  const at = imageEntries(original).into(address, size);
  if (at === undefined) return undefined;
  return at === address ? { kind: 'overlapped' } : { kind: 'entered', at };
}

/** The decidable part of A7: is some code of the original seen to return to an address near a return point instead? */
export const returnsBehind = (original: Image): boolean => imageEntries(original).returnsBehind;
