/** The hot part of a control-flow graph, for the picture. */
import { type Addr, hex, type InsnCount } from '../base/units.ts';
import type { ProfiledBlock } from '../profile/profile.ts';
import type { Counts } from './counts.ts';
import type { GraphEdge, HotGraph } from './model.ts';
import { share } from './superblocks.ts';

/** A picture of more does not help. */
const MOST_NODES = 40;
/** What the blocks in the picture should hold of all executed instructions, if so few can. */
const ENOUGH = 0.98;

/**
 * The hottest blocks and the edges among them.
 * @param label names a block
 * @param superblock the head of the superblock that a block is in
 */
export function hotGraph(
  counts: Counts,
  label: (address: Addr) => string,
  superblock: (address: Addr) => Addr | undefined,
): HotGraph {
  const weight = (block: ProfiledBlock): InsnCount => block.insns * block.count;
  const byWeight = counts.blocks
    .filter((block) => block.count > 0)
    .sort((a, b) => weight(b) - weight(a) || a.start - b.start);
  const chosen: ProfiledBlock[] = [];
  let held = 0;
  for (const block of byWeight) {
    if (chosen.length >= MOST_NODES || held >= ENOUGH * counts.total) break;
    chosen.push(block);
    held += weight(block);
  }
  chosen.sort((a, b) => a.start - b.start);
  const shown = new Set(chosen.map((block) => block.start));
  // Several edges of one kind between two blocks (the targets of a table that share a block) are one line.
  const edges = new Map<string, GraphEdge>();
  for (const edge of counts.edges) {
    if (edge.count === 0 || !shown.has(edge.from) || !shown.has(edge.to)) continue;
    const key = `${edge.from} ${edge.to} ${edge.kind}`;
    const count = (edges.get(key)?.count ?? 0) + edge.count;
    edges.set(key, { from: hex(edge.from), to: hex(edge.to), kind: edge.kind, count });
  }
  return {
    nodes: chosen.map((block) => {
      const head = superblock(block.start);
      return {
        id: hex(block.start),
        address: hex(block.start),
        label: label(block.start),
        count: block.count,
        instructions: block.insns,
        ...(head === undefined ? {} : { superblock: hex(head) }),
      };
    }),
    edges: [...edges.values()].sort(
      (a, b) => Number(a.from) - Number(b.from) || Number(a.to) - Number(b.to) || (a.kind < b.kind ? -1 : 1),
    ),
    share: share(held, counts.total),
  };
}
