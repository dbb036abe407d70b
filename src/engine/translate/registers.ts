/**
 * Which guest registers a region has in locals when. Their places in the hart's block are kept up to date wherever control can leave
 * the region: an instruction that writes a register stores it before the next one that can leave. So exits, of which there are many
 * and nearly all cold, are short, and calls and returns have nothing to store. A register is *needed* where its local will be read
 * before it is written; what is needed is loaded at the entry and behind calls.
 *
 * Sets of registers are bigints, one bit a register.
 */
import type { Reg } from '../../base/units.ts';
import { facts } from '../../domain/record.ts';
import type { CodeInsn } from './insns.ts';
import type { Block, Region } from './region.ts';

export type RegSet = bigint;
const bit = (reg: Reg): RegSet => 1n << BigInt(reg);

export function regsOf(set: RegSet): Reg[] {
  const regs: Reg[] = [];
  for (let reg = 0, rest = set; rest !== 0n; reg++, rest >>= 1n) if (rest & 1n) regs.push(reg);
  return regs;
}

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
  /** Every register that the region touches. */
  readonly all: RegSet;
}

/** @param order blocks in reverse postorder */
export function placeRegisters({ blocks }: Region, order: readonly number[]): Placement {
  const uses = blocks.map(usesOf);
  const needed: RegSet[] = blocks.map(() => 0n);
  for (let changed = true; changed; ) {
    changed = false;
    for (const index of [...order].reverse()) {
      const { reads, writes } = uses[index]!;
      let set = reads;
      if (blocks[index]!.ending !== 'call')
        for (const { block } of blocks[index]!.successors) if (block >= 0) set |= needed[block]! & ~writes;
      if (set === needed[index]) continue;
      needed[index] = set;
      changed = true;
    }
  }
  let all = 0n;
  for (const index of order) all |= needed[index]! | uses[index]!.writes;
  return { needed, all };
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
