/**
 * Entries: addresses at which the image alone shows that code may be entered. A patch must not lie across one (assumption A2). The search
 * for them is in `code/labels.ts`; this file tells it of the jumps of which the graph shows more.
 *
 * Entries are the image's own, every symbol, targets of direct branches, jumps and calls, instructions behind calls, ecall and ebreak, code
 * addresses that instructions make or jump to (code/flowing.ts), and code addresses that data holds (code/code-pointers.ts). If a jump
 * computes its target and does not show from what, every instruction of its function is an entry (unseen-jumps.ts). The same holds for a function if
 * code adds a variable to an address in its middle, since the sum may be stored and jumped to anywhere. Too many entries cost patches, too
 * few would cost correctness.
 */
import type { Addr, ByteCount } from '../base/units.ts';
import { EntryFinder } from '../code/labels.ts';
import type { Image } from '../elf/image.ts';
import { imageAccesses } from './accesses.ts';
import { functionExtents, unseenJumps } from './unseen-jumps.ts';

export interface Entries {
  /** Is an address an entry? */
  has(address: Addr): boolean;
  /** Does an instruction begin at an address, in one of the streams found? */
  begins(address: Addr): boolean;
  /**
   * The first address at which code may come into the middle of a range: the range's start, if an instruction before it reaches into the
   * range, or an entry behind the range's first byte. Undefined if there is none.
   */
  into(start: Addr, size: ByteCount): Addr | undefined;
  /** Is some function seen to return to an address behind or before its return point? Then assumption A7 does not hold. */
  readonly returnsBehind: boolean;
}

/** @param more entries known from other sources, such as landing pads */
export function findEntries(image: Image, more: Iterable<Addr> = []): Entries {
  const finder = new EntryFinder(image);
  for (const address of more) finder.enter(address);
  const unseen = [...unseenJumps(image)];
  const extentsOf = functionExtents(image);
  // Jumps that `unseen` leaves out may read a table whose address was followed over any distance.
  for (const { at, width, base } of imageAccesses(image).reads)
    finder.read({ table: at, bytes: width, signed: true, one: false, times: 1, base });
  do {
    finder.follow();
    for (const base of finder.bases.splice(0))
      for (const extent of extentsOf(base)) if (!unseen.includes(extent)) unseen.push(extent);
    for (const address of finder.pointers()) finder.enter(address);
    for (const extent of unseen) finder.enterAll(extent);
  } while (finder.waits);
  return finder;
}
