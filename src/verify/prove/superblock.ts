/**
 * The proof of one piece of optimized code: for all states at its start, wherever it leaves, the original leaves there too, with the
 * same registers (as far as they are live), memory, floating-point flags and events, and it has accessed all that the optimized code
 * has accessed.
 *
 * Each way through the optimized code is matched with the original's run from the head along the same decisions. At every branch the
 * original must be decided by what the optimized way has decided: so what an optimized way does was done by the original on that very
 * way, and nothing can be loaded above the guard that makes it safe.
 */
import { type Addr, hex, REG_COUNT, type Reg, regName, SP } from '../../base/units.ts';
import type { Frames } from '../../cfg/frames.ts';
import type { Liveness } from '../../cfg/liveness.ts';
import { ALL_REGS, hasReg, type RegSet, union } from '../../cfg/regset.ts';
import type { Term } from '../../domain/term.ts';
import { Decisions, type Facts } from './facts.ts';
import { FrameAddresses } from './frames.ts';
import { type List, listed } from './list.ts';
import { OriginalRun } from './original.ts';
import {
  explore,
  type InsnSource,
  isReturnPoint,
  type Leaf,
  linksAt,
  linksOf,
  type Notes,
  outcomeAt,
  type Point,
  pointAfter,
  Unproved,
} from './paths.ts';
import { Saves } from './saves.ts';
import type { Goal } from './smt.ts';
import type { Solver } from './solver.ts';
import { type Access, type Outcome, type State, stackName } from './step.ts';
import { ProofTerms } from './terms.ts';

/** What proofs are made from: both files' instructions, the map, and what is live in the original. */
export interface Sides {
  readonly original: InsnSource;
  readonly optimized: InsnSource;
  /** Return addresses of calls in optimized code, and the original ones they stand for (assumption A7). */
  readonly returns: ReadonlyMap<Addr, Addr>;
  readonly relocatable: boolean;
  /** Of the original, under assumption A1; undefined if that may not be made. */
  readonly liveness: Liveness | undefined;
  /** Assumption A3 may be made. */
  readonly savedReturns: boolean;
  /** Assumption A4 may be made. */
  readonly jumpTables: boolean;
  /** Assumption A8 may be made. */
  readonly deadFrames: boolean;
  /** Of the original, where assumption A10 may be made. */
  readonly frames?: Frames | undefined;
  /** The original address an address of the optimized file stands for, where control may go. */
  standsFor(address: Addr): Addr | undefined;
  /** Is this address in the optimized code? */
  inside(address: Addr): boolean;
}

/** A piece of optimized code and what it stands for. */
export interface Entry {
  readonly head: Addr;
  readonly start: Addr;
  /** Its first address does not itself count as having left. */
  readonly first: boolean;
  /** It must do at least one original instruction; if not, then coming here was one. So that no two places lead to each other for ever. */
  readonly progress: boolean;
}

export interface EntryProof {
  readonly verdict: 'proved' | 'unproved';
  /** Why not. */
  readonly reason: string | undefined;
  /** The assumptions the proof rests on, by id. */
  readonly assumptions: readonly string[];
  /** Ways through it that were compared. */
  readonly ways: number;
  /** Goals that the solver closed. */
  readonly solved: number;
  /** How much work it was: nothing else is said by it. */
  readonly work: number;
  /** Where they leave, and from which instruction. */
  readonly leaves: readonly Leaf[];
  /** The way that could not be matched, and the state of the original as far as it could be followed along it. */
  readonly failed: Leaf | undefined;
  readonly followed: State | undefined;
}

/** So often a solver is asked for one piece of code. */
const MOST_QUESTIONS = 12;

/** The original may run this much longer than any way through the optimized code. */
const MOST_POINTS = 20_000;
/** For each instruction of a way the original may have had so many. */
const MOST_LEFT_OUT = 8;

/** What is known of saved registers grows with how far the original can be followed, which it makes possible. */
const MOST_ROUNDS = 40;

/** @param solver asked where rewriting does not make terms the same */
export function proveEntry(sides: Sides, entry: Entry, solver?: Solver): EntryProof {
  const { original } = sides;
  const terms = new ProofTerms(sides.relocatable, stackName);
  const notesOf = (limits?: Map<number, number>): Noting => ({
    saves: new Saves(sides.savedReturns),
    frames: new FrameAddresses(sides.frames),
    limits,
    failed: undefined,
  });
  const first = notesOf();
  const plain = attempt(sides, terms, entry, first, solver);
  if (plain.verdict === 'proved' || !(sides.savedReturns || sides.frames !== undefined)) return plain;
  const all = [first, notesOf(new Map())];
  /** With what is noted so far taken for true; that nothing of it has turned out wrong is for the caller to see. */
  const trusting = (notes: Noting, keeping: boolean, asking?: Solver): EntryProof => {
    notes.saves.begin();
    notes.frames.begin();
    const isLink = (address: Addr) => sides.savedReturns && isReturnPoint(original, address);
    terms.trust(isLink, notes.saves.has);
    return attempt(sides, terms, entry, notes, asking, keeping);
  };
  // Keeping what is overwritten is for what was stored to a frame that has been another's since: what that one stored over it may be gone.
  for (const keeping of [false, true])
    for (const notes of all)
      for (let round = 0; round < MOST_ROUNDS; round++) {
        const known = sizeOf(notes);
        const proof = trusting(notes, keeping);
        const mistaken = isMistaken(notes);
        if (proof.verdict === 'proved' && !mistaken) return proof;
        if (!mistaken && sizeOf(notes) === known && !raised(notes)) break;
      }
  if (solver === undefined) return plain;
  for (const notes of all) {
    const proof = trusting(notes, false, solver);
    if (proof.verdict === 'proved' && !isMistaken(notes)) return proof;
  }
  return plain;
}

/**
 * Where control might leave and the two sides are not the same, the way may go on, or what follows may be none of it. What is noted there
 * must be if control leaves later, and may be wrong if it does not. So either all is noted, or no more than is needed.
 */
interface Noting extends Notes {
  /** By the number of a way: past how many such places all is noted (default: none); absent: past all. */
  readonly limits: Map<number, number> | undefined;
  /** The way that could not be matched, and how many such places there were on it. */
  failed: { readonly way: number; readonly places: number } | undefined;
}

const limitOf = ({ limits }: Noting, way: number): number =>
  limits === undefined ? Number.POSITIVE_INFINITY : (limits.get(way) ?? 0);

/** Lets more be noted of the way that could not be matched; false if there is no more of it. */
function raised(noting: Noting): boolean {
  const { limits, failed } = noting;
  if (limits === undefined || failed === undefined || failed.places <= limitOf(noting, failed.way)) return false;
  limits.set(failed.way, limitOf(noting, failed.way) + 1);
  return true;
}

const sizeOf = ({ saves, frames }: Notes): number => saves.known + frames.known;
const isMistaken = ({ saves, frames }: Notes): boolean => saves.mistaken() || frames.mistaken();

/** @param keeping stores that are overwritten, as far as optimized code makes them (`ProofTerms.keep`) */
function attempt(
  sides: Sides,
  terms: ProofTerms,
  entry: Entry,
  notes: Noting,
  solver: Solver | undefined,
  keeping = false,
): EntryProof {
  const used = new Set<string>();
  const decisions = new Decisions(terms);
  const proving: Proving = {
    sides,
    terms,
    used,
    notes,
    decisions,
    solver,
    questions: 0,
    solved: 0,
    followed: undefined,
  };
  let ways = 0;
  let leaves: readonly Leaf[] = [];
  const result = (verdict: EntryProof['verdict'], reason?: string, failed?: Leaf): EntryProof => {
    if (terms.usedSaved) used.add('A3');
    const { solved, followed } = proving;
    return { verdict, reason, assumptions: [...used].sort(), ways, solved, work: terms.work, leaves, failed, followed };
  };
  try {
    const linkOf = linksOf(sides.original, sides.returns);
    terms.keep(keeping ? () => true : undefined);
    leaves = explore(terms, sides.optimized, entry.start, entry.first, sides.standsFor, sides.inside, linkOf);
    let run = new OriginalRun(terms, decisions, entry.head);
    for (const leaf of leaves) {
      if (keeping) {
        terms.keep(storesOf(terms, leaf));
        run = new OriginalRun(terms, decisions, entry.head);
      }
      const why = match(proving, ways, leaf, run, entry.progress ? 1 : 0);
      if (why !== undefined) return result('unproved', `${exitText(leaf)}: ${why}`, leaf);
      ways++;
    }
    return result('proved');
  } catch (error) {
    if (!(error instanceof Unproved)) throw error;
    return result('unproved', error.message);
  }
}

/** Is this a store that a way makes? */
function storesOf(terms: ProofTerms, { state }: Leaf): (address: Term, bytes: number, value: Term) => boolean {
  const keyOf = (address: Term, bytes: number, value: Term) => `${bytes}:${address.id},${value.id}`;
  const stores = new Set<string>();
  for (const { kind, address, bytes, value } of listed(state.accesses))
    if (kind === 'store' && value !== undefined)
      stores.add(keyOf(address, bytes, terms.stored(value, bytes as 1 | 2 | 4 | 8)));
  return (address, bytes, value) => stores.has(keyOf(address, bytes, value));
}

/** What a proof is made with, and the assumptions that it has used. */
interface Proving {
  readonly sides: Sides;
  readonly terms: ProofTerms;
  readonly used: Set<string>;
  readonly notes: Noting;
  readonly decisions: Decisions;
  readonly solver: Solver | undefined;
  questions: number;
  solved: number;
  /** The original's last state on the way at hand. */
  followed: State | undefined;
}

/** Does the solver show all of it? */
function shown(proving: Proving, goals: readonly Goal[]): boolean {
  if (proving.solver === undefined || proving.questions >= MOST_QUESTIONS) return false;
  proving.questions++;
  if (!proving.solver.holds(goals).every((holds) => holds)) return false;
  proving.solved += goals.length;
  return true;
}

/** What the solver says a condition comes to. */
function shownCondition(proving: Proving, condition: Term, facts: Facts): boolean | undefined {
  // That it cannot be otherwise: there is no state with the opposite as one more fact.
  for (const value of [true, false])
    if (shown(proving, [{ facts: { item: { condition, holds: !value }, rest: facts }, oneOf: [] }])) return value;
  return undefined;
}

const exitText = (leaf: Leaf): string =>
  `the exit at ${hex(leaf.from)} ${leaf.to === undefined ? 'by a computed jump' : `to ${hex(leaf.to)}`}`;

/**
 * Finds where the original is when the optimized code leaves.
 * @param way its number
 * @returns why it is nowhere the same, or undefined
 */
function match(proving: Proving, way: number, leaf: Leaf, run: OriginalRun, least: number): string | undefined {
  const { notes, solver } = proving;
  // What is noted of a way depends on where it leaves; a solver may find targets equal that are not the same term.
  const again = notes.limits === undefined ? follow(proving, way, leaf, run, least, true) : 'it is to be noted';
  if (again === undefined || (notes.limits === undefined && (solver === undefined || leaf.target === undefined)))
    return again;
  return follow(proving, way, leaf, run, least, false);
}

/** @param goesOn from where the original has been followed by the facts that other ways have too */
function follow(
  proving: Proving,
  way: number,
  leaf: Leaf,
  run: OriginalRun,
  least: number,
  goesOn: boolean,
): string | undefined {
  const { sides, terms, notes, decisions } = proving;
  const { original, liveness } = sides;
  const { facts, target } = leaf;
  const live = (set: RegSet | undefined): RegSet => set ?? ALL_REGS;
  const limit = limitOf(notes, way);
  let nearest: string | undefined;
  let places = 0;
  /** Are they the same at a place where control might leave? Not if what comes before it was not noted. */
  const same = (state: State, call: Addr | undefined, liveThere: RegSet | undefined): boolean => {
    nearest = differs(proving, leaf, { state, call }, live(liveThere));
    if (nearest === undefined && places > limit) nearest = 'it is the same later than is noted';
    if (nearest === undefined) return true;
    places++;
    notes.failed = { way, places };
    return false;
  };
  const sameBefore = ({ pc, state, call, retired }: Point): boolean =>
    leaf.to === pc && retired >= least && same(state, call, liveness?.liveIn(pc));
  const sameBehind = (pc: Addr, outcome: Outcome): boolean =>
    outcome.kind === 'jump' &&
    target !== undefined &&
    (target === outcome.target || shown(proving, [{ facts, oneOf: [[target, outcome.target]] }])) &&
    same(outcome.state, linksAt(original, pc) ? pc : undefined, liveness?.liveAfter(pc));
  notes.failed = undefined;
  let { is: point, needs } = goesOn ? run.furthest(facts) : { is: run.start, needs: 0 };
  let byFacts = true;
  for (const earlier of run.before(point, leaf))
    if (sameBefore(earlier) || sameBehind(earlier.pc, earlier.outcome!)) return undefined;
  const most = MOST_POINTS + MOST_LEFT_OUT * leaf.steps;
  for (let points = 0; points < most; points++) {
    terms.steps++;
    proving.followed = point.state;
    if (sameBefore(point)) return undefined;
    const outcome = outcomeAt(terms, original, point, places <= limit ? notes : undefined);
    if (outcome === undefined) return nearest ?? `the original has no instruction at ${hex(point.pc)}`;
    run.pass(point);
    const decided = (by: number) => {
      if (byFacts) run.decidedBy(facts, point, needs, by);
      needs = Math.max(needs, by);
    };
    switch (outcome.kind) {
      case 'stop':
        return nearest ?? `the original comes to ${outcome.why} at ${hex(point.pc)}`;
      case 'goto':
        point = pointAfter(original, point, outcome.to);
        break;
      case 'branch': {
        const known = decisions.decided(outcome.condition, facts);
        if (known === undefined) byFacts = false;
        else decided(known.needs);
        const taken = known === undefined ? shownCondition(proving, outcome.condition, facts) : known.is;
        if (taken === undefined)
          return nearest ?? `the original decides at ${hex(point.pc)} what is not decided in the optimized code`;
        point = pointAfter(original, point, taken ? outcome.taken : outcome.fall);
        break;
      }
      case 'jump': {
        if (sameBehind(point.pc, outcome)) return undefined;
        const known = decisions.target(outcome.target, facts, (address) => fromTable(proving, address));
        if (known === undefined) return nearest ?? `the original jumps elsewhere at ${hex(point.pc)}`;
        decided(known.needs);
        point = pointAfter(original, point, known.is);
      }
    }
  }
  return nearest ?? 'the original does not come there';
}

/** What differs between an optimized way's end and a point of the original, or undefined. */
function differs(
  proving: Proving,
  leaf: Leaf,
  point: { readonly state: State; readonly call: Addr | undefined },
  liveThere: RegSet,
): string | undefined {
  const { sides, terms, used } = proving;
  const [was, is] = [point.state, leaf.state];
  const [memory, made] = [terms.settled(was.memory), terms.settled(is.memory)];
  const { facts } = leaf;
  if (leaf.links) used.add('A7');
  const goals: Goal[] = [];
  let live = liveThere;
  const unequal: Reg[] = [];
  let links = false;
  for (let reg = 1; reg < REG_COUNT; reg++) {
    if (was.registers[reg] === is.registers[reg]) continue;
    if (isReturn(sides, terms, was.registers[reg]!, is.registers[reg]!)) {
      // A real call: what is live is what callee and return point need together.
      if (point.call === undefined) return `${regName(reg)} is a return address that no call has made`;
      links = true;
      if (sides.liveness !== undefined) live = union(live, sides.liveness.liveAfter(point.call));
    } else unequal.push(reg);
  }
  const wrong = unequal.filter((reg) => hasReg(live, reg));
  for (const reg of wrong) goals.push({ facts, oneOf: [[was.registers[reg]!, is.registers[reg]!]] });
  let what = wrong.length === 0 ? undefined : `${regName(wrong[0]!)} differs`;
  const stack = was.registers[SP] === is.registers[SP] ? was.registers[SP] : undefined;
  if (memory !== made && !sameAbove(proving, stack, memory, made)) {
    const pairs = terms.pairs(memory, made);
    what ??= 'memory differs';
    if (pairs === undefined) return what;
    for (const pair of pairs) goals.push({ facts, oneOf: [pair] });
  }
  if (was.order !== is.order || was.rounding !== is.rounding) return 'the order of events differs';
  if (terms.flags.termOf(was.flags) !== terms.flags.termOf(is.flags)) return 'floating-point flags differ';
  const within = terms.accesses.within(terms.accesses.of(is.accesses), terms.accesses.of(was.accesses));
  for (const { kind, bytes, address } of within ? [] : outside(is.accesses, was.accesses)) {
    what ??= `it has a ${kind} of ${bytes} bytes that the original has not`;
    const like = listed(was.accesses).filter((access) => access.kind === kind && access.bytes === bytes);
    goals.push({ facts, oneOf: like.map((access) => [access.address, address] as const) });
  }
  if (what !== undefined && !shown(proving, goals)) return what;
  if (unequal.length > wrong.length) used.add('A1');
  if (links) used.add('A7');
  return undefined;
}

/** Is memory equal but for what lies below the stack pointer (assumption A8)? */
function sameAbove({ sides, terms, used }: Proving, stack: Term | undefined, was: Term, is: Term): boolean {
  if (!sides.deadFrames || stack === undefined) return false;
  const above = terms.above(was, stack);
  if (above === undefined || above !== terms.above(is, stack)) return false;
  used.add('A8');
  return true;
}

/** The head for which a jump table may hold this address of the optimized file (A4). */
function fromTable({ sides, used }: Proving, address: Addr): Addr | undefined {
  if (!sides.jumpTables || !sides.inside(address)) return undefined;
  const head = sides.standsFor(address);
  if (head !== undefined) used.add('A4');
  return head;
}

/** Is this the optimized return address that stands for the original one? */
function isReturn(sides: Sides, terms: ProofTerms, original: Term, optimized: Term): boolean {
  const [link, at] = [terms.addressOf(original), terms.addressOf(optimized)];
  return link !== undefined && at !== undefined && sides.returns.get(at) === link;
}

const accessKey = ({ kind, address, bytes }: Access): string => `${kind}${bytes}:${address.id}`;

/** Accesses of the first list that are not in the second. */
function outside(list: List<Access> | undefined, of: List<Access> | undefined): Access[] {
  const known = new Set(listed(of).map(accessKey));
  return listed(list).filter((access) => !known.has(accessKey(access)));
}
