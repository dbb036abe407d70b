/**
 * Which guest registers a region has in locals when, and which of these are newer than their places in the hart's block. Exits to the
 * interpreter are many and nearly all cold, so they store what is newer themselves; where control leaves for other code in the
 * ordinary course (calls, returns, jumps out) it is stored there.
 *
 * A register is *needed* where its local will be read before it is written; what is needed is loaded at the entry and behind calls. A
 * register stays *dirty* (newer in its local) from block to block only within a loop that writes it and needs it at its header, so that a
 * loop stores nothing of what it carries round; everything else is stored before the next instruction that can leave. In small loops
 * all that is written is carried: in large ones values that nobody reads would take the host's registers from those that are.
 *
 * Sets of registers are bigints, one bit a register.
 */
import type { Reg } from '../../base/units.ts';
import { facts } from '../../domain/record.ts';
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

/** A loop that touches at most so many registers is small: they and what the code itself needs fit the registers of x86-64. */
const SMALL_LOOP = 10;

/** Can the instruction leave the region before it has any effect? Floating point cannot: see `readsRounding`. */
export function canLeave({ insn }: CodeInsn): boolean {
  const { load, store, ordered, control } = facts(insn);
  return Boolean(load ?? store) || ordered || control === 'indirect';
}

/** Does the instruction depend on the rounding mode in force being one? A region with such instructions looks at its entry. */
export const readsRounding = ({ insn }: CodeInsn): boolean => facts(insn).readsRounding;

export interface Placement {
  /** By block: needed at its start. */
  readonly needed: readonly RegSet[];
  /** By block: may be newer in its local than in its place, at its start. Always among what is needed. */
  readonly dirty: readonly RegSet[];
  /** By block: what may stay dirty in it. */
  readonly carried: readonly RegSet[];
  /** Every register that the region touches. */
  readonly all: RegSet;
}

export function placeRegisters({ region: { blocks }, order, loops }: Flow): Placement {
  const uses = blocks.map(usesOf);
  const written = new Map<number, RegSet>();
  /** By header: what its loop carries because it is small. */
  const wanted = new Map<number, RegSet>();
  for (const [header, loop] of loops) {
    let writes = 0n;
    let touched = 0n;
    let calls = false;
    for (const block of loop) {
      const { reads: from, writes: to } = uses[block]!;
      writes |= to;
      touched |= from | to;
      calls ||= blocks[block]!.ending === 'call';
    }
    written.set(header, writes);
    if (!calls && regsOf(touched).length <= SMALL_LOOP) wanted.set(header, writes);
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

  const carried: RegSet[] = blocks.map(() => 0n);
  for (const [header, loop] of loops) {
    const set = written.get(header)! & needed[header]!;
    for (const block of loop) carried[block]! |= set;
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
        const set = dirty[block]! | (end & needed[block]! & carried[block]!);
        if (set === dirty[block]) continue;
        dirty[block] = set;
        changed = true;
      }
    }
  }
  let all = 0n;
  for (const index of order) all |= needed[index]! | uses[index]!.writes;
  return { needed, dirty, carried, all };
}

/** What a block reads before it writes it, and what it writes. */
function usesOf({ insns }: Block): { reads: RegSet; writes: RegSet } {
  let reads = 0n;
  let writes = 0n;
  for (const { insn } of insns) {
    const { reads: from, writes: to } = facts(insn);
    for (const reg of from) reads |= bit(reg) & ~writes;
    if (to !== undefined) writes |= bit(to);
  }
  return { reads, writes };
}
