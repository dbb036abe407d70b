/**
 * Trace selection: which paths become superblocks. Seeds are taken by count and grown backward into callers, so that hot callees are
 * reached through their callers' traces. Traces then grow forward along the likelier edges, through jumps, returns, and calls whose return
 * is reached. At last closure: every exit target with enough flow gets a trace of its own, so that no hot path falls back into the original
 * code.
 *
 * A trace that comes to another trace's head goes on and copies the blocks behind the join, and a loop is unrolled, where the copy runs
 * often enough for its bytes: a copy saves a jump and lets the passes see more (tail duplication; Hwu et al., The Superblock, 1993).
 */
import type { Addr, InsnCount } from '../base/units.ts';
import type { Flow, FlowBlock } from './flow.ts';
import { Growth, type GrowthLimits } from './growth.ts';
import { whyNotTaken, whyNoWay } from './stop-rules.ts';
import { countSteps, type Trace, traceExits } from './trace.ts';

export interface SelectOptions extends GrowthLimits {
  /** Blocks that run at least this share of all instructions are covered (weight = count times instructions). */
  readonly coldShare: number;
  /** Exit targets with at least this share of all instructions as flow times length get a trace of their own. */
  readonly closureShare: number;
}

export const DEFAULT_SELECT: SelectOptions = {
  maxInsns: 160,
  maxDepth: 5,
  maxInline: 80,
  coldShare: 2e-5,
  closureShare: 1e-5,
  maxCopied: 100,
  copyArrival: 0.15,
  copyShare: 3e-5,
  minArrival: 0.1,
  unroll: 8,
  maxUnrolled: 160,
  guardShare: 2,
  guardShareInlined: 0.95,
};

const CLOSURE_ROUNDS = 12;
const RELAXATION_ROUNDS = 8;

/** May a superblock begin with a block? */
const canHead = (block: FlowBlock | undefined): block is FlowBlock =>
  block !== undefined && !block.reserved && !(block.stays && block.insns.length === 1);

/**
 * Follows the likelier successors from a head until a rule stops the trace.
 * @param heads of other traces
 */
export function growTrace(flow: Flow, head: Addr, heads: ReadonlySet<Addr>, limits: GrowthLimits): Trace | undefined {
  const first = flow.blocks.get(head);
  if (!canHead(first)) return undefined;
  const growth = new Growth(flow, first, heads, limits);
  for (;;) {
    const way = growth.wayOn();
    if (way === undefined) return growth.finish(undefined, whyNoWay(growth.last));
    const why = whyNotTaken(growth, way);
    if (why !== undefined) return growth.finish(way, why);
    growth.take(way);
  }
}

/** Grows a seed backward along edges with the majority of the inflow, into callers too, but never around a loop. @returns the head */
function growBackward(flow: Flow, seed: Addr, stopAt: ReadonlySet<Addr>): Addr {
  const walked = new Set<Addr>([seed]);
  let at = seed;
  for (;;) {
    const block = flow.blocks.get(at)!;
    const caller = flow.callBefore.get(at);
    let from: Addr | undefined;
    if (caller !== undefined && block.into.every((edge) => edge.kind === 'return')) from = caller.start;
    else {
      const best = block.into.find((edge) => !flow.retreats(edge.from, at) && edge.kind !== 'return');
      if (
        best !== undefined &&
        best.count * 2 > block.count &&
        best.kind !== 'indirect' &&
        best.kind !== 'indirect-call'
      )
        from = best.from;
    }
    if (from === undefined || walked.has(from) || stopAt.has(from)) return at;
    const before = flow.blocks.get(from);
    if (!canHead(before) || before.stays) return at;
    walked.add(from);
    at = from;
  }
}

export interface Selection {
  readonly traces: readonly Trace[];
  /** By head: the estimated number of entries of each trace. */
  readonly entries: ReadonlyMap<Addr, InsnCount>;
}

/**
 * Selects all traces of a profile.
 * @param attempt grows one trace: undefined if there is none, or if growing has failed
 */
export function selectTraces(
  flow: Flow,
  options: SelectOptions = DEFAULT_SELECT,
  attempt: (head: Addr, grow: () => Trace | undefined) => Trace | undefined = (_, grow) => grow(),
): Selection {
  const heads = new Set<Addr>();
  const traces = new Map<Addr, Trace>();
  const covered = new Set<Addr>();
  const add = (head: Addr): boolean => {
    if (heads.has(head)) return false;
    const trace = attempt(head, () => growTrace(flow, head, heads, options));
    if (trace === undefined) return false;
    heads.add(head);
    traces.set(head, trace);
    for (const step of trace.steps) covered.add(step.block.start);
    return true;
  };

  const cold = flow.instructions * options.coldShare;
  for (const block of flow.hottest) {
    if (block.count * block.insns.length < cold || covered.has(block.start) || !canHead(block)) continue;
    add(growBackward(flow, block.start, covered));
    // The trace from the head found backward need not pass this block.
    if (!covered.has(block.start)) add(block.start);
  }

  // Closure. Every round collects the exit targets of the traces so far, and gives the hottest of them traces of their own.
  const worth = flow.instructions * options.closureShare;
  let entries = estimateEntries(flow, traces);
  for (let round = 0; round < CLOSURE_ROUNDS; round++) {
    const wanted = new Map<Addr, number>();
    for (const trace of traces.values())
      for (const exit of traceExits(flow, trace, entries.get(trace.head) ?? 0))
        wanted.set(exit.target, (wanted.get(exit.target) ?? 0) + exit.count);
    let grown = false;
    for (const [target, count] of [...wanted].sort((a, b) => b[1] - a[1] || a[0] - b[0])) {
      const block = flow.blocks.get(target);
      if (block !== undefined && count * Math.max(8, block.insns.length) >= worth && add(target)) grown = true;
    }
    if (!grown) break;
    entries = estimateEntries(flow, traces);
  }
  return { traces: [...traces.values()], entries };
}

/**
 * The number of entries of each trace. The count of a head is the number of entries of its trace plus the number of times that the
 * block is passed within other traces, whose flow in turn comes from their entries. Solved by a few rounds of relaxation.
 */
function estimateEntries(flow: Flow, traces: ReadonlyMap<Addr, Trace>): Map<Addr, InsnCount> {
  const entries = new Map<Addr, number>();
  for (const head of traces.keys()) entries.set(head, flow.blocks.get(head)!.count);
  for (let round = 0; round < RELAXATION_ROUNDS; round++) {
    const passed = new Map<Addr, number>();
    for (const trace of traces.values())
      countSteps(flow, trace, entries.get(trace.head)!, (step, _, times) => {
        const { start } = step.block;
        if (step !== trace.steps[0]) passed.set(start, (passed.get(start) ?? 0) + times);
      });
    for (const head of traces.keys()) {
      const exact = Math.max(0, flow.blocks.get(head)!.count - (passed.get(head) ?? 0));
      // Damped: the estimates of two traces through each other's heads would oscillate otherwise.
      entries.set(head, (entries.get(head)! + exact) / 2);
    }
  }
  return entries;
}
