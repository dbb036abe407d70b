/** Exact counts by address: what a run executed where, with the code to show for it. */
import { internal } from '../base/errors.ts';
import type { Addr, ByteCount, InsnCount } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { decodeAt } from '../isa/decode.ts';
import type { Insn } from '../isa/row.ts';
import type { ProfiledBlock, ProfiledEdge } from '../profile/profile.ts';

/** One run of one image: its blocks and edges with their counts (of either the original or the optimized file). */
export interface ProfiledCode {
  readonly image: Image;
  readonly blocks: readonly ProfiledBlock[];
  readonly edges: readonly ProfiledEdge[];
}

export interface PlacedInsn {
  readonly address: Addr;
  readonly insn: Insn;
}

export interface Counts {
  readonly code: ProfiledCode;
  /** Instructions executed in all. */
  readonly total: InsnCount;
  /** How often the instruction at an address was executed; 0 if never. */
  at(address: Addr): InsnCount;
  /** Instructions executed in [start, end). */
  within(start: Addr, end: Addr): InsnCount;
  /** The blocks that overlap [start, end), by rising address. */
  blocks(start: Addr, end: Addr): ProfiledBlock[];
  /** Edges that leave from the instruction at an address. */
  leaving(site: Addr): readonly ProfiledEdge[];
}

export function makeCounts(code: ProfiledCode): Counts {
  const blocks = [...code.blocks].sort((a, b) => a.start - b.start);
  const bySite = new Map<Addr, ProfiledEdge[]>();
  for (const edge of code.edges) {
    const there = bySite.get(edge.site);
    if (there) there.push(edge);
    else bySite.set(edge.site, [edge]);
  }
  /** Index of the first block that ends behind the address. */
  const firstEndingBehind = (address: Addr): number => {
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (blocks[middle].end > address) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  const overlapping = (start: Addr, end: Addr): ProfiledBlock[] => {
    const found: ProfiledBlock[] = [];
    for (let index = firstEndingBehind(start); index < blocks.length && blocks[index].start < end; index++)
      found.push(blocks[index]);
    return found;
  };
  return {
    code,
    total: blocks.reduce((sum, block) => sum + block.insns * block.count, 0),
    at(address) {
      const block = blocks[firstEndingBehind(address)];
      return block !== undefined && block.start <= address ? block.count : 0;
    },
    within(start, end) {
      let sum = 0;
      for (const block of overlapping(start, end)) {
        const whole = block.start >= start && block.end <= end;
        const insns = whole
          ? block.insns
          : instructionsAt(code.image, Math.max(start, block.start), Math.min(end, block.end)).length;
        sum += insns * block.count;
      }
      return sum;
    },
    blocks: overlapping,
    leaving: (site) => bySite.get(site) ?? [],
  };
}

/** Bytes of the image from an address to the end of its segment, or undefined where no segment has bytes. */
function bytesFrom(image: Image, address: Addr): Uint8Array | undefined {
  for (const segment of image.segments)
    if (address >= segment.address && address < segment.address + segment.bytes.length)
      return segment.bytes.subarray(address - segment.address);
  return undefined;
}

/**
 * The instructions in [start, end), decoded one behind the other. Bytes that are no instruction end the list: only what was executed
 * is asked for, and that does decode.
 */
export function instructionsAt(image: Image, start: Addr, end: Addr): PlacedInsn[] {
  const bytes = bytesFrom(image, start);
  if (bytes === undefined) throw internal(`${image.file} has no code to report on`, start);
  const size: ByteCount = end - start;
  const found: PlacedInsn[] = [];
  for (let offset = 0; offset < size; ) {
    const insn = decodeAt(bytes, offset);
    if (insn === undefined) break;
    found.push({ address: start + offset, insn });
    offset += insn.size;
  }
  return found;
}
