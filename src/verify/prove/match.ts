/**
 * The original's run is followed to the point at which its state equals the state at the end of an optimized path, along the decisions of
 * that path.
 */
import { ALL_REGS, type RegSet } from '../../base/regset.ts';
import { type ComparedPoint, difference } from './difference.ts';
import type { Facts } from './facts.ts';
import { linksAt, type OriginalRun, Segment } from './original.ts';
import type { Leaf } from './paths.ts';
import type { Proving } from './proving.ts';
import type { Mismatch } from './reasons.ts';

/** Points that the original may run beyond the segment that an optimized path has led it to. */
const MOST_POINTS = 20_000;

/** The original's next segment, by the decided facts; undefined where these do not decide it. */
export function nextSegment(proving: Proving, segment: Segment, facts: Facts): Segment | undefined {
  const { end } = segment;
  if (end?.kind === 'branch') {
    const taken = proving.decisions.decided(end.condition, facts);
    return taken === undefined ? undefined : segment.next(taken.is ? end.taken : end.fall);
  }
  if (end?.kind !== 'jump') return undefined;
  const to = proving.decisions.target(end.target, facts, (address) => proving.originalOf(address));
  return to === undefined ? undefined : segment.next(to.is);
}

/** The original's run in which the ends of paths are looked for. */
export interface Matching {
  readonly proving: Proving;
  readonly run: OriginalRun;
  /** Instructions that the original must have retired. */
  readonly least: number;
}

/**
 * Finds the point of the original at which its state equals the optimized code's at the exit.
 * @param front a segment that is known to be on the path
 * @returns why no point matches, or undefined
 */
export const match = (matching: Matching, leaf: Leaf, front: Segment): Mismatch | undefined =>
  new PointSearch(matching, leaf).find(front);

class PointSearch {
  readonly #proving: Proving;
  readonly #run: OriginalRun;
  readonly #least: number;
  readonly #leaf: Leaf;
  /** The difference at the last point that was compared. */
  #nearest: Mismatch | undefined;

  constructor({ proving, run, least }: Matching, leaf: Leaf) {
    this.#proving = proving;
    this.#run = run;
    this.#least = least;
    this.#leaf = leaf;
  }

  find(front: Segment): Mismatch | undefined {
    if (this.#isIn(front)) return undefined;
    const last = this.#nearest;
    if (this.#run.before(front, this.#leaf.to, this.#leaf.target).some((segment) => this.#isIn(segment)))
      return undefined;
    this.#nearest = last ?? this.#nearest;
    return this.#findBehind(front);
  }

  /** Follows the original behind a segment, and compares on the way. */
  #findBehind(front: Segment): Mismatch | undefined {
    let segment = front;
    for (let points = 0; points < MOST_POINTS; points += segment.points.length) {
      if (segment !== front && this.#isIn(segment)) return undefined;
      const next = this.#next(segment);
      if (!(next instanceof Segment)) return this.#nearest ?? next;
      segment = next;
    }
    return this.#nearest ?? { kind: 'never' };
  }

  /** The segment behind another; where there is none, the reason. */
  #next(segment: Segment): Segment | Mismatch {
    const { end } = segment;
    const at = segment.points.at(-1)!.pc;
    if (end === undefined) return { kind: 'nothing', at };
    if (end.kind === 'stop') return { kind: 'stops', at, why: end.why };
    const { facts } = this.#leaf;
    const next = nextSegment(this.#proving, segment, facts);
    if (next !== undefined) return next;
    if (end.kind === 'jump') return { kind: 'elsewhere', at };
    const taken = this.#proving.shownValue(end.condition, facts);
    return taken === undefined ? { kind: 'open', at } : segment.next(taken ? end.taken : end.fall);
  }

  /** Is one of the segment's points, or the jump at its end, the end of the optimized path? */
  #isIn(segment: Segment): boolean {
    const { liveness } = this.#proving.sides;
    for (const point of segment.at(this.#leaf.to)) {
      this.#proving.followed = point.state;
      if (point.retired < this.#least) continue;
      if (this.#isSame(point, liveness?.liveIn(point.pc))) return true;
      // If a computed jump has led to this point, the registers live behind that jump are enough.
      if (point.jump !== undefined && this.#isSame(point, liveness?.liveAfter(point.jump))) return true;
    }
    const { end, points, stack } = segment;
    const { pc, state } = points.at(-1)!;
    this.#proving.followed = state;
    const { target, facts } = this.#leaf;
    if (end?.kind !== 'jump' || target === undefined) return false;
    const leadsThere =
      target === end.target ||
      (this.#proving.hasSolver && this.#proving.shows([{ facts, oneOf: [[target, end.target]] }]));
    if (!leadsThere) return false;
    const call = linksAt(this.#proving.sides.original, pc) ? pc : undefined;
    return this.#isSame({ state: end.state, call, stack }, liveness?.liveAfter(pc));
  }

  /** @param live undefined without assumption A1: every register counts */
  #isSame(point: ComparedPoint, live: RegSet | undefined): boolean {
    this.#nearest = difference(this.#proving, this.#leaf, point, live ?? ALL_REGS);
    return this.#nearest === undefined;
  }
}
