/**
 * List scheduling of the whole line.
 *
 * What: the ops are reordered so that an in-order core that issues two instructions at a time waits less (the model of src/cost): ops at
 * the start of a long dependence chain come early, ops that can issue together stand together.
 * Why it is safe: the order keeps every dependence (superblock/dependences.ts), and the checker sees that homes, effects and exits are
 * kept.
 * Risk: the model is not the core that the program runs on. An order is taken only where the model finds it better, weighted by how often
 * each exit is taken: work that moves above an exit is wasted when that exit is taken.
 */
import type { Timing } from '../src/cost/core.ts';
import { type CountedExits, cyclesToExits } from '../src/cost/exits.ts';
import { Pipeline } from '../src/cost/pipeline.ts';
import type { ExtensionSet } from '../src/isa/extensions.ts';
import { type Dependence, dependencesOf } from '../src/superblock/dependences.ts';
import type { Superblock } from '../src/superblock/form.ts';
import { withOtherHomes } from '../src/superblock/other-homes.ts';
import type { Pass, PassContext } from '../src/superblock/pass.ts';
import { timingsOf } from '../src/superblock/run-cost.ts';
import type { SuperblockTerms } from '../src/superblock/terms.ts';
import { weightOf } from '../src/superblock/weight.ts';

/** Other homes can make instructions longer, so they must save this share of the cost. */
const MIN_GAIN_SHARE = 0.005;

/** An order, as positions in the line. */
type Order = readonly number[];

/** A line as work for a core. */
interface Line extends CountedExits {
  readonly timings: readonly Timing[];
  readonly needs: readonly (readonly Dependence[])[];
  /** By position: the number of ops that the op depends on, and the positions of the ops that depend on it. */
  readonly waits: readonly number[];
  readonly followers: readonly (readonly number[])[];
  /** The final exit leads back to the head. */
  readonly loops: boolean;
}

function lineOf(superblock: Superblock, terms: SuperblockTerms, machine: ExtensionSet | undefined): Line {
  const { ops, final } = superblock;
  const needs = dependencesOf(superblock, terms, machine);
  const followers: number[][] = needs.map(() => []);
  const waits = needs.map((list, position) => {
    let count = 0;
    for (const { on } of list) {
      if (followers[on]!.at(-1) === position) continue;
      followers[on]!.push(position);
      count++;
    }
    return count;
  });
  return {
    timings: timingsOf(superblock),
    needs,
    waits,
    followers,
    leaves: ops.map((op) => op.exit?.count ?? 0),
    ends: final.exit.count,
    loops: final.exit.target === superblock.head,
  };
}

/** Cycles over all entries: the time to each exit, times its count. A loop is timed behind a first iteration. */
function costOf(line: Line, order: Order): number {
  const { timings, loops } = line;
  const pipeline = new Pipeline();
  if (loops) {
    for (const position of order) pipeline.issue(timings[position]!);
    pipeline.turn();
  }
  return cyclesToExits(pipeline, timings, line, order);
}

/** Cycles between the issue of an op and the issue of an op that depends on it. */
function delay({ timings }: Line, { on, through }: Dependence, reader: number): number {
  if (through === undefined) return 0;
  const { latency, lateLatency } = timings[on]!;
  return timings[reader]!.late.includes(through) ? lateLatency : latency;
}

/** For each op the length in cycles of the longest dependence chain from it to each exit, weighted by how often the exit is taken. */
function heights(line: Line): Float64Array {
  const { needs, leaves, ends } = line;
  const all = new Float64Array(needs.length);
  const total = leaves.reduce((sum, each) => sum + each, ends);
  const toExit = new Int32Array(needs.length);
  const weigh = (last: number, weight: number) => {
    if (weight <= 0) return;
    for (let position = last; position >= 0; position--) {
      const here = toExit[position]!;
      if (here < 0) continue;
      all[position]! += (weight / total) * (here + 1);
      for (const need of needs[position]!)
        toExit[need.on] = Math.max(toExit[need.on]!, here + delay(line, need, position));
    }
  };
  leaves.forEach((weight, position) => {
    toExit.fill(-1);
    toExit[position] = 0;
    weigh(position, weight);
  });
  toExit.fill(0);
  weigh(needs.length - 1, ends);
  return all;
}

/** List scheduling: of the ready ops, the one that can issue earliest is next; among equals the most urgent, then the first in the line. */
function listOrder({ timings, waits, followers }: Line, urgency: (position: number) => number): number[] {
  const waiting = waits.slice();
  const ready = waiting.flatMap((count, position) => (count === 0 ? [position] : []));
  const pipeline = new Pipeline();
  const order: number[] = [];
  while (ready.length > 0) {
    let best = 0;
    let bestAt = Number.POSITIVE_INFINITY;
    let bestUrgency = 0;
    for (let index = 0; index < ready.length; index++) {
      const position = ready[index]!;
      const at = pipeline.when(timings[position]!);
      const urgent = urgency(position);
      const better =
        at !== bestAt ? at < bestAt : urgent !== bestUrgency ? urgent > bestUrgency : position < ready[best]!;
      if (!better) continue;
      [best, bestAt, bestUrgency] = [index, at, urgent];
    }
    const [position] = ready.splice(best, 1) as [number];
    pipeline.issue(timings[position]!);
    order.push(position);
    for (const follower of followers[position]!) if (--waiting[follower]! === 0) ready.push(follower);
  }
  return order;
}

/** The superblock in the best of three orders (its own, by chain length, by issue time alone), with the cost of that order. */
function bestOrder(
  superblock: Superblock,
  terms: SuperblockTerms,
  machine: ExtensionSet | undefined,
): { superblock: Superblock; cost: number } {
  const line = lineOf(superblock, terms, machine);
  const chain = heights(line);
  const own = superblock.ops.map((_, position) => position);
  let best = own;
  let least = costOf(line, own);
  for (const order of [listOrder(line, (position) => chain[position]!), listOrder(line, () => 0)]) {
    const cost = costOf(line, order);
    if (cost < least) [best, least] = [order, cost];
  }
  return {
    superblock: best === own ? superblock : { ...superblock, ops: best.map((position) => superblock.ops[position]!) },
    cost: least,
  };
}

/** A better superblock, or undefined. Other homes may need more moves at exits; each move is counted as a cycle. */
function improve(superblock: Superblock, { termsOf, machine }: PassContext): Superblock | undefined {
  const terms = termsOf(superblock);
  const plain = bestOrder(superblock, terms, machine);
  const other = withOtherHomes(superblock);
  const free = other === superblock ? plain : bestOrder(other, terms, machine);
  const better =
    free.cost < (1 - MIN_GAIN_SHARE) * plain.cost &&
    free.cost + weightOf(free.superblock) - weightOf(superblock) < (1 - MIN_GAIN_SHARE) * plain.cost;
  const best = better ? free : plain;
  return best.superblock === superblock || best.superblock === other ? undefined : best.superblock;
}

export const schedule: Pass = {
  name: 'schedule',
  description: 'orders the line for a core that issues in order, two at a time',
  run(superblock, context) {
    if (superblock.count === 0 || superblock.ops.length < 2) return superblock;
    let current = superblock;
    for (let next = improve(current, context); next !== undefined; next = improve(current, context)) {
      if (!context.spend()) return current;
      current = next;
    }
    return current;
  },
};
