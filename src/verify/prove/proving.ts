/** One attempt to prove a piece of code: its terms, the facts decided on paths, the questions to a solver, and what the proof rests on. */
import type { Addr } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';
import type { AssumptionId } from '../../emit/assumptions.ts';
import { Decisions, type Facts } from './facts.ts';
import type { Sides } from './sides.ts';
import type { Goal } from './smt.ts';
import type { Solver } from './solver.ts';
import { type State, stackName } from './state.ts';
import { ProofTerms } from './terms.ts';

/** Questions to the solver about one piece of code. */
const MOST_QUESTIONS = 6;

export class Proving {
  readonly sides: Sides;
  readonly terms: ProofTerms;
  readonly decisions: Decisions;
  /** The assumptions used so far, but for those that `terms` has noted. */
  readonly used = new Set<AssumptionId>();
  /** Terms were met that are not the same but may be equal. */
  unequal = false;
  /** Goals that the solver has closed. */
  solved = 0;
  /** The original's last state on the current path. */
  followed: State | undefined;
  readonly #solver: Solver | undefined;
  #questions = 0;

  /** @param solver asked where rewriting does not make terms the same */
  constructor(sides: Sides, solver: Solver | undefined) {
    this.sides = sides;
    this.terms = new ProofTerms(sides.relocatable, stackName, sides.watched);
    this.decisions = new Decisions(this.terms);
    this.#solver = solver;
  }

  get hasSolver(): boolean {
    return this.#solver !== undefined;
  }

  /** Does the solver show all goals? */
  shows(goals: readonly Goal[]): boolean {
    this.unequal = true;
    if (this.#solver === undefined || this.#questions >= MOST_QUESTIONS) return false;
    this.#questions++;
    if (!this.#solver.holds(goals).every((holds) => holds)) return false;
    this.solved += goals.length;
    return true;
  }

  /** The value of a condition, if the solver shows it. */
  shownValue(condition: Term, facts: Facts): boolean | undefined {
    // A value is shown if no state has the opposite as one more fact.
    for (const value of [true, false])
      if (this.shows([{ facts: { item: { condition, holds: !value }, rest: facts }, oneOf: [] }])) return value;
    return undefined;
  }

  /** The original address that an optimized one stands for in a register or a jump table: a return point (A7), or a head (A4). */
  originalOf(address: Addr): Addr | undefined {
    const { sides } = this;
    const link = sides.returns.get(address);
    if (link !== undefined) {
      this.used.add('A7');
      return link;
    }
    if (!sides.jumpTables || !sides.inside(address)) return undefined;
    const head = sides.standsFor(address);
    if (head !== undefined) this.used.add('A4');
    return head;
  }
}
