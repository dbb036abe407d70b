/**
 * Draws a directed graph in layers (Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
 * structures", 1981): break cycles, assign layers, order each layer to cross little, place, route. Small graphs only; the same
 * graph gives the same picture.
 */

export interface LayoutNode {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}
export interface LayoutEdge {
  readonly from: string;
  readonly to: string;
  /** Heavier edges are kept forward, short and straight. */
  readonly weight: number;
}
export interface Point {
  readonly x: number;
  readonly y: number;
}
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** The middle of each node, in the order of the nodes given. */
  readonly nodes: readonly Point[];
  /** From source to target, in the order of the edges given; an edge to itself has no points. */
  readonly edges: readonly (readonly Point[])[];
}

const GAP_X = 26;
const GAP_Y = 40;
/** Width that a bend of a long edge takes. */
const BEND_WIDTH = 10;
const SWEEPS = 16;
/** At most so many nodes share a layer. */
const LAYER_NODES = 3;
/** From so many long edges at one node on, they share a line. */
const TRUNK_EDGES = 3;

interface Vertex {
  /** Index of the node, or -1 for a bend of a long edge. */
  readonly node: number;
  readonly width: number;
  readonly height: number;
  layer: number;
  /** Position within the layer, then the middle's coordinate. */
  order: number;
  x: number;
  y: number;
  /** Vertices in the next layer and in the layer before, with the edges' weights. */
  readonly below: Neighbour[];
  readonly above: Neighbour[];
}

interface Neighbour {
  readonly vertex: Vertex;
  weight: number;
  /** Indexes of the edges to this neighbour: parallel edges are neighbours of their own, edges of one trunk share a neighbour. */
  readonly links: Set<number>;
}

/** Lays out each connected part by itself, the heaviest first, and sets the parts in rows no wider than `rowWidth` if possible. */
export function layout(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[], rowWidth: number): Layout {
  const indexOf = new Map(nodes.map((node, index) => [node.id, index]));
  const links = edges.map((edge) => ({
    from: indexOf.get(edge.from)!,
    to: indexOf.get(edge.to)!,
    weight: edge.weight,
  }));
  const positions: Point[] = nodes.map(() => ({ x: 0, y: 0 }));
  const routes: Point[][] = edges.map(() => []);
  let left = 0;
  let top = 0;
  let rowHeight = 0;
  let width = 0;
  for (const part of connectedParts(nodes.length, links)) {
    const placed = layoutPart(nodes, part, links);
    if (left > 0 && left + placed.width > rowWidth) {
      left = 0;
      top += rowHeight + GAP_Y;
      rowHeight = 0;
    }
    const shift = ({ x, y }: Point): Point => ({ x: x + left, y: y + top });
    for (const [index, point] of placed.nodes) positions[index] = shift(point);
    for (const [index, points] of placed.edges) routes[index] = points.map(shift);
    left += placed.width + GAP_X * 2;
    width = Math.max(width, left - GAP_X * 2);
    rowHeight = Math.max(rowHeight, placed.height);
  }
  return { width, height: top + rowHeight, nodes: positions, edges: routes };
}

interface Link {
  readonly from: number;
  readonly to: number;
  readonly weight: number;
}

function connectedParts(size: number, links: readonly Link[]): number[][] {
  const parent = Array.from({ length: size }, (_, index) => index);
  const find = (index: number): number => (parent[index] === index ? index : (parent[index] = find(parent[index]!)));
  for (const { from, to } of links) parent[find(from)] = find(to);
  const parts = new Map<number, number[]>();
  for (let index = 0; index < size; index++) {
    const root = find(index);
    const part = parts.get(root);
    if (part) part.push(index);
    else parts.set(root, [index]);
  }
  const weight = (part: number[]) => links.reduce((sum, link) => sum + (part.includes(link.from) ? link.weight : 0), 0);
  return [...parts.values()].sort((a, b) => weight(b) - weight(a) || a[0]! - b[0]!);
}

function layoutPart(nodes: readonly LayoutNode[], part: readonly number[], allLinks: readonly Link[]) {
  const inPart = new Set(part);
  const links = allLinks
    .map((link, index) => ({ ...link, index }))
    .filter((link) => inPart.has(link.from) && link.from !== link.to);
  const backward = backEdges(part, links);
  const forward = links.map((link) =>
    backward.has(link.index) ? { ...link, from: link.to, to: link.from } : { ...link },
  );
  const layerOf = assignLayers(part, forward);

  const vertices = new Map<number, Vertex>();
  const layers: Vertex[][] = [];
  const add = (node: number, layer: number, width: number, height: number): Vertex => {
    const vertex: Vertex = { node, width, height, layer, order: 0, x: 0, y: 0, below: [], above: [] };
    (layers[layer] ??= []).push(vertex);
    return vertex;
  };
  for (const node of part) {
    const { width, height } = nodes[node]!;
    vertices.set(node, add(node, layerOf.get(node)!, width, height));
  }
  const chains = new Map<number, Vertex[]>();
  const bends = new Map<string, Vertex>();
  const trunkOf = trunks(forward, layerOf);
  for (const link of forward) {
    const source = vertices.get(link.from)!;
    const target = vertices.get(link.to)!;
    const chain = [source];
    const trunk = trunkOf(link);
    for (let layer = source.layer + 1; layer < target.layer; layer++) {
      const key = `${trunk} ${layer}`;
      const bend = bends.get(key) ?? add(-1, layer, BEND_WIDTH, 0);
      bends.set(key, bend);
      chain.push(bend);
    }
    chain.push(target);
    for (let index = 1; index < chain.length; index++) {
      const [upper, lower] = [chain[index - 1]!, chain[index]!];
      join(upper.below, lower, link);
      join(lower.above, upper, link);
    }
    chains.set(link.index, chain);
  }
  orderLayers(layers);
  placeVertices(layers);

  const points = new Map<number, Point[]>();
  for (const link of links) {
    const chain = chains.get(link.index)!;
    const route = routeOf(chain, link.index);
    points.set(link.index, backward.has(link.index) ? route.reverse() : route);
  }
  const all = layers.flat();
  return {
    width: Math.max(...all.map((vertex) => vertex.x + vertex.width / 2)),
    height: Math.max(...all.map((vertex) => vertex.y + vertex.height / 2)),
    nodes: new Map(part.map((node) => [node, { x: vertices.get(node)!.x, y: vertices.get(node)!.y }])),
    edges: points,
  };
}

/** Adds a neighbour; a bend that several edges of a trunk share is one neighbour. */
function join(neighbours: Neighbour[], vertex: Vertex, link: IndexedLink): void {
  const there = vertex.node < 0 ? neighbours.find((neighbour) => neighbour.vertex === vertex) : undefined;
  if (there === undefined) neighbours.push({ vertex, weight: link.weight, links: new Set([link.index]) });
  else {
    there.weight += link.weight;
    there.links.add(link.index);
  }
}

/**
 * Many long edges that leave one node, or enter one node, share the bends of a trunk (the targets of a jump table, the back edges of a
 * loop). Gives the name of each edge's trunk; an edge with a line of its own has a trunk of its own.
 */
function trunks(links: readonly IndexedLink[], layerOf: ReadonlyMap<number, number>): (link: IndexedLink) => string {
  const long = links.filter((link) => layerOf.get(link.to)! - layerOf.get(link.from)! > 1);
  const leaving = (link: Link) => long.filter(({ from }) => from === link.from).length;
  const entering = (link: Link) => long.filter(({ to }) => to === link.to).length;
  return (link) => {
    const out = leaving(link);
    const into = entering(link);
    if (Math.max(out, into) < TRUNK_EDGES) return `alone ${link.index}`;
    return out >= into ? `from ${link.from}` : `to ${link.to}`;
  };
}

type IndexedLink = Link & { readonly index: number };

/** Indexes of the links that close a cycle in a depth-first walk along the heaviest links, from nodes without entries first. */
function backEdges(part: readonly number[], links: readonly IndexedLink[]): Set<number> {
  const leaving = new Map<number, IndexedLink[]>(part.map((node) => [node, []]));
  const entered = new Set<number>();
  for (const link of links) {
    leaving.get(link.from)!.push(link);
    entered.add(link.to);
  }
  for (const list of leaving.values()) list.sort((a, b) => b.weight - a.weight || a.index - b.index);
  const back = new Set<number>();
  const state = new Map<number, 'open' | 'done'>();
  const visit = (node: number): void => {
    state.set(node, 'open');
    for (const link of leaving.get(node)!) {
      if (state.get(link.to) === 'open') back.add(link.index);
      else if (!state.has(link.to)) visit(link.to);
    }
    state.set(node, 'done');
  };
  for (const node of [...part.filter((node) => !entered.has(node)), ...part]) if (!state.has(node)) visit(node);
  return back;
}

/**
 * Every node is below its predecessors, as high as possible with at most LAYER_NODES nodes in a layer, the heavier ones first (a
 * branch with twenty targets would be unreadably wide otherwise). Then sources move down to just above their highest successor.
 */
function assignLayers(part: readonly number[], links: readonly Link[]): Map<number, number> {
  const open = new Map<number, number>(part.map((node) => [node, 0]));
  const weight = new Map<number, number>(part.map((node) => [node, 0]));
  for (const { from, to, weight: more } of links) {
    open.set(to, open.get(to)! + 1);
    weight.set(to, weight.get(to)! + more);
    weight.set(from, weight.get(from)! + more);
  }
  const layerOf = new Map<number, number>();
  const filled: number[] = [];
  const ready = part.filter((node) => open.get(node) === 0);
  const lowest = new Map<number, number>();
  while (ready.length > 0) {
    ready.sort((a, b) => (lowest.get(a) ?? 0) - (lowest.get(b) ?? 0) || weight.get(b)! - weight.get(a)! || a - b);
    const node = ready.shift()!;
    let layer = lowest.get(node) ?? 0;
    while ((filled[layer] ?? 0) >= LAYER_NODES) layer++;
    filled[layer] = (filled[layer] ?? 0) + 1;
    layerOf.set(node, layer);
    for (const { from, to } of links) {
      if (from !== node) continue;
      lowest.set(to, Math.max(lowest.get(to) ?? 0, layer + 1));
      open.set(to, open.get(to)! - 1);
      if (open.get(to) === 0) ready.push(to);
    }
  }
  const entered = new Set(links.map(({ to }) => to));
  for (const node of part) {
    if (entered.has(node)) continue;
    const next = links.filter(({ from }) => from === node).map(({ to }) => layerOf.get(to)!);
    const wanted = Math.min(...next) - 1;
    const layer = layerOf.get(node)!;
    if (next.length === 0 || wanted <= layer || filled[wanted]! >= LAYER_NODES || filled[layer] === 1) continue;
    filled[layer]!--;
    filled[wanted]!++;
    layerOf.set(node, wanted);
  }
  return layerOf;
}

/** Sweeps down and up by weighted barycenter; the order with the least weight of crossings is kept. */
function orderLayers(layers: readonly Vertex[][]): void {
  const number = () => {
    for (const layer of layers) for (const [index, vertex] of layer.entries()) vertex.order = index;
  };
  number();
  let best = layers.map((layer) => [...layer]);
  let fewest = crossings(layers);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const sequence = down ? layers : [...layers].reverse();
    for (const layer of sequence) {
      const wish = new Map(
        layer.map((vertex) => [vertex, barycenter(down ? vertex.above : vertex.below, vertex.order)]),
      );
      layer.sort((a, b) => wish.get(a)! - wish.get(b)! || a.order - b.order);
      for (const [index, vertex] of layer.entries()) vertex.order = index;
    }
    const now = crossings(layers);
    if (now < fewest) {
      fewest = now;
      best = layers.map((layer) => [...layer]);
    }
  }
  for (const [index, layer] of best.entries()) layers[index]!.splice(0, layer.length, ...layer);
  number();
}

function barycenter(neighbours: readonly Neighbour[], otherwise: number): number {
  let sum = 0;
  let weight = 0;
  for (const neighbour of neighbours) {
    sum += neighbour.vertex.order * neighbour.weight;
    weight += neighbour.weight;
  }
  return weight === 0 ? otherwise : sum / weight;
}

function crossings(layers: readonly Vertex[][]): number {
  let sum = 0;
  for (const layer of layers) {
    const edges = layer.flatMap((vertex) =>
      vertex.below.map((to) => ({ a: vertex.order, b: to.vertex.order, weight: to.weight })),
    );
    for (const [index, edge] of edges.entries())
      for (const other of edges.slice(index + 1))
        if ((edge.a - other.a) * (edge.b - other.b) < 0) sum += Math.min(edge.weight, other.weight);
  }
  return sum;
}

function placeVertices(layers: readonly Vertex[][]): void {
  let y = 0;
  for (const layer of layers) {
    const height = Math.max(...layer.map((vertex) => vertex.height));
    let x = 0;
    for (const vertex of layer) {
      vertex.x = x + vertex.width / 2;
      vertex.y = y + height / 2;
      x += vertex.width + GAP_X;
    }
    y += height + GAP_Y;
  }
  for (let sweep = 0; sweep < SWEEPS * 2; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) settle(layer, down);
  }
  const all = layers.flat();
  const left = Math.min(...all.map((vertex) => vertex.x - vertex.width / 2));
  for (const vertex of all) vertex.x = Math.round((vertex.x - left) * 10) / 10;
}

/**
 * Moves a layer's vertices as near as possible to the weighted mean of their neighbours, in the same order and with the same minimal
 * gaps: isotonic regression by pooling adjacent violators.
 */
function settle(layer: readonly Vertex[], down: boolean): void {
  const pools: { sum: number; weight: number; members: number }[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const [index, vertex] of layer.entries()) {
    const before = layer[index - 1];
    if (before !== undefined) offset += (before.width + vertex.width) / 2 + gap(before, vertex);
    offsets.push(offset);
    const neighbours = down ? vertex.above : vertex.below;
    const weight = neighbours.reduce((sum, neighbour) => sum + neighbour.weight, 0) || 0.001;
    const wish =
      neighbours.length === 0
        ? vertex.x
        : neighbours.reduce((sum, neighbour) => sum + neighbour.vertex.x * neighbour.weight, 0) / weight;
    pools.push({ sum: (wish - offset) * weight, weight, members: 1 });
    while (pools.length > 1 && mean(pools.at(-2)!) > mean(pools.at(-1)!)) {
      const last = pools.pop()!;
      const before = pools.at(-1)!;
      before.sum += last.sum;
      before.weight += last.weight;
      before.members += last.members;
    }
  }
  let index = 0;
  for (const pool of pools)
    for (let member = 0; member < pool.members; member++, index++) layer[index]!.x = mean(pool) + offsets[index]!;
}
const mean = (pool: { sum: number; weight: number }): number => pool.sum / pool.weight;

/** Bends may be closer to each other than boxes. */
const gap = (a: Vertex, b: Vertex): number =>
  a.node < 0 && b.node < 0 ? GAP_X / 3 : a.node < 0 || b.node < 0 ? GAP_X / 2 : GAP_X;

/** The points of an edge. Edges leave and enter a node side by side, ordered by the positions of their neighbours. */
function routeOf(chain: readonly Vertex[], link: number): Point[] {
  const first = chain[0]!;
  const last = chain.at(-1)!;
  const port = (vertex: Vertex, neighbours: readonly Neighbour[]): number => {
    const sorted = [...neighbours].sort(
      (a, b) => a.vertex.x - b.vertex.x || Math.min(...a.links) - Math.min(...b.links),
    );
    const rank = sorted.findIndex((neighbour) => neighbour.links.has(link));
    const room = Math.min(18, (vertex.width * 0.7) / Math.max(1, sorted.length));
    return vertex.x + (rank - (sorted.length - 1) / 2) * room;
  };
  return [
    { x: port(first, first.below), y: first.y + first.height / 2 },
    ...chain.slice(1, -1).map(({ x, y }) => ({ x, y })),
    { x: port(last, last.above), y: last.y - last.height / 2 },
  ];
}
