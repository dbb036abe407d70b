/** The code that unknown jumps may stay in, for the registers that functions keep (liveness-kept.ts). */
import type { LivenessGraph } from './liveness-graph.ts';
import { Lists } from './sets.ts';

/** The blocks of one function, or of a range taken for one, and the unknown jumps that may lead to any of them. */
interface Region {
  readonly blocks: readonly number[];
  readonly jumps: readonly number[];
}

export interface JumpRegions {
  readonly regions: readonly Region[];
  /** By block, the region of its unknown jump, else -1. */
  readonly jump: Int32Array;
  /** By block, the regions with unknown jumps that the block is in; other regions need no union of live registers. */
  readonly of: Lists;
}

/**
 * The region in which an unknown jump may stay: its group, or else all code from one called address to the next, which is taken for a
 * function where no symbol tells.
 */
export function jumpRegions({ blocks, callee, group, rules, pool, jumpsOfGroup }: LivenessGraph): JumpRegions {
  const regions: { blocks: number[]; jumps: number[] }[] = jumpsOfGroup.map(() => ({ blocks: [], jumps: [] }));
  const jump = new Int32Array(blocks.length).fill(-1);
  const nearest = new Int32Array(blocks.length);
  const isEntry = new Uint8Array(blocks.length);
  for (const i of callee) if (i >= 0) isEntry[i] = 1;
  let near: number | undefined;
  blocks.forEach((block, i) => {
    if (i === pool) return;
    if (near === undefined || isEntry[i] === 1) near = regions.push({ blocks: [], jumps: [] }) - 1;
    nearest[i] = near;
    if (group[i]! >= 0) regions[group[i]!]!.blocks.push(i);
    regions[near]!.blocks.push(i);
    if (block.ending !== 'indirect' || block.target !== undefined) return;
    jump[i] = rules[i] === 'unknown-jump' ? group[i]! : near;
    regions[jump[i]]!.jumps.push(i);
  });
  const of = new Lists(blocks.length, (add) => {
    for (let i = 0; i < blocks.length; i++) {
      if (group[i]! >= 0 && regions[group[i]!]!.jumps.length > 0) add(i, group[i]!);
      if (regions[nearest[i]!]!.jumps.length > 0) add(i, nearest[i]!);
    }
  });
  return { regions, jump, of };
}
