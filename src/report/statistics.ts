/** A run's executed instructions and transfers by kind. */

import type { EdgeKind } from '../code/endings.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { type Counts, makeCounts } from './counts.ts';
import type { Statistics } from './model.ts';

/** The statistics of an image's profile. */
export const dynamicStatistics = (profile: ImageProfile, image: Image): Statistics =>
  statisticsOf(makeCounts({ image, profile }));

/**
 * Memory accesses, syscalls and conditional branches are counted by instruction, transfers by edge. An atomic read-modify-write
 * counts as a load and as a store. A conditional branch whose target is right behind it counts as taken.
 */
export function statisticsOf(counts: Counts): Statistics {
  const edges: Record<EdgeKind, number> = {
    fall: 0,
    taken: 0,
    jump: 0,
    call: 0,
    return: 0,
    indirect: 0,
    'indirect-call': 0,
    syscall: 0,
  };
  for (const edge of counts.edges) edges[edge.kind] += edge.count;

  let branches = 0;
  let loads = 0;
  let stores = 0;
  let syscalls = 0;
  for (const { insn, count } of counts.executed) {
    const fact = facts(insn);
    if (fact.load) loads += count;
    if (fact.store) stores += count;
    if (fact.control === 'branch') branches += count;
    if (fact.control === 'syscall') syscalls += count;
  }
  return {
    instructions: counts.total,
    takenBranches: edges.taken + edges.jump + edges.call + edges['indirect-call'] + edges.return + edges.indirect,
    branchesTaken: edges.taken,
    branchesNotTaken: branches - edges.taken,
    jumps: edges.jump,
    calls: edges.call,
    indirectCalls: edges['indirect-call'],
    returns: edges.return,
    indirectJumps: edges.indirect,
    loads,
    stores,
    syscalls,
  };
}
