/**
 * Immediate dominators (Cooper, Harvey, Kennedy, "A simple, fast dominance algorithm", 2001). Implemented here, because graphology
 * and its companions have no dominators.
 */

/** A flow graph on nodes 0..n-1; node 0 is the entry. */
export interface FlowGraph {
  readonly successors: readonly (readonly number[])[];
}

export interface Dominators {
  /** The immediate dominator of each node; the entry's is itself; -1 for a node that the entry does not reach. */
  readonly immediate: Int32Array;
  /** Reachable nodes in reverse postorder. */
  readonly order: readonly number[];
  /** Does a dominate b (or equal it)? False if either is unreachable. */
  dominates(a: number, b: number): boolean;
}

/** Reverse postorder from node 0, without recursion. */
function reversePostorder({ successors }: FlowGraph): number[] {
  if (successors.length === 0) return [];
  const seen = new Uint8Array(successors.length);
  const next = new Int32Array(successors.length);
  const path = [0];
  const order: number[] = [];
  seen[0] = 1;
  while (path.length > 0) {
    const node = path.at(-1)!;
    const to = successors[node]![next[node]!++];
    if (to === undefined) order.push(path.pop()!);
    else if (seen[to] === 0) {
      seen[to] = 1;
      path.push(to);
    }
  }
  return order.reverse();
}

export function dominatorsOf(graph: FlowGraph): Dominators {
  const size = graph.successors.length;
  const order = reversePostorder(graph);
  const rank = new Int32Array(size).fill(-1);
  order.forEach((node, i) => {
    rank[node] = i;
  });
  const predecessors: number[][] = Array.from({ length: size }, () => []);
  for (const node of order) for (const to of graph.successors[node]!) predecessors[to]!.push(node);

  const immediate = new Int32Array(size).fill(-1);
  if (size > 0) immediate[0] = 0;
  const meet = (a: number, b: number): number => {
    let left = a;
    let right = b;
    while (left !== right) {
      while (rank[left]! > rank[right]!) left = immediate[left]!;
      while (rank[right]! > rank[left]!) right = immediate[right]!;
    }
    return left;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of order) {
      if (node === 0) continue;
      let best = -1;
      for (const from of predecessors[node]!) if (immediate[from] !== -1) best = best === -1 ? from : meet(from, best);
      if (immediate[node] !== best) {
        immediate[node] = best;
        changed = true;
      }
    }
  }

  // Preorder intervals of the dominator tree answer `dominates` in constant time. A dominator comes before the nodes that it
  // dominates in `order`, so subtree sizes add up backward and positions forward.
  const sizes = new Int32Array(size);
  for (const node of [...order].reverse()) {
    sizes[node]!++;
    if (node !== 0) sizes[immediate[node]!]! += sizes[node]!;
  }
  const position = new Int32Array(size).fill(-1);
  const used = new Int32Array(size);
  for (const node of order) {
    if (node === 0) {
      position[0] = 0;
      continue;
    }
    const parent = immediate[node]!;
    position[node] = position[parent]! + 1 + used[parent]!;
    used[parent]! += sizes[node]!;
  }
  return {
    immediate,
    order,
    dominates: (a, b) => position[a]! >= 0 && position[b]! >= position[a]! && position[b]! < position[a]! + sizes[a]!,
  };
}
