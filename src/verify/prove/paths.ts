/** Every path through optimized code from a superblock's start to its exits, with the facts decided on the path. */
import type { Addr } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';
import { Decisions, type Facts } from './facts.ts';
import { type List, listed } from './list.ts';
import type { InsnSource, Segment } from './original.ts';
import { headState, type Outcome, type State, symbolicStep, Unproved, type View } from './step.ts';
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

/** The optimized code that is explored, and the original addresses that it stands for. */
export interface OptimizedCode {
  readonly code: InsnSource;
  /** The original return address that an optimized one stands for (A7). */
  readonly returns: ReadonlyMap<Addr, Addr>;
  /** The original address that an address of the optimized file stands for, where control leaves the superblock there. */
  standsFor(address: Addr): Addr | undefined;
  /** Is this address in the optimized code? */
  inside(address: Addr): boolean;
  /** Steps that are left for all paths of the file. */
  readonly effort?: Effort | undefined;
}

export interface Effort {
  steps: number;
}

/** The original's next segment, by the decided facts; undefined where these do not decide it. */
export type Follow = (segment: Segment, facts: Facts) => Segment | undefined;

/** Instructions that the original is followed ahead of the optimized path: a loop that is decided all along need not be run. */
const MOST_INSNS_AHEAD = 1000;

/**
 * Every path through optimized code. Beside a path the original is followed as far as the path decides, so that each step is made with all
 * facts about addresses on that path (knowledge.ts).
 * @param start address of the first instruction
 * @param first a path does not end at `start` before its first instruction
 * @param along only the path with these turns; there is none if the facts decide otherwise
 */
export function explore(
  terms: ProofTerms,
  { code, returns, standsFor, inside, effort }: OptimizedCode,
  start: Addr,
  first: boolean,
  original: Segment,
  follow: Follow,
  decisions = new Decisions(terms),
  along?: { readonly turns: Turns },
): Leaf[] {
  const leaves: Leaf[] = [];
  const guide = along && listed(along.turns).reverse();
  const advance = (segment: Segment, facts: Facts, depth: number): Segment => {
    let front = segment;
    const most = depth + MOST_INSNS_AHEAD;
    while (front.points.at(-1)!.retired < most) {
      const next = follow(front, facts);
      if (next === undefined) break;
      front = next;
    }
    return front;
  };
  const open: {
    pc: Addr;
    from: Addr;
    state: State;
    facts: Facts;
    front: Segment;
    depth: number;
    retreats: number;
    turns: Turns;
    branches: number;
  }[] = [
    {
      pc: start,
      from: start,
      state: headState(terms),
      facts: undefined,
      front: advance(original, undefined, 0),
      depth: 0,
      retreats: 0,
      turns: undefined,
      branches: 0,
    },
  ];
  const view: View = { side: 'optimized', returns };
  let steps = 0;
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const { pc, from, state, facts, front, depth, retreats, turns, branches } = path;
    const to = depth === 0 && first ? undefined : standsFor(pc);
    if (to !== undefined) {
      leaves.push({ to, at: pc, target: undefined, from, state, facts, front, turns });
      if (leaves.length > MOST_LEAVES) throw new Unproved({ kind: 'many' });
      continue;
    }
    if (!inside(pc)) throw new Unproved({ kind: 'leads', at: pc });
    const insn = code.insnAt(pc);
    if (insn === undefined) throw new Unproved({ kind: 'nothing', at: pc });
    if (++steps > MOST_STEPS || retreats > MOST_RETREATS) throw new Unproved({ kind: 'endless' });
    if (effort !== undefined && --effort.steps < 0) throw new Unproved({ kind: 'effort' });
    terms.knowledge = front.knowledge;
    const outcome = symbolicStep(terms, insn, pc, state, view);
    const go = (address: Addr, known: Facts, taken?: boolean) =>
      open.push({
        pc: address,
        from: pc,
        state: stateOf(outcome),
        facts: known,
        front: known === facts ? front : advance(front, known, depth),
        depth: depth + 1,
        retreats: address <= pc ? retreats + 1 : retreats,
        turns: taken === undefined ? turns : { item: taken, rest: turns },
        branches: taken === undefined ? branches : branches + 1,
      });
    switch (outcome.kind) {
      case 'stop':
        throw new Unproved({ kind: 'stops', why: outcome.why });
      case 'goto':
        go(outcome.to, facts);
        break;
      case 'branch': {
        const known = decisions.decided(outcome.condition, facts)?.is;
        const { term, when } = plainCondition(outcome.condition);
        if (guide !== undefined && branches >= guide.length) throw new Unproved({ kind: 'further' });
        const may = (taken: boolean) => known !== !taken && (guide === undefined || guide[branches] === taken);
        const decided = (holds: boolean): Facts =>
          known === undefined ? { item: { condition: term, holds }, rest: facts } : facts;
        if (may(true)) go(outcome.taken, decided(when), true);
        if (may(false)) go(outcome.fall, decided(!when), false);
        break;
      }
      case 'jump': {
        const address = terms.addressOf(outcome.target);
        if (address !== undefined) go(address, facts);
        else
          leaves.push({
            to: undefined,
            at: undefined,
            target: outcome.target,
            from: pc,
            state: outcome.state,
            facts,
            front,
            turns,
          });
      }
    }
  }
  return leaves;
}

const stateOf = (outcome: Outcome): State => {
  if (outcome.kind === 'stop') throw new Unproved({ kind: 'stops', why: outcome.why });
  return outcome.state;
};
