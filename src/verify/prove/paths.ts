/** Every path through optimized code from a superblock's start to its exits, with the facts decided on the path. */
import type { Addr } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';
import type { InsnSource } from '../../isa/row.ts';
import type { Decisions, Facts } from './facts.ts';
import { type List, listed } from './list.ts';
import type { Segment } from './original.ts';
import type { Obstacle } from './reasons.ts';
import { headState, type State } from './state.ts';
import { type Outcome, symbolicStep, type View } from './step.ts';
import { type ProofTerms, plainCondition } from './terms.ts';

/** The end of an optimized path: at an original address, or by a computed jump. */
export interface Leaf {
  readonly to: Addr | undefined;
  /** The address of the optimized file that stands for `to`. */
  readonly at: Addr | undefined;
  readonly target: Term | undefined;
  /** The last instruction's address. */
  readonly from: Addr;
  readonly state: State;
  readonly facts: Facts;
  /** The segment up to which the original has been followed along the decisions. */
  readonly front: Segment;
  /** The turns at branches, the last branch first. */
  readonly turns: Turns;
}

/** For each branch of a path: was it taken? */
export type Turns = List<boolean> | undefined;

/** Exits leave a line one after the other; only code made for this purpose has thousands of paths. */
const MOST_LEAVES = 4000;
const MOST_STEPS = 100_000;
/** Backward transfers of one path. Loops end at heads: a path through one superblock hardly ever leads back. */
const MOST_RETREATS = 4;
/** Instructions that the original is followed ahead of the optimized path: a loop that is decided all along need not be run. */
const MOST_INSNS_AHEAD = 1000;

/** Thrown where optimized code cannot be followed. */
export class Unproved extends Error {
  readonly what: Obstacle;
  constructor(what: Obstacle) {
    super(what.kind);
    this.what = what;
  }
}

/** The optimized code that is explored, and the original addresses that it stands for. */
export interface OptimizedCode {
  readonly optimized: InsnSource;
  /** The original return address that an optimized one stands for (A7). */
  readonly returns: ReadonlyMap<Addr, Addr>;
  /** The original address that an address of the optimized file stands for, where control leaves the superblock there. */
  standsFor(address: Addr): Addr | undefined;
  /** Is this address in the optimized code? */
  inside(address: Addr): boolean;
  /** Steps that are left for all paths of the file; absent: no bound. */
  readonly effort?: Effort | undefined;
}

export interface Effort {
  steps: number;
}

/** The original's next segment, by the decided facts; undefined where these do not decide it. */
export type Follow = (segment: Segment, facts: Facts) => Segment | undefined;

export interface Exploration {
  readonly terms: ProofTerms;
  readonly code: OptimizedCode;
  /** Address of the first instruction. */
  readonly start: Addr;
  /** A path does not end at `start` before its first instruction. */
  readonly first: boolean;
  readonly decisions: Decisions;
  readonly follow: Follow;
}

/**
 * Every path through optimized code. Beside a path the original is followed as far as the path decides, so that each step is made with all
 * facts about addresses on that path (knowledge.ts).
 * @param original the segment at which the original's run begins
 * @param along only the path with these turns; there is none if the facts decide otherwise
 * @throws Unproved where a path cannot be followed to its end
 */
export function explore(how: Exploration, original: Segment, along?: { readonly turns: Turns }): Leaf[] {
  return new Explorer(how, along).run(original);
}

/** A path as far as it has been followed: before the instruction at `pc`. */
interface Path {
  readonly pc: Addr;
  /** Address of the instruction before. */
  readonly from: Addr;
  readonly state: State;
  readonly facts: Facts;
  readonly front: Segment;
  /** Number of instructions on the path; of transfers backward; of branches. */
  readonly depth: number;
  readonly retreats: number;
  readonly branches: number;
  readonly turns: Turns;
}

class Explorer {
  readonly #how: Exploration;
  readonly #view: View;
  /** The turns of the only path that is wanted, the first branch first. */
  readonly #guide: readonly boolean[] | undefined;
  readonly #open: Path[] = [];
  readonly #leaves: Leaf[] = [];
  #steps = 0;

  constructor(how: Exploration, along: { readonly turns: Turns } | undefined) {
    this.#how = how;
    this.#view = { side: 'optimized', returns: how.code.returns };
    this.#guide = along && listed(along.turns).reverse();
  }

  run(original: Segment): Leaf[] {
    const { terms, start } = this.#how;
    this.#open.push({
      pc: start,
      from: start,
      state: headState(terms),
      facts: undefined,
      front: this.#advance(original, undefined, 0),
      depth: 0,
      retreats: 0,
      branches: 0,
      turns: undefined,
    });
    for (let path = this.#open.pop(); path !== undefined; path = this.#open.pop())
      if (!this.#ends(path)) this.#step(path);
    return this.#leaves;
  }

  /** Follows the original from a segment on, as far as the facts decide and not too far ahead of the optimized path. */
  #advance(segment: Segment, facts: Facts, depth: number): Segment {
    let front = segment;
    const most = depth + MOST_INSNS_AHEAD;
    while (front.points.at(-1)!.retired < most) {
      const next = this.#how.follow(front, facts);
      if (next === undefined) break;
      front = next;
    }
    return front;
  }

  /** Does the path end before the instruction at its pc? */
  #ends({ pc, from, state, facts, front, depth, turns }: Path): boolean {
    const { code, first } = this.#how;
    const to = depth === 0 && first ? undefined : code.standsFor(pc);
    if (to === undefined) return false;
    this.#leaves.push({ to, at: pc, target: undefined, from, state, facts, front, turns });
    if (this.#leaves.length > MOST_LEAVES) throw new Unproved({ kind: 'many' });
    return true;
  }

  #step(path: Path): void {
    const { terms, code } = this.#how;
    const { pc, state, facts, front, retreats, turns } = path;
    if (!code.inside(pc)) throw new Unproved({ kind: 'leads', at: pc });
    const insn = code.optimized.insnAt(pc);
    if (insn === undefined) throw new Unproved({ kind: 'nothing', at: pc });
    if (++this.#steps > MOST_STEPS || retreats > MOST_RETREATS) throw new Unproved({ kind: 'endless' });
    const { effort } = code;
    if (effort !== undefined && --effort.steps < 0) throw new Unproved({ kind: 'effort' });
    terms.knowledge = front.knowledge;
    const outcome = symbolicStep(terms, insn, pc, state, this.#view);
    switch (outcome.kind) {
      case 'stop':
        throw new Unproved({ kind: 'stops', why: outcome.why });
      case 'goto':
        this.#go(path, outcome.to, outcome.state);
        break;
      case 'branch':
        this.#branch(path, outcome);
        break;
      case 'jump': {
        const { target, state: behind } = outcome;
        const address = terms.addressOf(target);
        if (address !== undefined) this.#go(path, address, behind);
        else this.#leaves.push({ to: undefined, at: undefined, target, from: pc, state: behind, facts, front, turns });
      }
    }
  }

  #go(path: Path, to: Addr, state: State): void {
    const { pc, facts, front, depth, retreats, branches, turns } = path;
    const back = to <= pc ? 1 : 0;
    this.#open.push({
      pc: to,
      from: pc,
      state,
      facts,
      front,
      depth: depth + 1,
      retreats: retreats + back,
      branches,
      turns,
    });
  }

  /** Goes both ways at a branch, but for a way that the facts or the guide exclude. */
  #branch(path: Path, { condition, taken, fall, state }: Outcome & { kind: 'branch' }): void {
    const { facts, branches } = path;
    const known = this.#how.decisions.decided(condition, facts)?.is;
    const { term, when } = plainCondition(condition);
    const guide = this.#guide;
    if (guide !== undefined && branches >= guide.length) throw new Unproved({ kind: 'further' });
    const may = (turn: boolean) => known !== !turn && (guide === undefined || guide[branches] === turn);
    const decided = (holds: boolean): Facts =>
      known === undefined ? { item: { condition: term, holds }, rest: facts } : facts;
    if (may(true)) this.#go(this.#turned(path, true, decided(when)), taken, state);
    if (may(false)) this.#go(this.#turned(path, false, decided(!when)), fall, state);
  }

  /** A path with one branch more, and with the facts that its turn there decides. */
  #turned(path: Path, taken: boolean, facts: Facts): Path {
    return {
      ...path,
      facts,
      front: facts === path.facts ? path.front : this.#advance(path.front, facts, path.depth),
      branches: path.branches + 1,
      turns: { item: taken, rest: path.turns },
    };
  }
}
