/**
 * Which guest registers are where. Within a region they are in locals. A register is *dirty* where its local may be newer than its
 * place in the hart's block; what is dirty is stored wherever other code can look: at exits and calls. A register is *needed* where
 * its local will be read or stored before it is written; what is needed is loaded at the entry and behind calls.
 *
 * Sets of registers are bigints, one bit a register.
 */
import type { Reg } from '../../base/units.ts';
import { facts } from '../../domain/record.ts';
import type { CodeInsn } from './insns.ts';
import type { Block, Region } from './region.ts';

export type RegSet = bigint;
export const bit = (reg: Reg): RegSet => 1n << BigInt(reg);

export function regsOf(set: RegSet): Reg[] {
  const regs: Reg[] = [];
  for (let reg = 0, rest = set; rest !== 0n; reg++, rest >>= 1n) if (rest & 1n) regs.push(reg);
  return regs;
}

export const writtenBy = ({ insn }: CodeInsn): RegSet => {
  const { writes } = facts(insn);
  return writes === undefined ? 0n : bit(writes);
};
const readBy = ({ insn }: CodeInsn): RegSet => facts(insn).reads.reduce((set, reg) => set | bit(reg), 0n);

/** Can the instruction leave the region before it has any effect? */
export function canLeave({ insn }: CodeInsn): boolean {
  const { load, store, ordered, accrues, readsRounding, control } = facts(insn);
  return Boolean(load ?? store) || ordered || accrues || readsRounding || control === 'indirect';
}

export interface Placement {
  /** By block: dirty at its start, needed at its start. */
  readonly dirty: readonly RegSet[];
  readonly needed: readonly RegSet[];
  /** Every register that the region touches. */
  readonly all: RegSet;
}

interface Summary {
  readonly written: RegSet;
  /** Is nothing dirty any more when it goes on? */
  readonly calls: boolean;
}

/**
 * @param order blocks in reverse postorder
 * @param checks blocks that may leave at their start
 */
export function placeRegisters(region: Region, order: readonly number[], checks: ReadonlySet<number>): Placement {
  const { blocks } = region;
  const summaries = blocks.map(
    ({ insns, ending }): Summary => ({
      written: insns.reduce((set, insn) => set | writtenBy(insn), 0n),
      calls: ending === 'call',
    }),
  );
  const dirty: RegSet[] = blocks.map(() => 0n);
  for (let changed = true; changed; ) {
    changed = false;
    for (const index of order) {
      const { written, calls } = summaries[index]!;
      const out = calls ? 0n : dirty[index]! | written;
      for (const { block } of blocks[index]!.successors) {
        if (block < 0 || (dirty[block]! | out) === dirty[block]) continue;
        dirty[block]! |= out;
        changed = true;
      }
    }
  }
  // What is dirty is fixed now, so each block's need is a set that it adds and a set that it stops.
  const transfer = blocks.map((block, index) => needOf(block, dirty[index]!, checks.has(index)));
  const needed: RegSet[] = blocks.map(() => 0n);
  for (let changed = true; changed; ) {
    changed = false;
    for (const index of [...order].reverse()) {
      const { adds, stops } = transfer[index]!;
      let set = adds;
      if (!summaries[index]!.calls)
        for (const { block } of blocks[index]!.successors) if (block >= 0) set |= needed[block]! & ~stops;
      if (set === needed[index]) continue;
      needed[index] = set;
      changed = true;
    }
  }
  let all = 0n;
  for (const index of order) all |= needed[index]! | summaries[index]!.written;
  return { dirty, needed, all };
}

function needOf({ insns, ending, successors }: Block, dirtyAtStart: RegSet, checks: boolean) {
  let adds = checks ? dirtyAtStart : 0n;
  let stops = 0n;
  let dirty = dirtyAtStart;
  const use = (set: RegSet) => {
    adds |= set & ~stops;
  };
  for (const insn of insns) {
    use(readBy(insn));
    if (canLeave(insn)) use(dirty);
    stops |= writtenBy(insn);
    dirty |= writtenBy(insn);
  }
  const goesOut = ending === 'call' || ending === 'return' || ending === 'switch' || ending === 'leave';
  if (goesOut || successors.some(({ block }) => block < 0)) use(dirty);
  return { adds, stops };
}
