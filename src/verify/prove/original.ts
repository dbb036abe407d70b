/**
 * The original's run from a head along all the ways of one proof. Ways share their beginnings, and so do the facts that decide them: what
 * the original has done by the oldest facts of a way need not be done again for the next way that has them.
 */
import type { Addr } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';
import type { Decision, Decisions, Facts } from './facts.ts';
import { isOn, type Leaf, originalStart, type Point } from './paths.ts';
import type { ProofTerms } from './terms.ts';

export class OriginalRun {
  readonly start: Point;
  readonly #decisions: Decisions;
  /** By facts, the branch or jump that they do not decide. */
  readonly #furthest = new Map<Facts, Point>();
  /** Points that have been passed, by address, and those with computed jumps by target. */
  readonly #passed = new Set<Point>();
  readonly #at = new Map<Addr, Point[]>();
  readonly #jumps = new Map<Term, Point[]>();

  constructor(terms: ProofTerms, decisions: Decisions, head: Addr) {
    this.start = originalStart(terms, head);
    this.#decisions = decisions;
  }

  /** The furthest point that is known to be on a way by its facts alone, and how many of them that takes. */
  furthest(facts: Facts): Decision<Point> {
    for (let at = facts; ; at = at.rest) {
      const point = this.#furthest.get(at);
      if (point !== undefined) return { is: point, needs: this.#decisions.count(at) };
      if (at === undefined) return { is: this.start, needs: 0 };
    }
  }
  /** At a point it takes more of the oldest facts than it took up to there. */
  decidedBy(facts: Facts, point: Point, before: number, needs: number): void {
    for (let count = before; count < needs; count++) {
      const oldest = this.#decisions.oldest(facts, count);
      if (!this.#furthest.has(oldest)) this.#furthest.set(oldest, point);
    }
  }

  /** A point has been passed, and what it does is known. */
  pass(point: Point): void {
    if (this.#passed.has(point)) return;
    this.#passed.add(point);
    const { outcome } = point;
    add(this.#at, point.pc, point);
    if (outcome?.kind === 'jump') add(this.#jumps, outcome.target, point);
  }
  /** Points before one at which an optimized way might leave, in order. */
  before(point: Point, { to, target }: Leaf): Point[] {
    const points = [...((to !== undefined && this.#at.get(to)) || []), ...((target && this.#jumps.get(target)) ?? [])];
    return points
      .filter((each) => each.retired < point.retired && isOn(each, point))
      .sort((a, b) => a.retired - b.retired);
  }
}

function add<K>(map: Map<K, Point[]>, key: K, point: Point): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [point]);
  else list.push(point);
}
