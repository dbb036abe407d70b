/**
 * Which guest registers a region has in locals when, and which of these are newer than their places in the hart's block. Exits to the
 * interpreter are many and nearly all cold, so they store what is newer themselves; where control leaves for other code in the
 * ordinary course (calls, returns, jumps out) it is stored there.
 *
 * Within an extended basic block a register is loaded when it is first read and kept. Where ways meet there is a contract: a register
 * is in its local there if it is *resident* in the innermost loop and will be read before it is written, and may be *dirty* (newer in
 * its local) if besides the loop writes it. Everything else is in its place. So a loop neither loads nor stores what it carries round,
 * and what is resident is bounded: V8 makes a value of each local at each place where ways meet, and has some twelve registers for them.
 *
 * Sets of registers are bigints, one bit a register.
 */
import type { Reg } from '../../base/units.ts';
import type { Flow } from './flow.ts';
import type { CodeInsn } from './insns.ts';
import type { Block } from './region.ts';

export type RegSet = bigint;
const bit = (reg: Reg): RegSet => 1n << BigInt(reg);

export function regsOf(set: RegSet): Reg[] {
  const regs: Reg[] = [];
  for (let reg = 0, rest = set; rest !== 0n; reg++, rest >>= 1n) if (rest & 1n) regs.push(reg);
  return regs;
}

/** Registers that may be resident in a loop. */
const MOST_RESIDENT = 9;
/** Blocks of an inner loop count so much for the choice of what is resident around it. */
const INNER = 1 / 8;

/** Can the instruction leave the region before it has any effect? Floating point cannot: see `readsRounding`. */
export function canLeave({ facts }: CodeInsn): boolean {
  const { load, store, ordered, control } = facts;
  return Boolean(load ?? store) || ordered || control === 'indirect';
}

/** Does the instruction depend on the rounding mode in force being one? A region with such instructions looks at its entry. */
export const readsRounding = ({ facts }: CodeInsn): boolean => facts.readsRounding;

export interface Placement {
  /** By block, where ways meet at its start: the registers that are in their locals. */
  readonly held: readonly RegSet[];
  /** And those of them that may be newer there. */
  readonly dirty: readonly RegSet[];
  /** By block: what may stay dirty in it. */
  readonly carried: readonly RegSet[];
  /** Every register that the region touches. */
  readonly all: RegSet;
}

export function placeRegisters({ region: { blocks }, order, loops }: Flow): Placement {
  const uses = blocks.map(usesOf);
  /** By block: resident in its innermost loop. */
  const resident: RegSet[] = blocks.map(() => 0n);
  const written = new Map<number, RegSet>();
  /** By header: read, as it were, because the whole loop is small enough for all that it writes to be carried. */
  const wanted = new Map<number, RegSet>();
  const outermostFirst = [...loops].sort(([, a], [, b]) => b.size - a.size);
  for (const [header, loop] of outermostFirst) {
    let writes = 0n;
    let calls = false;
    const inner = new Set<number>();
    for (const [other, blocksOf] of loops)
      if (other !== header && loop.has(other)) for (const block of blocksOf) inner.add(block);
    const weights = new Map<Reg, number>();
    for (const block of loop) {
      const { writes: to } = uses[block]!;
      writes |= to;
      calls ||= blocks[block]!.ending === 'call';
      for (const { facts } of blocks[block]!.insns) {
        const { reads: from, writes: into } = facts;
        for (const reg of into === undefined ? from : [...from, into])
          weights.set(reg, (weights.get(reg) ?? 0) + (inner.has(block) ? INNER : 1));
      }
    }
    const ranked = [...weights].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, MOST_RESIDENT);
    const set = ranked.reduce((all, [reg]) => all | bit(reg), 0n);
    for (const block of loop) resident[block] = set;
    written.set(header, writes);
    if (!calls && weights.size <= MOST_RESIDENT) wanted.set(header, writes);
  }

  const needed: RegSet[] = blocks.map(() => 0n);
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = order.length - 1; i >= 0; i--) {
      const index = order[i]!;
      const { reads, writes } = uses[index]!;
      let set = reads | (wanted.get(index) ?? 0n);
      if (blocks[index]!.ending !== 'call')
        for (const { block } of blocks[index]!.successors) if (block >= 0) set |= needed[block]! & ~writes;
      if (set === needed[index]) continue;
      needed[index] = set;
      changed = true;
    }
  }
  const held = needed.map((set, index) => set & resident[index]!);

  const carried: RegSet[] = blocks.map(() => 0n);
  for (const [header, loop] of loops) {
    const set = written.get(header)! & held[header]!;
    for (const block of loop) carried[block]! |= set & resident[block]!;
  }
  const dirty: RegSet[] = blocks.map(() => 0n);
  for (let changed = true; changed; ) {
    changed = false;
    for (const index of order) {
      const { ending, successors } = blocks[index]!;
      if (ending === 'call') continue;
      const end = dirty[index]! | uses[index]!.writes;
      for (const { block } of successors) {
        if (block < 0) continue;
        const set = dirty[block]! | (end & held[block]! & carried[block]!);
        if (set === dirty[block]) continue;
        dirty[block] = set;
        changed = true;
      }
    }
  }
  let all = 0n;
  for (const index of order) all |= uses[index]!.reads | uses[index]!.writes | held[index]!;
  return { held, dirty, carried, all };
}

/** What a block reads before it writes it, and what it writes. */
function usesOf({ insns }: Block): { reads: RegSet; writes: RegSet } {
  let reads = 0n;
  let writes = 0n;
  for (const { reads: from, writes: to } of insns) {
    reads |= from & ~writes;
    writes |= to;
  }
  return { reads, writes };
}
