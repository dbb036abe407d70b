/**
 * The least optimizer: every direct call becomes a superblock of its own, `jal ra, callee; jal zero, back` in the new segment. What it
 * makes needs all that emission offers: patches, pairs of return addresses, unwind tables, the address map.
 */
import { alignUp } from '../../src/base/bits.ts';
import { RA, ZERO } from '../../src/base/units.ts';
import type { Image } from '../../src/elf/image.ts';
import { type CallSite, unwindTables } from '../../src/elf/unwind/index.ts';
import { addSegment, nextSegmentAddress, type Patch } from '../../src/elf/write.ts';
import { encodeMap } from '../../src/emit/map.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { encodeBytes, makeInsn } from '../../src/isa/encode.ts';

export interface Moved {
  readonly bytes: Uint8Array;
  readonly sites: readonly CallSite[];
  readonly unserved: readonly CallSite[];
}

/** Moves all 4-byte direct calls of `functions` (address ranges) out of line. */
export function moveCalls(
  image: Image,
  functions: readonly { address: number; size: number }[],
  withTables: boolean,
  edit?: (code: Uint8Array, sites: readonly CallSite[]) => void,
): Moved {
  const start = nextSegmentAddress(image);
  const code: number[] = [];
  const patches: Patch[] = [];
  const sites: CallSite[] = [];
  const done = new Set<number>();
  for (const { address, size } of functions) {
    const segment = image.segments.find((s) => address >= s.address && address + size <= s.address + s.bytes.length);
    if (!segment?.flags.execute) continue;
    for (let pc = address; pc < address + size; ) {
      const insn = decodeAt(segment.bytes, pc - segment.address);
      if (!insn) break;
      if (insn.row.format === 'J' && insn.rd === RA && insn.size === 4 && !done.has(pc)) {
        done.add(pc);
        const at = start + code.length;
        code.push(...encodeBytes(makeInsn(insn.row, { rd: RA, imm: pc + insn.imm - at }), false));
        code.push(...encodeBytes(makeInsn(insn.row, { rd: ZERO, imm: pc + 4 - (at + 4) }), false));
        patches.push({ address: pc, bytes: encodeBytes(makeInsn(insn.row, { rd: ZERO, imm: at - pc }), false) });
        sites.push({ returnAddress: at + 4, originalReturnAddress: pc + 4 });
      }
      pc += insn.size;
    }
  }
  const bytes = Uint8Array.from(code);
  const unwind = withTables ? unwindTables(image, sites, alignUp(start + bytes.length, 8)) : undefined;
  const map = encodeMap({
    version: 1,
    original: image.hash,
    originalEnd: image.end,
    superblocks: sites.map(({ returnAddress: r, originalReturnAddress: o }) => ({
      head: o - 4,
      start: r - 4,
      end: r + 4,
      stubs: [],
      path: [o - 4],
      count: 0,
      identity: true,
    })),
    returns: sites.map((site) => [site.returnAddress, site.originalReturnAddress] as const),
    patches: [...patches, ...(unwind?.patches ?? [])].map((patch) => [patch.address, patch.bytes.length] as const),
    assumptions: [],
  });
  edit?.(bytes, sites);
  const request = { address: start, code: bytes, patches, map, unwind };
  return { bytes: addSegment(image, request), sites, unserved: unwind?.unserved ?? [] };
}
