/** Exact counts of a run's instructions by address, with the decoded instructions. */
import { unsupported } from '../base/errors.ts';
import type { Addr, InsnCount } from '../base/units.ts';
import { codeOf } from '../code/code.ts';
import type { Image } from '../elf/image.ts';
import type { Insn } from '../isa/row.ts';
import { blocksOf } from '../profile/blocks.ts';
import type { ImageProfile, ProfiledBlock, ProfiledEdge } from '../profile/profile.ts';

/** One run (or several summed up) of one image, the original or the optimized. */
export interface ProfiledRun {
  readonly image: Image;
  readonly profile: ImageProfile;
}

export interface PlacedInsn {
  readonly address: Addr;
  readonly insn: Insn;
}

export interface CountedInsn extends PlacedInsn {
  readonly count: InsnCount;
}

export interface Counts {
  readonly image: Image;
  readonly blocks: readonly ProfiledBlock[];
  readonly edges: readonly ProfiledEdge[];
  /** Instructions retired in all. */
  readonly total: InsnCount;
  /** Every instruction of every block with its count, by rising address. */
  readonly executed: readonly CountedInsn[];
  /** How often the instruction at an address was executed; 0 if never. */
  at(address: Addr): InsnCount;
  /** Instructions executed in [start, end). */
  within(start: Addr, end: Addr): InsnCount;
  /** Edges that leave from the instruction at an address. */
  leaving(site: Addr): readonly ProfiledEdge[];
}

/** @throws bad-profile if the profile does not fit the image */
export function makeCounts({ image, profile }: ProfiledRun): Counts {
  const { blocks, edges, retired } = blocksOf(profile, image);
  const code = codeOf(image);
  // A run that ends in mid-block (a fault) did not execute the rest of the block.
  const stops = new Map<Addr, InsnCount>();
  for (const { at, count } of profile.stops) stops.set(at, (stops.get(at) ?? 0) + count);
  const byAddress = new Map<Addr, CountedInsn>();
  for (const block of blocks) {
    let count = block.count;
    let address = block.start;
    for (let index = 0; index < block.insns; index++) {
      if (index > 0) count -= stops.get(address) ?? 0;
      const insn = code.insnAt(address)!;
      byAddress.set(address, { address, insn, count });
      address += insn.size;
    }
  }
  const executed = [...byAddress.values()].sort((a, b) => a.address - b.address);
  /** sums[i]: instructions executed before executed[i]. */
  const sums = [0];
  for (const { count } of executed) sums.push(sums.at(-1)! + count);
  const bySite = new Map<Addr, ProfiledEdge[]>();
  for (const edge of edges) {
    const list = bySite.get(edge.site);
    if (list) list.push(edge);
    else bySite.set(edge.site, [edge]);
  }
  const indexOf = (address: Addr) => firstIndex(executed, (insn) => insn.address >= address);
  return {
    image,
    blocks,
    edges,
    total: retired,
    executed,
    at: (address) => byAddress.get(address)?.count ?? 0,
    within: (start, end) => sums[indexOf(end)]! - sums[indexOf(start)]!,
    leaving: (site) => bySite.get(site) ?? [],
  };
}

/** Binary search for the first item that a condition holds for, as for all items behind; its index, or the length if there is none. */
export function firstIndex<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * The instructions in [start, end), decoded one behind the other.
 * @throws unsupported where the bytes are no instruction: a file's address map may be wrong
 */
export function instructionsAt(image: Image, start: Addr, end: Addr): PlacedInsn[] {
  const code = codeOf(image);
  const found: PlacedInsn[] = [];
  for (let address = start; address < end; ) {
    const insn = code.insnAt(address);
    if (insn === undefined)
      throw unsupported(`${image.file}: there is no instruction to report on`, undefined, address);
    found.push({ address, insn });
    address += insn.size;
  }
  return found;
}
