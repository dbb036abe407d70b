/** Calls that optimized code makes, as unwinders and exceptions meet them. */
import { alignUp } from '../base/bits.ts';
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { type CallSite, unwindTables } from '../elf/unwind/index.ts';
import { imageEntries } from './entries.ts';
import type { Layout } from './layout.ts';

/** Addresses in optimized code that callees return to: those behind its calls, and superblocks at return points of inlined calls. */
export function callSites({ superblocks, links }: Layout): CallSite[] {
  const sites = new Map<Addr, CallSite>();
  for (const { returnAddress, lowered } of superblocks)
    if (returnAddress !== undefined)
      sites.set(returnAddress, { returnAddress, originalReturnAddress: lowered.final.to! });
  for (const { start, lowered } of superblocks)
    if (links.includes(lowered.head) && !sites.has(start))
      sites.set(start, { returnAddress: start, originalReturnAddress: lowered.head });
  return [...sites.values()];
}

/** Unwind tables for call sites, to stand behind the code. @param address where the layout's code begins */
export const unwindBehind = (image: Image, { bytes }: Layout, address: Addr, sites: readonly CallSite[]) =>
  unwindTables(image, sites, alignUp(address + bytes.length, 8));

/**
 * Call sites without a frame description though the original has one: calls, by the heads of their superblocks, and return points of
 * inlined calls. A return point also counts if a call returns to the same address in the stead of another original return point.
 * @param address where the layout's code begins
 */
export function unservedCalls(image: Image, layout: Layout, address: Addr) {
  const sites = callSites(layout);
  const { unserved } = imageEntries(image).returnsBehind
    ? { unserved: sites }
    : unwindBehind(image, layout, address, sites);
  const bad = new Set(unserved.map((site) => site.returnAddress));
  const standsFor = new Map(sites.map((site) => [site.returnAddress, site.originalReturnAddress]));
  const { superblocks, links } = layout;
  return {
    calls: new Set(
      superblocks
        .filter((placed) => placed.returnAddress !== undefined && bad.has(placed.returnAddress))
        .map((placed) => placed.lowered.head),
    ),
    links: superblocks
      .filter(
        ({ start, lowered: { head } }) => links.includes(head) && (bad.has(start) || standsFor.get(start) !== head),
      )
      .map(({ lowered }) => lowered.head),
  };
}
