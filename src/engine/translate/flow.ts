/** The flow graph of a region, ready for structured control flow. */
import { dominatorsOf } from '../../base/dominators.ts';
import type { Region } from './region.ts';

export interface Flow {
  /** The region, with each edge into an irreducible loop turned into one that leaves. */
  readonly region: Region;
  /** Reachable blocks in reverse postorder. */
  readonly order: readonly number[];
  /** Position in `order`. */
  readonly rank: Int32Array;
  /** Blocks that a block immediately dominates. */
  readonly children: readonly (readonly number[])[];
  /** The blocks of each loop, its header among them, by header. All loops are natural ones: irreducible edges leave the region. */
  readonly loops: ReadonlyMap<number, ReadonlySet<number>>;
  /** Blocks that are branched to, because they are entered from several places or by a table; the others are entered once, inline. */
  readonly merges: ReadonlySet<number>;
  /** Blocks at whose start the budget is looked at: no path goes round, and none is longer than `bound`, without one. */
  readonly checks: ReadonlySet<number>;
  /** By block: the most instructions from its start to the next check or exit. */
  readonly bound: Int32Array;
}

/** Blocks dominate each other so deep at most: code is emitted by recursion over them. What is deeper is left to other regions. */
const MOST_DEPTH = 300;

/** The region with all edges to some blocks turned into ones that leave. */
const without = (region: Region, gone: (block: number) => boolean): Region => ({
  ...region,
  blocks: region.blocks.map((block) => ({
    ...block,
    successors: block.successors.map((to) => (to.block >= 0 && gone(to.block) ? { pc: to.pc, block: -1 } : to)),
  })),
});

export function flowOf(original: Region): Flow {
  const inside = (region: Region) =>
    region.blocks.map(({ successors }) => successors.filter(({ block }) => block >= 0).map(({ block }) => block));
  const first = dominatorsOf({ successors: inside(original) });
  const rank = new Int32Array(original.blocks.length).fill(-1);
  first.order.forEach((block, i) => {
    rank[block] = i;
  });
  const backward = (from: number, to: number) => rank[to]! <= rank[from]!;
  const region: Region = {
    head: original.head,
    blocks: original.blocks.map((block, from) => ({
      ...block,
      successors: block.successors.map((to) =>
        to.block >= 0 && backward(from, to.block) && !first.dominates(to.block, from) ? { pc: to.pc, block: -1 } : to,
      ),
    })),
  };
  // Edges that go back are never in the depth-first tree, so the order stays one; but blocks may have got nearer dominators.
  const successors = inside(region);
  const { immediate } = dominatorsOf({ successors });
  const { order } = first;
  const children: number[][] = successors.map(() => []);
  const depth = new Int32Array(successors.length);
  let deepest = 0;
  for (const block of order) {
    if (block === 0) continue;
    children[immediate[block]!]!.push(block);
    depth[block] = depth[immediate[block]!]! + 1;
    deepest = Math.max(deepest, depth[block]!);
  }
  if (deepest > MOST_DEPTH) return flowOf(without(region, (block) => depth[block]! > MOST_DEPTH));

  const latches = new Map<number, number[]>();
  const merges = new Set<number>();
  const checks = new Set<number>([0]);
  const entries = new Int32Array(successors.length);
  for (const from of order) {
    const { ending } = region.blocks[from]!;
    for (const to of successors[from]!) {
      if (backward(from, to)) {
        const known = latches.get(to);
        if (known === undefined) latches.set(to, [from]);
        else known.push(from);
        checks.add(to);
      } else if (++entries[to]! > 1 || ending === 'switch') merges.add(to);
      if (ending === 'call') checks.add(to);
    }
  }
  const bound = new Int32Array(successors.length);
  for (const block of [...order].reverse()) {
    let most = 0;
    for (const to of successors[block]!) if (!checks.has(to)) most = Math.max(most, bound[to]!);
    bound[block] = region.blocks[block]!.insns.length + most;
  }
  return { region, order, rank, children, loops: loopsOf(successors, latches), merges, checks, bound };
}

/** Everything from which a latch is reached without passing the header. */
function loopsOf(
  successors: readonly (readonly number[])[],
  latches: ReadonlyMap<number, readonly number[]>,
): Map<number, Set<number>> {
  const predecessors: number[][] = successors.map(() => []);
  for (const [from, list] of successors.entries()) for (const to of list) predecessors[to]!.push(from);
  const loops = new Map<number, Set<number>>();
  for (const [header, from] of latches) {
    const loop = new Set([header]);
    const queue = [...from];
    for (let block = queue.pop(); block !== undefined; block = queue.pop()) {
      if (loop.has(block)) continue;
      loop.add(block);
      queue.push(...predecessors[block]!);
    }
    loops.set(header, loop);
  }
  return loops;
}
