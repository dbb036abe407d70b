/**
 * Decides which guest registers a region has in locals at each point, and which of these are newer than their slots in the hart's block.
 * Exits to the interpreter are many and nearly all cold, so each exit stores the newer registers itself; where control leaves for other
 * code in the ordinary course (calls, returns, jumps out) the newer registers are stored there.
 *
 * Within an extended basic block a register is loaded when it is first read and kept. Where ways meet there is a contract: a register
 * is in its local there if it is *resident* in the innermost loop and will be read before it is written, and may be *dirty* (newer in
 * its local) if besides the loop writes it. All other registers are in their slots. So a loop neither loads nor stores the registers that
 * it carries round. The number of resident registers is bounded: V8 makes a value of each local at each place where ways meet, and has
 * some twelve registers for these values.
 */
import { intersect, NO_REGS, type RegSet, regSet, sameRegs, union, without } from '../../base/regset.ts';
import type { Reg } from '../../base/units.ts';
import type { Flow } from './flow.ts';
import type { CodeInsn } from './insns.ts';
import type { Block } from './region.ts';

/** Most registers that may be resident in a loop. */
const MOST_RESIDENT_REGS = 9;
/** Weight of a register's use in an inner loop for the choice of the resident registers around it; other uses weigh 1. */
const INNER_WEIGHT = 1 / 8;

/** Can the instruction leave the region before it has any effect? Floating-point arithmetic cannot: see `readsRounding`. */
export function canLeave({ facts }: CodeInsn): boolean {
  const { load, store, ordered, control } = facts;
  return Boolean(load ?? store) || ordered || control === 'indirect';
}

/** Does the instruction need a valid rounding mode in force? A region with such instructions checks the mode at entry and after calls. */
export const readsRounding = ({ facts }: CodeInsn): boolean => facts.readsRounding;

export interface Placement {
  /** By block, where ways meet at its start: the registers that are in their locals. */
  readonly held: readonly RegSet[];
  /** Those of the held registers that may be newer in their locals there. */
  readonly dirty: readonly RegSet[];
  /** By block: the registers that may stay dirty in the block. */
  readonly carried: readonly RegSet[];
  /** Every register that the region touches. */
  readonly all: RegSet;
}

export function placeRegisters({ region: { blocks }, order, loops }: Flow): Placement {
  const uses = blocks.map(usesOf);
  /** By block: the registers resident in its innermost loop. */
  const resident: RegSet[] = blocks.map(() => NO_REGS);
  const written = new Map<number, RegSet>();
  /** By header: registers taken as read, because the whole loop is small enough to carry all registers that it writes. */
  const wanted = new Map<number, RegSet>();
  const outermostFirst = [...loops].sort(([, a], [, b]) => b.size - a.size);
  for (const [header, loop] of outermostFirst) {
    let writes = NO_REGS;
    let calls = false;
    const inner = new Set<number>();
    for (const [other, blocksOf] of loops)
      if (other !== header && loop.has(other)) for (const block of blocksOf) inner.add(block);
    const weights = new Map<Reg, number>();
    for (const block of loop) {
      const { writes: to } = uses[block]!;
      writes = union(writes, to);
      calls ||= blocks[block]!.ending === 'call';
      for (const { facts } of blocks[block]!.insns) {
        const { reads: from, writes: into } = facts;
        for (const reg of into === undefined ? from : [...from, into])
          weights.set(reg, (weights.get(reg) ?? 0) + (inner.has(block) ? INNER_WEIGHT : 1));
      }
    }
    const ranked = [...weights].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, MOST_RESIDENT_REGS);
    const set = regSet(ranked.map(([reg]) => reg));
    for (const block of loop) resident[block] = set;
    written.set(header, writes);
    if (!calls && weights.size <= MOST_RESIDENT_REGS) wanted.set(header, writes);
  }

  const needed: RegSet[] = blocks.map(() => NO_REGS);
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = order.length - 1; i >= 0; i--) {
      const index = order[i]!;
      const { reads, writes } = uses[index]!;
      let set = union(reads, wanted.get(index) ?? NO_REGS);
      if (blocks[index]!.ending !== 'call')
        for (const { block } of blocks[index]!.successors)
          if (block >= 0) set = union(set, without(needed[block]!, writes));
      if (sameRegs(set, needed[index]!)) continue;
      needed[index] = set;
      changed = true;
    }
  }
  const held = needed.map((set, index) => intersect(set, resident[index]!));

  const carried: RegSet[] = blocks.map(() => NO_REGS);
  for (const [header, loop] of loops) {
    const set = intersect(written.get(header)!, held[header]!);
    for (const block of loop) carried[block] = union(carried[block]!, intersect(set, resident[block]!));
  }
  const dirty: RegSet[] = blocks.map(() => NO_REGS);
  for (let changed = true; changed; ) {
    changed = false;
    for (const index of order) {
      const { ending, successors } = blocks[index]!;
      if (ending === 'call') continue;
      const end = union(dirty[index]!, uses[index]!.writes);
      for (const { block } of successors) {
        if (block < 0) continue;
        const set = union(dirty[block]!, intersect(end, intersect(held[block]!, carried[block]!)));
        if (sameRegs(set, dirty[block]!)) continue;
        dirty[block] = set;
        changed = true;
      }
    }
  }
  let all = NO_REGS;
  for (const index of order) all = union(union(all, held[index]!), union(uses[index]!.reads, uses[index]!.writes));
  return { held, dirty, carried, all };
}

/** The registers that a block reads before it writes them, and the registers that it writes. */
function usesOf({ insns }: Block): { reads: RegSet; writes: RegSet } {
  let reads = NO_REGS;
  let writes = NO_REGS;
  for (const { reads: from, writes: to } of insns) {
    reads = union(reads, without(from, writes));
    writes = union(writes, to);
  }
  return { reads, writes };
}
