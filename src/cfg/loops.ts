/**
 * Natural loops of a function: a header, and the blocks that reach a back edge to the header without passing through it. A cycle that is
 * entered at more than one place has no header that dominates it: such a cycle is no loop here, and the function is flagged as irreducible.
 *
 * A graph is reducible if it has no cycle without its back edges, the edges to a dominator (Hecht and Ullman, 1974); graphology-dag looks
 * for the cycle.
 */
import { DirectedGraph } from 'graphology';
import { hasCycle } from 'graphology-dag';
import type { Addr } from '../base/units.ts';
import type { Cfg } from './build.ts';
import { type Dominators, dominatorsOf } from './dominators.ts';

export interface Loop {
  readonly header: Addr;
  /** Starts of the loop's blocks, rising; header and inner loops included. */
  readonly blocks: readonly Addr[];
  /** Sources of the loop's back edges, rising. */
  readonly latches: readonly Addr[];
  /** Header of the next loop around this one. */
  readonly parent: Addr | undefined;
  /** 1 for an outermost loop. */
  readonly depth: number;
}

export interface LoopForest {
  /** By header, rising. */
  readonly loops: readonly Loop[];
  /** The function has a cycle with more than one entry. */
  readonly irreducible: boolean;
  /** Number of loops that a block is in. */
  depthOf(block: Addr): number;
}

/** Blocks of a function as numbered nodes, and the flow between them. */
interface FunctionFlow {
  /** Block starts, rising; node i + 1 is starts[i], node 0 stands for all code outside the function. */
  readonly starts: readonly Addr[];
  readonly successors: readonly (readonly number[])[];
}

/**
 * Control may enter a function at its entry, at targets of jumps from other functions, and at blocks without a predecessor in the function
 * (targets of unseen indirect jumps, landing pads). All these are successors of the node for the outside, so that dominance holds for
 * every way in.
 */
function functionFlow(cfg: Cfg, entry: Addr): FunctionFlow {
  const starts = cfg.functions.get(entry)?.blocks ?? [];
  const node = new Map(starts.map((start, i) => [start, i + 1]));
  const successors: number[][] = [[]];
  const entered = new Set<number>();
  for (const start of starts) successors.push(cfg.blockAt(start)!.flow.flatMap((to) => node.get(to) ?? []));
  const reached = new Set(successors.flat());
  starts.forEach((start, i) => {
    if (start === entry || !reached.has(i + 1) || cfg.enteredFromOutside(start)) entered.add(i + 1);
  });
  successors[0] = [...entered];
  // A cycle that is not reached from outside: its first block in address order is taken for its entry.
  const seen = new Uint8Array(successors.length);
  const spread = (from: number) => {
    const pending = [from];
    seen[from] = 1;
    for (let at = pending.pop(); at !== undefined; at = pending.pop())
      for (const to of successors[at]!)
        if (seen[to] === 0) {
          seen[to] = 1;
          pending.push(to);
        }
  };
  spread(0);
  for (let i = 1; i < successors.length; i++)
    if (seen[i] === 0) {
      successors[0].push(i);
      spread(i);
    }
  return { starts, successors };
}

/** Dominators within a function. @returns for each block the start of its immediate dominator; undefined if that is the outside */
export function functionDominators(cfg: Cfg, entry: Addr): Map<Addr, Addr | undefined> {
  const flow = functionFlow(cfg, entry);
  const { immediate } = dominatorsOf(flow);
  return new Map(
    flow.starts.map((start, i) => [start, immediate[i + 1]! > 0 ? flow.starts[immediate[i + 1]! - 1]! : undefined]),
  );
}

/** The loops of one function. */
export function loopsOf(cfg: Cfg, entry: Addr): LoopForest {
  const { starts, successors } = functionFlow(cfg, entry);
  const found = naturalLoops(successors, dominatorsOf({ successors }));
  const loops = found.loops.map(({ header, blocks, latches, parent, depth }): Loop => {
    const address = (node: number): Addr => starts[node - 1]!;
    return {
      header: address(header),
      blocks: blocks.map(address),
      latches: latches.map(address),
      parent: parent === undefined ? undefined : address(parent),
      depth,
    };
  });
  const depth = new Map<Addr, number>();
  for (const loop of loops)
    for (const start of loop.blocks) depth.set(start, Math.max(depth.get(start) ?? 0, loop.depth));
  return { loops, irreducible: found.irreducible, depthOf: (block) => depth.get(block) ?? 0 };
}

interface NumberedLoop {
  readonly header: number;
  readonly blocks: readonly number[];
  readonly latches: readonly number[];
  readonly parent: number | undefined;
  readonly depth: number;
}

/** Loops of a flow graph by rising header; all lists are rising. Unreachable nodes are in no loop. */
export function naturalLoops(
  successors: readonly (readonly number[])[],
  dominators: Dominators,
): { loops: NumberedLoop[]; irreducible: boolean } {
  const predecessors: number[][] = successors.map(() => []);
  const latches = new Map<number, number[]>();
  const forward = new DirectedGraph();
  for (const node of dominators.order) forward.addNode(node);
  for (const node of dominators.order)
    for (const to of new Set(successors[node]!)) {
      predecessors[to]!.push(node);
      if (!dominators.dominates(to, node)) forward.addDirectedEdge(node, to);
      else if (latches.has(to)) latches.get(to)!.push(node);
      else latches.set(to, [node]);
    }

  const bodies = [...latches].map(([header, from]) => {
    const body = new Set([header]);
    const pending = from.filter((node) => node !== header);
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (body.has(at)) continue;
      body.add(at);
      pending.push(...predecessors[at]!);
    }
    return { header, body, from };
  });
  // Natural loops with different headers are disjoint or nested; the smallest other loop that contains a header is the parent.
  bodies.sort((a, b) => a.body.size - b.body.size || a.header - b.header);
  const parents = new Map<number, number>();
  bodies.forEach(({ header }, i) => {
    const around = bodies.slice(i + 1).find(({ body }) => body.has(header));
    if (around !== undefined) parents.set(header, around.header);
  });
  const depthOf = (header: number): number => {
    let depth = 1;
    for (let at = parents.get(header); at !== undefined; at = parents.get(at)) depth++;
    return depth;
  };
  const rising = (a: number, b: number) => a - b;
  const loops = bodies.map(
    ({ header, body, from }): NumberedLoop => ({
      header,
      blocks: [...body].sort(rising),
      latches: [...from].sort(rising),
      parent: parents.get(header),
      depth: depthOf(header),
    }),
  );
  return { loops: loops.sort((a, b) => a.header - b.header), irreducible: hasCycle(forward) };
}
