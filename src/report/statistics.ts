/** What a run executed, by kind. */
import { facts } from '../domain/record.ts';
import type { EdgeKind } from '../profile/profile.ts';
import { instructionsAt, type ProfiledCode } from './counts.ts';
import type { Statistics } from './model.ts';

/**
 * Counts from blocks (instructions, memory accesses, syscalls, branches executed) and edges (where control went). An atomic
 * read-modify-write counts as a load and as a store.
 */
export function dynamicStatistics(code: ProfiledCode): Statistics {
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
  for (const edge of code.edges) edges[edge.kind] += edge.count;

  let instructions = 0;
  let branches = 0;
  let loads = 0;
  let stores = 0;
  let syscalls = 0;
  for (const block of code.blocks) {
    instructions += block.insns * block.count;
    for (const { insn } of instructionsAt(code.image, block.start, block.end)) {
      const fact = facts(insn);
      if (fact.load) loads += block.count;
      if (fact.store) stores += block.count;
      if (fact.control === 'branch') branches += block.count;
      if (fact.control === 'syscall') syscalls += block.count;
    }
  }
  return {
    instructions,
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
