/** The hot part of a control-flow graph, for the picture. */
import { type Addr, hex, type InsnCount } from '../base/units.ts';
import { compareDestinations, OUTSIDE, type ProfiledBlock } from '../profile/profile.ts';
import type { Counts } from './counts.ts';
import type { GraphEdge, HotGraph } from './model.ts';
import { share } from './superblocks.ts';

/** A larger picture is not readable. */
const MOST_NODES = 40;
/** Share of all executed instructions that the blocks in the picture should hold, if MOST_NODES of them can. */
const SHOWN_SHARE = 0.98;

/**
 * The blocks at the hottest edges, then the heaviest others, up to MOST_NODES or SHOWN_SHARE; and all edges among them.
 * @param label names a block
 * @param superblock the head of the superblock that a block is in
 */
export function hotGraph(
  counts: Counts,
  label: (address: Addr) => string,
  superblock: (address: Addr) => Addr | undefined,
): HotGraph {
  const weight = (block: ProfiledBlock): InsnCount => block.insns * block.count;
  const byStart = new Map(counts.blocks.map((block) => [block.start, block]));
  const chosen: ProfiledBlock[] = [];
  let held = 0;
  const choose = (block: ProfiledBlock | undefined): void => {
    if (block === undefined || block.count === 0 || chosen.includes(block)) return;
    if (chosen.length >= MOST_NODES || held >= SHOWN_SHARE * counts.total) return;
    chosen.push(block);
    held += weight(block);
  };
  // The ends of the hottest edges first: a picture of hot blocks without edges among them shows no flow.
  for (const edge of [...counts.edges].sort(
    (a, b) => b.count - a.count || a.site - b.site || compareDestinations(a.to, b.to),
  )) {
    choose(byStart.get(edge.from));
    if (edge.to !== OUTSIDE) choose(byStart.get(edge.to));
  }
  for (const block of [...counts.blocks].sort((a, b) => weight(b) - weight(a) || a.start - b.start)) choose(block);
  chosen.sort((a, b) => a.start - b.start);
  const shown = new Set(chosen.map((block) => block.start));
  // Several edges of one kind between two blocks (jump table entries with the same target) become one line.
  const edges = new Map<string, GraphEdge>();
  for (const edge of counts.edges) {
    if (edge.count === 0 || edge.to === OUTSIDE || !shown.has(edge.from) || !shown.has(edge.to)) continue;
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
