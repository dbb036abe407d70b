/** The picture of a hot control-flow graph, as inline SVG. Colours come from the page's style sheet. */
import { count, type Html, html, percent, plural, short } from './html-text.ts';
import { layout, type Point } from './layout.ts';
import type { GraphEdge, GraphNode, HotGraph } from './model.ts';

const NODE = { width: 166, height: 38 };
const MARGIN = 14;
/** Steps of the heat scale in the style sheet. */
const HEAT_STEPS = 6;
/** Characters that fit on a node. */
const LABEL_CHARACTERS = 22;

export interface Picture {
  /** In pixels at full size. */
  readonly width: number;
  readonly picture: Html;
}

/**
 * @param id prefix of the identifiers within the picture; unique on the page
 * @param title the picture's title
 * @param hottest instructions executed in the hottest block of either picture, which gets full heat
 */
export function graphPicture(graph: HotGraph, id: string, title: string, hottest: number): Picture {
  if (graph.nodes.length === 0) return { width: 0, picture: html`<p>No block was executed.</p>` };
  const mostTaken = Math.max(1, ...graph.edges.map((edge) => edge.count));
  const placed = layout(
    graph.nodes.map((node) => ({ id: node.id, ...NODE })),
    graph.edges.map((edge) => ({ from: edge.from, to: edge.to, weight: edge.count })),
    560,
  );
  const width = Math.ceil(placed.width + MARGIN * 2 + LOOP_WIDTH);
  const height = Math.ceil(placed.height + MARGIN * 2);
  const where = new Map(graph.nodes.map((node, index) => [node.id, placed.nodes[index]!]));
  const edges = graph.edges
    .map((edge, index) => ({ edge, points: placed.edges[index]! }))
    .sort((a, b) => a.edge.count - b.edge.count);
  const picture = html`<svg class="cfg" viewBox="${-MARGIN} ${-MARGIN} ${width} ${height}" width="${width}" height="${height}" style="--w:${width}px"
 role="img" aria-labelledby="${id}-title ${id}-text"><title id="${id}-title">${title}</title>
<desc id="${id}-text">${plural(graph.nodes.length, 'block')} with ${percent(graph.share)} of all executed instructions, and
 ${plural(graph.edges.length, 'edge')}. The hottest: ${hottestOf(graph)}.</desc>
<defs>${['fall', 'taken'].map(
    (kind) =>
      html`<marker id="${id}-${kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9"
 markerUnits="userSpaceOnUse" orient="auto"><path class="tip ${kind}" d="M0 0.5 8 4 0 7.5z"/></marker>`,
  )}</defs>
${edges.map(({ edge, points }) => edgePicture(edge, points, where.get(edge.from)!, id, mostTaken))}
${graph.nodes.map((node, index) => nodePicture(node, placed.nodes[index]!, hottest))}</svg>`;
  return { width, picture };
}

/** Pixels that a self loop takes at the right of its node. */
const LOOP_WIDTH = 26;

function hottestOf(graph: HotGraph): string {
  const hottest = [...graph.nodes].sort((a, b) => b.count * b.instructions - a.count * a.instructions).slice(0, 5);
  return hottest.map((node) => `${node.label} ${count(node.count)} times`).join(', ');
}

/** Does control go on at the next address? */
const falls = (edge: GraphEdge): boolean => edge.kind === 'fall' || edge.kind === 'syscall';

function edgePicture(edge: GraphEdge, points: readonly Point[], source: Point, id: string, most: number): Html {
  const kind = falls(edge) ? 'fall' : 'taken';
  const [start, ...rest] = points;
  const line = start === undefined ? selfLoop(source) : curve(start, rest);
  return html`<path class="edge ${kind}" d="${line}" stroke-width="${(1 + 4.5 * Math.sqrt(edge.count / most)).toFixed(1)}"
 marker-end="url(#${id}-${kind})"><title>${edge.kind}: ${count(edge.count)}</title></path>`;
}

function nodePicture(node: GraphNode, { x, y }: Point, hottest: number): Html {
  const work = node.count * node.instructions;
  const heat = Math.min(HEAT_STEPS, Math.round(HEAT_STEPS * Math.sqrt(work / Math.max(1, hottest))));
  const label =
    node.label.length > LABEL_CHARACTERS
      ? `${node.label.slice(0, LABEL_CHARACTERS - 9)}…${node.label.slice(-8)}`
      : node.label;
  return html`<g><title>${node.label} at ${node.address}: ${count(node.count)} times ${plural(node.instructions, 'instruction')}</title>
<rect class="h${heat}${node.superblock === undefined ? ' bare' : ''}" x="${place(x - NODE.width / 2)}" y="${place(y - NODE.height / 2)}" width="${NODE.width}" height="${NODE.height}" rx="5"/>
<text x="${place(x)}" y="${place(y - 3)}">${label}</text><text class="n" x="${place(x)}" y="${place(y + 12)}">${short(node.count)} × ${node.instructions}</text></g>`;
}

const place = (value: number): string => String(Math.round(value * 10) / 10);

/** A line through the points that is vertical at each of them. */
function curve(start: Point, rest: readonly Point[]): string {
  let line = `M${place(start.x)} ${place(start.y)}`;
  let a = start;
  for (const b of rest) {
    const middle = (a.y + b.y) / 2;
    line += ` C${place(a.x)} ${place(middle)} ${place(b.x)} ${place(middle)} ${place(b.x)} ${place(b.y)}`;
    a = b;
  }
  return line;
}

/** The curve of an edge to its own node: out at the bottom right, in at the top right. */
function selfLoop({ x, y }: Point): string {
  const right = x + NODE.width / 2;
  const low = y + NODE.height / 4;
  const high = y - NODE.height / 4;
  return `M${place(right)} ${place(low)} C${place(right + LOOP_WIDTH)} ${place(low + 8)} ${place(right + LOOP_WIDTH)} ${place(high - 8)} ${place(right)} ${place(high)}`;
}
