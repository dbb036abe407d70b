/**
 * Exact counts of a region's transfers from counters on few of its edges. Flow into a block equals flow out of it, so in one graph of the
 * region and its surroundings (one node stands for all code outside) only the edges beside a spanning tree need counters; the counts in the
 * tree follow (Knuth and Stevenson, "Optimal measurement points for program frequency counts", 1973). The tree is made of the edges
 * that are likely to be the hottest (Ball and Larus, "Optimally profiling and tracing programs", 1994).
 *
 * An exit from the middle of a block to the interpreter, which counts the transfers after it, is an edge to the outside with a counter of
 * its own. A call is an edge to the outside and its return another edge from there: a call that never returns breaks no equation.
 */
import { internal } from '../../base/errors.ts';
import type { Addr, InsnCount } from '../../base/units.ts';
import type { TransferCounts } from '../transfers.ts';
import type { Flow } from './flow.ts';

export interface Edge {
  readonly from: number;
  readonly to: number;
  /** The transfer along the edge, if there is one and it is not counted elsewhere. */
  readonly transfer: { readonly from: Addr; readonly to: Addr } | undefined;
  /** For the edge of the return that a call's return cell expects: the cell (see support.ts). */
  readonly returnCell: number | undefined;
  /** Address of the edge's i64 counter; undefined if the count follows from those of other edges, or nothing is counted. */
  cell: number | undefined;
}

/** The edges of a block's last instruction. */
export interface Exits {
  /** In the order of the block's successors; for calls, to the known callees, then to all others if the call is through a register. */
  readonly successors: readonly Edge[];
  /** To outside: a return, or an indirect jump to where the region does not go. */
  readonly out: Edge | undefined;
  /** Back from a call: by the return that its return cell expects, and by all others. */
  readonly returned: Edge | undefined;
  readonly returnedOtherwise: Edge | undefined;
}

/** Services of the engine for counting. */
export interface CountSource {
  /** Are transfers counted at all? */
  readonly counting: boolean;
  /** How often the interpreter has taken a branch or not taken it, or made a jump. */
  seen(record: number, taken: boolean): InsnCount;
  /** Takes zeroed bytes of the host area. */
  allocate(bytes: number): number;
  read(cell: number): InsnCount;
  /** Address of the return cell of a call. */
  returnCell(from: Addr, link: Addr): number;
  /** The return that a return cell expects. */
  returnOf(cell: number): { readonly from: Addr; readonly to: Addr };
}

/** An estimate: code in a loop runs so many times as often as the code around the loop. */
const LOOP_FACTOR = 8;

/** The edges of a region with their counters. */
export class EdgeCounts {
  protected readonly source: CountSource;
  protected readonly edges: Edge[];
  /** Counters of exits from the middle of blocks, by block. */
  protected readonly leftAt: Map<number, number>;
  /** The node that stands for all other code. */
  protected readonly outside: number;

  constructor(source: CountSource, outside: number, edges: Edge[] = [], leftAt = new Map<number, number>()) {
    this.source = source;
    this.outside = outside;
    this.edges = edges;
    this.leftAt = leftAt;
  }

  /** As numbers, for another run: 0 stands for a missing value. */
  *numbers(): Generator<number> {
    const edges = this.source.counting ? this.edges : [];
    yield* [this.outside, this.leftAt.size, edges.length];
    for (const pair of this.leftAt) yield* pair;
    for (const { from, to, cell, returnCell, transfer } of edges)
      yield* [from, to, cell ?? 0, returnCell ?? 0, transfer?.from ?? 0, transfer?.to ?? 0];
  }
  /** @param next gives the numbers, one by one */
  static of(next: () => number, source: CountSource): EdgeCounts {
    const [outside, left, edges] = [next(), next(), next()];
    const leftAt = new Map(Array.from({ length: left }, () => [next(), next()] as const));
    const all = Array.from({ length: edges }, (): Edge => {
      const [from, to, cell, returnCell] = [next(), next(), next() || undefined, next() || undefined];
      const transfer = { from: next(), to: next() };
      return { from, to, cell, returnCell, transfer: transfer.from === 0 ? undefined : transfer };
    });
    return new EdgeCounts(source, outside, all, leftAt);
  }

  /** Adds the counts so far. No code of the region may be running. */
  collect(counts: TransferCounts): void {
    const { counting, read, returnOf } = this.source;
    if (!counting) return;
    /** By node: flow out less flow in, along the edges whose counts are known. */
    const balance = new Float64Array(this.outside + 1);
    for (const [block, cell] of this.leftAt) balance[block]! += read(cell);
    const unknown: Set<Edge>[] = Array.from(balance, () => new Set());
    const know = (edge: Edge, count: InsnCount) => {
      balance[edge.from]! += count;
      balance[edge.to]! -= count;
      if (count === 0) return;
      if (edge.transfer !== undefined) counts.add(edge.transfer.from, edge.transfer.to, count);
      if (edge.returnCell === undefined) return;
      const { from, to } = returnOf(edge.returnCell);
      counts.add(from, to, count);
    };
    for (const edge of this.edges) {
      if (edge.cell !== undefined) know(edge, read(edge.cell));
      else for (const node of [edge.from, edge.to]) unknown[node]!.add(edge);
    }
    // The unknown edges are a forest, which is peeled from its leaves. No edge is solved at the outside: its flow is not all known.
    const ready = unknown.flatMap((edges, node) => (edges.size === 1 && node !== this.outside ? [node] : []));
    for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
      const [edge] = unknown[node]!;
      if (edge === undefined) continue;
      const count = edge.from === node ? -balance[node]! : balance[node]!;
      if (count < 0) throw internal(`translated code: ${count} transfers do not add up`);
      know(edge, count);
      for (const end of [edge.from, edge.to]) {
        unknown[end]!.delete(edge);
        if (unknown[end]!.size === 1 && end !== this.outside) ready.push(end);
      }
    }
    if (unknown.some((edges) => edges.size > 0)) throw internal('translated code: counts that do not follow');
  }
}

/** The counters of a region that is being made, with its edges by role, for the emitter. */
export class RegionCounts extends EdgeCounts {
  /** By entry of the region. */
  readonly entries: readonly Edge[];
  readonly exits: readonly Exits[];

  constructor({ region, entries, order, loops }: Flow, source: CountSource) {
    const { blocks } = region;
    const outside = blocks.length;
    super(source, outside);
    const depth = new Int32Array(blocks.length);
    for (const loop of loops.values()) for (const block of loop) depth[block]!++;
    const weights: number[] = [];
    const inflow = new Float64Array(outside + 1);
    const edge = (
      from: number,
      to: number,
      seen: number,
      transfer?: { readonly from: Addr; readonly to: Addr },
      returnCell?: number,
    ): Edge => {
      const made: Edge = { from, to: to < 0 ? outside : to, transfer, returnCell, cell: undefined };
      this.edges.push(made);
      const level = Math.min(from === outside ? 20 : depth[from]!, made.to === outside ? 20 : depth[made.to]!, 8);
      weights.push((seen + 1) * LOOP_FACTOR ** level);
      inflow[made.to]! += seen;
      return made;
    };
    this.entries = entries.map(({ block }) => edge(outside, block, 1));
    const exits: Exits[] = [];
    for (const index of order) {
      const { ending, insns, successors, expected = [] } = blocks[index]!;
      const at = insns.at(-1);
      const to = (target: Addr) => ({ from: at!.pc, to: target });
      const none = { successors: [], out: undefined, returned: undefined, returnedOtherwise: undefined };
      switch (ending) {
        case 'fall':
          exits[index] = { ...none, successors: [edge(index, successors[0]!.block, inflow[index]!)] };
          break;
        case 'goto':
        case 'branch':
        case 'switch': {
          const list = successors.map(({ pc, block }, i) => {
            const seen = ending === 'switch' ? inflow[index]! / successors.length : source.seen(at!.record, i === 0);
            return edge(index, block, seen, to(pc));
          });
          exits[index] = { ...none, successors: list, out: ending === 'switch' ? edge(index, -1, 0) : undefined };
          break;
        }
        case 'call': {
          const seen = inflow[index]!;
          const calls: Edge[] = [];
          if (at!.ending === 'goto') calls.push(edge(index, -1, seen, to(at!.target)));
          else {
            for (const target of expected) calls.push(edge(index, -1, seen / expected.length, to(target)));
            calls.push(edge(index, -1, expected.length === 0 ? seen : 0));
          }
          const [back] = successors;
          const cell = source.counting ? source.returnCell(at!.pc, back!.pc) : undefined;
          exits[index] = {
            successors: calls,
            out: undefined,
            returned: edge(outside, back!.block, seen, undefined, cell),
            returnedOtherwise: edge(outside, back!.block, 0),
          };
          break;
        }
        case 'return': {
          const list = successors.map(({ pc, block }) => edge(index, block, inflow[index]!, to(pc)));
          exits[index] = { ...none, successors: list, out: edge(index, -1, inflow[index]!) };
          break;
        }
        default:
          exits[index] = none;
      }
    }
    this.exits = exits;
    if (source.counting) this.#choose(weights);
  }

  /** The counter of exits from the middle of a block; undefined if nothing is counted. */
  left(block: number): number | undefined {
    const { counting, allocate } = this.source;
    if (!counting) return undefined;
    let cell = this.leftAt.get(block);
    if (cell === undefined) this.leftAt.set(block, (cell = allocate(8)));
    return cell;
  }

  /** Gives counters to all edges beside a spanning tree of largest weight (Kruskal). */
  #choose(weights: readonly number[]): void {
    const parent = Int32Array.from({ length: this.outside + 1 }, (_, i) => i);
    const root = (node: number): number => {
      let at = node;
      while (parent[at] !== at) at = parent[at] = parent[parent[at]!]!;
      return at;
    };
    const ranked = this.edges.map((_, i) => i).sort((a, b) => weights[b]! - weights[a]! || a - b);
    for (const i of ranked) {
      const edge = this.edges[i]!;
      const [a, b] = [root(edge.from), root(edge.to)];
      if (a === b) edge.cell = this.source.allocate(8);
      else parent[a] = b;
    }
  }
}
