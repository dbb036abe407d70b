/** The flow graph of a region, ready for structured control flow. */
import { dominatorsOf } from '../../base/dominators.ts';
import type { Addr } from '../../base/units.ts';
import type { Block, Region, Successor } from './region.ts';

export interface Entry {
  readonly pc: Addr;
  readonly block: number;
  /** The loop headers on the way from block 0 to this entry, from the outermost one to the entry itself; none for the head. */
  readonly path: readonly number[];
}

export interface Flow {
  /** The region, with each edge into an irreducible loop turned into an edge that leaves. */
  readonly region: Region;
  /** The entries of the region; the head first. */
  readonly entries: readonly Entry[];
  /** Reachable blocks in reverse postorder. */
  readonly order: readonly number[];
  /** Position in `order`. */
  readonly rank: Int32Array;
  /** Blocks that a block immediately dominates. */
  readonly children: readonly (readonly number[])[];
  /** The blocks of each loop, its header among them, by header. All loops are natural ones: irreducible edges leave the region. */
  readonly loops: ReadonlyMap<number, ReadonlySet<number>>;
  /** Blocks that are branched to, because they are entered from several places or by a table; all other blocks are placed inline. */
  readonly merges: ReadonlySet<number>;
  /** Blocks at whose start the budget is checked: no cycle, and no path longer than `bound`, is without a check. */
  readonly checks: ReadonlySet<number>;
  /** By block: the most instructions from its start to the next check or exit. */
  readonly bound: Int32Array;
}

/** Most levels of the dominator tree: code is emitted by recursion over the tree. Deeper blocks are left to other regions. */
const MOST_DEPTH = 300;

/** Entries of a region besides its head. */
const MOST_ENTRIES = 24;

/** The region with all edges to some blocks turned into edges that leave. */
const without = (region: Region, gone: (block: number) => boolean): Region => ({
  ...region,
  blocks: region.blocks.map((block) => ({
    ...block,
    successors: block.successors.map((to) => (to.block >= 0 && gone(to.block) ? { pc: to.pc, block: -1 } : to)),
  })),
});

const inside = ({ blocks }: Region): number[][] =>
  blocks.map(({ successors, dispatch }) => [
    ...successors.filter(({ block }) => block >= 0).map(({ block }) => block),
    ...(dispatch ?? []),
  ]);

/** The flow of a region that is entered at its head and, so that the interpreter can get back into it, at its loops' headers. */
export function flowOf(original: Region): Flow {
  const plain = analyse(original, MOST_DEPTH);
  const { loops, order } = plain;
  const headers = order.filter((block) => block !== 0 && loops.has(block)).slice(0, MOST_ENTRIES);
  if (headers.length === 0) return plain;
  // A new block 0 dispatches to the entries; an inner loop is entered through the outer loop's header, so that each loop keeps one entry.
  const { region } = plain;
  const dispatch: Set<number>[] = Array.from({ length: region.blocks.length + 1 }, () => new Set());
  const entries: Entry[] = [{ pc: region.head, block: 1, path: [] }];
  for (const header of headers) {
    const around = [...loops].filter(([, loop]) => loop.has(header)).sort(([, a], [, b]) => b.size - a.size);
    const path = around.map(([block]) => block + 1);
    entries.push({ pc: region.blocks[header]!.pc, block: header + 1, path });
    let from = 0;
    for (const block of path) {
      if (from !== 0 || block !== 1) dispatch[from]!.add(block);
      from = block;
    }
  }
  const blocks: Block[] = region.blocks.map((block, index) => ({
    ...block,
    successors: block.successors.map(({ pc, block: to }) => ({ pc, block: to < 0 ? to : to + 1 })),
    dispatch: [...dispatch[index + 1]!],
  }));
  const enter: Block = {
    pc: region.head,
    insns: [],
    ending: 'enter',
    successors: [{ pc: region.head, block: 1 }],
    dispatch: [...dispatch[0]!],
  };
  // The new block makes the dominator tree one level deeper, and no more.
  return { ...analyse({ head: region.head, blocks: [enter, ...blocks] }, MOST_DEPTH + 1), entries };
}

function analyse(original: Region, deepestAllowed: number): Flow {
  const given = inside(original);
  const first = dominatorsOf({ successors: given });
  const rank = new Int32Array(original.blocks.length).fill(-1);
  first.order.forEach((block, i) => {
    rank[block] = i;
  });
  const backward = (from: number, to: number) => rank[to]! <= rank[from]!;
  const irreducible = (from: number, { block: to }: Successor) =>
    to >= 0 && backward(from, to) && !first.dominates(to, from);
  const reducible = !original.blocks.some(({ successors: list }, from) => list.some((to) => irreducible(from, to)));
  const region: Region = reducible
    ? original
    : {
        head: original.head,
        blocks: original.blocks.map((block, from) => ({
          ...block,
          successors: block.successors.map((to) => (irreducible(from, to) ? { pc: to.pc, block: -1 } : to)),
        })),
      };
  // Back edges are never in the depth-first tree, so the order stays a reverse postorder; but immediate dominators may be nearer now.
  const successors = reducible ? given : inside(region);
  const { immediate } = reducible ? first : dominatorsOf({ successors });
  const { order } = first;
  const children: number[][] = successors.map(() => []);
  const depth = new Int32Array(successors.length);
  let deepest = 0;
  for (const block of order) {
    if (block === 0) continue;
    children[immediate[block]!]!.push(block);
    depth[block] = depth[immediate[block]!]! + 1;
    deepest = Math.max(deepest, depth[block]);
  }
  if (deepest > deepestAllowed)
    return analyse(
      without(region, (block) => depth[block]! > deepestAllowed),
      deepestAllowed,
    );

  const latches = new Map<number, number[]>();
  const merges = new Set<number>();
  // In a region with several entries the head's block checks the budget in place of block 0.
  const checks = new Set<number>([region.blocks[0]!.ending === 'enter' ? 1 : 0]);
  const entries = new Int32Array(successors.length);
  for (const from of order) {
    const { ending, dispatch } = region.blocks[from]!;
    for (const to of dispatch ?? []) merges.add(to);
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
  const loops = loopsOf(successors, latches);
  const only: Entry = { pc: region.head, block: 0, path: [] };
  return { region, entries: [only], order, rank, children, loops, merges, checks, bound };
}

/** Natural loops by header: the blocks from which a latch is reached without passing the header. */
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
