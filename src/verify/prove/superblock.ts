/**
 * The proof of one piece of optimized code: for all states at its start, wherever it leaves, the original leaves there too, with the
 * same registers (as far as they are live), memory, floating-point flags and events, and it has accessed all that the optimized code
 * has accessed.
 *
 * Each way through the optimized code is matched with the original's run from the head along the same decisions. At every branch the
 * original must be decided by what the optimized way has decided: so what an optimized way does was done by the original on that very
 * way, and nothing can be loaded above the guard that makes it safe.
 */
import { type Addr, REG_COUNT, type Reg, regName, SP } from '../../base/units.ts';
import type { Liveness } from '../../cfg/liveness.ts';
import { ALL_REGS, hasReg, type RegSet, union } from '../../cfg/regset.ts';
import type { Saves } from '../../cfg/saves.ts';
import type { Term } from '../../domain/term.ts';
import { isLink } from '../../profile/flow.ts';
import type { Machine } from './extensions.ts';
import { Decisions, type Facts } from './facts.ts';
import { Knowledge } from './knowledge.ts';
import { type List, listed } from './list.ts';
import { type InsnSource, linksAt, OriginalRun, type Point, type Segment, type Slot, type Stack } from './original.ts';
import { explore, type Follow, type Leaf } from './paths.ts';
import type { Mismatch, Reason } from './reasons.ts';
import type { Goal } from './smt.ts';
import type { Solver } from './solver.ts';
import { type Access, PINNED, type State, stackName, Unproved } from './step.ts';
import { type Left, ProofTerms } from './terms.ts';

/** What proofs are made from: both files' instructions, the map, and what is live in the original. */
export interface Sides {
  readonly original: InsnSource;
  readonly optimized: InsnSource;
  /** Return addresses of calls in optimized code, and the original ones they stand for (assumption A7). */
  readonly returns: ReadonlyMap<Addr, Addr>;
  readonly relocatable: boolean;
  /** Of the original, under assumption A1; undefined if that may not be made. */
  readonly liveness: Liveness | undefined;
  /** Of the original: which stores save registers, where assumption A3 may be made. */
  readonly saves?: Saves | undefined;
  /** Assumption A11 may not be made: others may look and write between two accesses. */
  readonly watched?: boolean | undefined;
  /** Assumption A4 may be made. */
  readonly jumpTables: boolean;
  /** Assumption A8 may be made. */
  readonly deadFrames: boolean;
  /** What the machine has; absent: everything. */
  readonly machine?: Machine | undefined;
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
  readonly reason: Reason | undefined;
  /** The assumptions the proof rests on, by id. */
  readonly assumptions: readonly string[];
  /** Ways through it that were compared. */
  readonly ways: number;
  /** Goals that the solver closed. */
  readonly solved: number;
  /** How much work it was: nothing else is said by it. */
  readonly work: number;
  /** Values were compared, or decided by, whose terms are not the same: a solver may know more. */
  readonly unequal: boolean;
  /** Where they leave, and from which instruction. */
  readonly leaves: readonly Leaf[];
  /** The way that could not be matched, and the state of the original as far as it could be followed along it. */
  readonly failed: Leaf | undefined;
  readonly followed: State | undefined;
}

/** So often a solver is asked for one piece of code. */
const MOST_QUESTIONS = 6;

/** The original may run this much further than what a way decides has led it. */
const MOST_POINTS = 20_000;

/** A run along a way with all that is known may show more of it. */
const MOST_HINDSIGHT = 3;

/** @param solver asked where rewriting does not make terms the same */
export function proveEntry(sides: Sides, entry: Entry, solver?: Solver): EntryProof {
  const plain = attempt(sides, entry, undefined, false);
  // Keeping what is overwritten is for what was stored to a frame that has been another's since: what that one stored over it may be gone.
  const kept = plain.verdict === 'proved' ? plain : attempt(sides, entry, undefined, true);
  const proof = kept.verdict === 'proved' ? kept : plain;
  return solver === undefined ? proof : askSolver(sides, entry, proof, solver);
}

/** Asks a solver where rewriting did not make terms the same. @param before what `proveEntry` has found without */
export function askSolver(sides: Sides, entry: Entry, before: EntryProof, solver: Solver): EntryProof {
  const { verdict, reason, unequal } = before;
  // What is no value it says nothing of.
  const values = reason?.kind !== 'exit' || !NO_VALUES.has(reason.what.kind);
  if (verdict === 'proved' || !unequal || !values) return before;
  const proof = attempt(sides, entry, solver, false);
  return proof.verdict === 'proved' ? proof : before;
}
const NO_VALUES: ReadonlySet<string> = new Set<Mismatch['kind']>(['events', 'flags', 'extensions', 'seen']);

/** @param keeping stores that are overwritten, as far as optimized code makes them (`ProofTerms.keep`) */
function attempt(sides: Sides, entry: Entry, solver: Solver | undefined, keeping: boolean): EntryProof {
  const terms = new ProofTerms(sides.relocatable, stackName, sides.watched);
  const used = new Set<string>();
  const decisions = new Decisions(terms);
  const proving: Proving = {
    sides,
    terms,
    used,
    decisions,
    solver,
    questions: 0,
    unequal: false,
    solved: 0,
    followed: undefined,
  };
  let compared = 0;
  let leaves: readonly Leaf[] = [];
  const result = (verdict: EntryProof['verdict'], reason?: Reason, failed?: Leaf): EntryProof => {
    if (terms.usedSaved) used.add('A3');
    if (terms.usedUnread) used.add('A8');
    if (terms.usedLinks) used.add('A7');
    const { solved, followed } = proving;
    const assumptions = [...used].sort(byNumber);
    const { unequal } = proving;
    const { work } = terms;
    return { verdict, reason, assumptions, ways: compared, solved, work, unequal, leaves, failed, followed };
  };
  try {
    const { saves, deadFrames } = sides;
    const run = (known?: Knowledge) =>
      new OriginalRun({ terms, code: sides.original, head: entry.head, saves, deadFrames, ...(known && { known }) });
    const follow: Follow = (segment, facts) => onward(proving, segment, facts);
    terms.keep(keeping ? () => true : undefined);
    let original = run();
    const { optimized: code, returns } = sides;
    const explored = { code, returns, standsFor: sides.standsFor, inside: sides.inside };
    const ways = (from: Segment, along?: Leaf) =>
      explore(terms, explored, entry.start, entry.first, from, follow, decisions, along);
    const least = entry.progress ? 1 : 0;
    /** What is known of a way in the end was not when its beginning was run: so it is run again. */
    const inHindsight = (leaf: Leaf): boolean => {
      const known = new Knowledge(leaf.front.knowledge);
      for (let round = 0, size = -1; round < MOST_HINDSIGHT && known.size !== size; round++) {
        size = known.size;
        const again = run(known);
        const [found] = ways(again.first, leaf);
        if (found === undefined || match(proving, found, again, found.front, least) === undefined) return true;
      }
      return false;
    };
    leaves = ways(original.first);
    for (const leaf of leaves) {
      if (keeping) {
        terms.keep(storesOf(terms, leaf));
        original = run();
      }
      // Where it was followed, memory is not as it is now; and a solver may find targets equal that are not the same term.
      const anew = keeping || (solver !== undefined && leaf.target !== undefined);
      const why = match(proving, leaf, original, anew ? original.first : leaf.front, least);
      if (why !== undefined && !inHindsight(leaf))
        return result('unproved', { kind: 'exit', at: leaf.from, to: leaf.to, what: why }, leaf);
      compared++;
    }
    return result('proved');
  } catch (error) {
    if (!(error instanceof Unproved)) throw error;
    return result('unproved', { kind: 'way', what: error.what });
  }
}

/** A2 before A11. */
export const byNumber = (a: string, b: string): number => Number(a.slice(1)) - Number(b.slice(1));

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
  readonly decisions: Decisions;
  readonly solver: Solver | undefined;
  questions: number;
  /** Terms were not the same that may be equal all the same. */
  unequal: boolean;
  solved: number;
  /** The original's last state on the way at hand. */
  followed: State | undefined;
}

/** Does the solver show all of it? */
function shown(proving: Proving, goals: readonly Goal[]): boolean {
  proving.unequal = true;
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

/** Where the original goes on from a segment, by what is decided. */
function onward(proving: Proving, segment: Segment, facts: Facts): Segment | undefined {
  const { end } = segment;
  if (end?.kind === 'branch') {
    const taken = proving.decisions.decided(end.condition, facts);
    return taken === undefined ? undefined : segment.next(taken.is ? end.taken : end.fall);
  }
  if (end?.kind !== 'jump') return undefined;
  const to = proving.decisions.target(end.target, facts, (address) => stoodFor(proving, address));
  return to === undefined ? undefined : segment.next(to.is);
}

/**
 * Finds where the original is when the optimized code leaves.
 * @param front a segment that is known to be on the way
 * @returns why it is nowhere the same, or undefined
 */
function match(proving: Proving, leaf: Leaf, run: OriginalRun, front: Segment, least: number): Mismatch | undefined {
  const { sides } = proving;
  const { liveness } = sides;
  const { target, facts } = leaf;
  const live = (set: RegSet | undefined): RegSet => set ?? ALL_REGS;
  let nearest: Mismatch | undefined;
  const same = (point: Place, liveThere: RegSet | undefined): boolean => {
    nearest = differs(proving, leaf, point, live(liveThere));
    return nearest === undefined;
  };
  const sameIn = (segment: Segment): boolean => {
    for (const point of segment.at(leaf.to)) {
      proving.followed = point.state;
      if (point.retired < least) continue;
      if (same(point, liveness?.liveIn(point.pc))) return true;
      // Where a computed jump has led here, what is live behind any such is enough.
      if (point.jump !== undefined && same(point, liveness?.liveAfter(point.jump))) return true;
    }
    const { end, points, stack } = segment;
    const { pc, state } = points.at(-1)!;
    proving.followed = state;
    if (end?.kind !== 'jump' || target === undefined) return false;
    if (target !== end.target && !(proving.solver && shown(proving, [{ facts, oneOf: [[target, end.target]] }])))
      return false;
    const call = linksAt(sides.original, pc) ? pc : undefined;
    return same({ state: end.state, call, stack }, liveness?.liveAfter(pc));
  };
  if (sameIn(front)) return undefined;
  const last = nearest;
  if (run.before(front, leaf.to, target).some(sameIn)) return undefined;
  nearest = last ?? nearest;
  let segment = front;
  for (let points = 0; points < MOST_POINTS; points += segment.points.length) {
    if (segment !== front && sameIn(segment)) return undefined;
    const { end } = segment;
    const at = segment.points.at(-1)!.pc;
    if (end === undefined) return nearest ?? { kind: 'nothing', at };
    if (end.kind === 'stop') return nearest ?? { kind: 'stops', at, why: end.why };
    let next = onward(proving, segment, leaf.facts);
    if (next === undefined && end.kind === 'branch') {
      const taken = shownCondition(proving, end.condition, leaf.facts);
      if (taken !== undefined) next = segment.next(taken ? end.taken : end.fall);
    }
    if (next === undefined) return nearest ?? { kind: end.kind === 'branch' ? 'open' : 'elsewhere', at };
    segment = next;
  }
  return nearest ?? { kind: 'never' };
}

/** Where the original is compared. */
type Place = Pick<Point, 'state' | 'call' | 'stack'>;

/** What differs between an optimized way's end and a point of the original, or undefined. */
function differs(proving: Proving, leaf: Leaf, point: Place, liveThere: RegSet): Mismatch | undefined {
  const { sides, terms, used } = proving;
  const [was, is] = [point.state, leaf.state];
  // What is known of addresses on this way, as far as it has been followed, is what both sides are compared by.
  terms.knowledge = leaf.front.knowledge;
  const [memory, made] = [terms.settled(was.memory), terms.settled(is.memory)];
  const { facts } = leaf;
  const goals: Goal[] = [];
  let live = liveThere;
  const unequal: Reg[] = [];
  const calls = linksAt(sides.optimized, leaf.from);
  let links = false;
  for (let reg = 1; reg < REG_COUNT; reg++) {
    const [original, optimized] = [was.registers[reg]!, is.registers[reg]!];
    const kind = original === optimized ? 'same' : linkKind(proving, reg, original, optimized);
    if (kind === 'other') {
      links = true;
      // A real call: what is live is what callee and return point need together.
      if (calls && sides.liveness !== undefined && point.call !== undefined)
        live = union(live, sides.liveness.liveAfter(point.call));
    } else if (kind === undefined) unequal.push(reg);
  }
  const wrong = unequal.filter((reg) => hasReg(live, reg));
  for (const reg of wrong) goals.push({ facts, oneOf: [[was.registers[reg]!, is.registers[reg]!]] });
  let what: Mismatch | undefined = wrong.length === 0 ? undefined : { kind: 'register', reg: wrong[0]! };
  const stack = was.registers[SP] === is.registers[SP] ? was.registers[SP] : undefined;
  if (memory !== made && !sameMemory(proving, stack, point.stack, memory, made)) {
    const pairs = terms.pairs(memory, made);
    what ??= { kind: 'memory' };
    if (pairs === undefined) return what;
    for (const pair of pairs) goals.push({ facts, oneOf: [pair] });
  }
  const seen = terms.watched ? orderProblem(terms, was, is) : undefined;
  if (seen !== undefined) return seen;
  if (was.order !== is.order || was.rounding !== is.rounding) return { kind: 'events' };
  if (terms.flags.termOf(was.flags) !== terms.flags.termOf(is.flags)) return { kind: 'flags' };
  const within = terms.accesses.within(terms.accesses.of(is.accesses), terms.accesses.of(was.accesses));
  for (const { kind, bytes, address } of within ? [] : outside(is.accesses, was.accesses)) {
    what ??= { kind: 'access', access: kind, bytes };
    const like = listed(was.accesses).filter((access) => access.kind === kind && access.bytes === bytes);
    goals.push({ facts, oneOf: like.map((access) => [access.address, address] as const) });
  }
  if (what !== undefined && !shown(proving, goals)) return what;
  const more = sides.machine?.asks(was.extensions, is.extensions);
  if (typeof more === 'object') return { kind: 'extensions', names: more };
  if (more) used.add('A9');
  // Between one access and the next, and where the stack is another.
  if (!terms.watched && (Math.max(was.accessCount, is.accessCount) > 1 || !samePinned(was, is))) used.add('A11');
  if (unequal.length > wrong.length) used.add('A1');
  if (links) used.add('A7');
  return undefined;
}

/** Is memory equal, or but for what is left of frames that were given back, and what lies below the stack pointer (assumption A8)? */
function sameMemory(
  { sides, terms, used }: Proving,
  stack: Term | undefined,
  { left, stores }: Stack,
  was: Term,
  is: Term,
): boolean {
  // What is left may be anything, unless something was stored over it since: so where the optimized code stores it, it has to do so in its place.
  const sameButForLeft = (a: Term, b: Term): boolean => {
    if (!sides.deadFrames) return false;
    const without = terms.without(
      a,
      left.flatMap(leftOf).filter((each) => !terms.has(b, each)),
    );
    const above = (memory: Term) => (stack && terms.above(memory, stack)) ?? memory;
    const unseen = (memory: Term) => above(terms.unseen(memory, left, stores));
    if (above(without) !== above(b) && unseen(a) !== unseen(b)) return false;
    used.add('A8');
    return true;
  };
  if (sameButForLeft(was, is)) return true;
  const [ordered, made] = [terms.ordered(was), terms.ordered(is)];
  return ordered === made || sameButForLeft(ordered, made);
}

const leftOf = ({ offset, rest, value }: Slot): Left[] =>
  rest.map((part) => ({ ...part, at: part.offset - offset, value }));

/** What an address of the optimized file stands for in a register or a jump table: a return point (A7), or a head (A4). */
function stoodFor({ sides, used }: Proving, address: Addr): Addr | undefined {
  const link = sides.returns.get(address);
  if (link !== undefined) {
    used.add('A7');
    return link;
  }
  if (!sides.jumpTables || !sides.inside(address)) return undefined;
  const head = sides.standsFor(address);
  if (head !== undefined) used.add('A4');
  return head;
}

/**
 * A return address that the original has made by a call, and what the optimized code has for it: the same number, or, where the psABI keeps
 * it, another one that stands for it (A7). Undefined if it is neither.
 */
function linkKind({ sides, terms }: Proving, reg: Reg, original: Term, optimized: Term): 'same' | 'other' | undefined {
  const [link, at] = [terms.linkOf(original), terms.addressOf(optimized)];
  if (link === undefined || at === undefined) return undefined;
  if (at === link) return 'same';
  return isLink(reg) && sides.returns.get(at) === link ? 'other' : undefined;
}

/**
 * Where others may look: do both make the same accesses in the same order? Each also has to depend on all loads that it depends on in the
 * original, by which a memory model orders it behind them.
 */
function orderProblem(terms: ProofTerms, was: State, is: State): Mismatch | undefined {
  const wrong = (what: (Mismatch & { kind: 'seen' })['what']): Mismatch => ({ kind: 'seen', what });
  if (was.accessCount !== is.accessCount) return wrong('count');
  let [a, b] = [was.accesses, is.accesses];
  for (; a !== b && a !== undefined && b !== undefined; a = a.rest, b = b.rest) {
    const [one, other] = [a.item, b.item];
    if (accessKey(one) !== accessKey(other) || one.value !== other.value) return wrong('accesses');
    if (one.seen!.pinned.some((value, index) => value !== other.seen!.pinned[index])) return wrong('pinned');
    const lacks = (part: 'address' | 'data' | 'control') => (one.seen![part] & ~other.seen![part]) !== 0n;
    if (lacks('address') || lacks('data') || (one.kind === 'store' && lacks('control'))) return wrong('dependences');
  }
  return pinnedAlike(terms, was, is) ? undefined : wrong('pinned');
}

/** What the pinned registers hold for a while: from behind so many accesses on. */
interface Held {
  readonly values: readonly Term[];
  /** Of which registers it is the upper part of an address only. */
  readonly parts: readonly boolean[];
  readonly behind: number;
}

/** All that they hold, one after the other. */
function heldIn(terms: ProofTerms, pinned: State['pinned']): Held[] {
  const held: Held[] = [
    { values: PINNED.map((reg) => terms.input(regName(reg))), parts: PINNED.map(() => false), behind: 0 },
  ];
  for (const { reg, value, behind, part } of listed(pinned).reverse()) {
    const { values, parts } = held.at(-1)!;
    const at = PINNED.indexOf(reg);
    held.push({ values: values.with(at, value), parts: parts.with(at, part), behind });
  }
  return held;
}

/** Those that are in force at some time behind so many accesses and before the next. */
const heldBehind = (held: readonly Held[], accesses: number): readonly Held[] =>
  held.filter(({ behind }, i) => behind <= accesses && (held[i + 1]?.behind ?? Number.POSITIVE_INFINITY) >= accesses);

/**
 * Does a signal handler, wherever it comes, find in the pinned registers what it could find between the same two accesses of the original, all
 * together and in the same order? An upper part of an address, before the rest is added, depends on where the code is: it stands for one.
 */
function pinnedAlike(terms: ProofTerms, was: State, is: State): boolean {
  if (was.pinned === is.pinned) return true;
  const [original, optimized] = [heldIn(terms, was.pinned), heldIn(terms, is.pinned)];
  const alike = (a: Held, b: Held) =>
    a.values.every((value, at) => value === b.values[at] || (a.parts[at] === true && b.parts[at] === true));
  return [...new Set([...original, ...optimized].map(({ behind }) => behind))].every((accesses) => {
    const there = heldBehind(original, accesses);
    let at = 0;
    return heldBehind(optimized, accesses).every((one) => {
      while (at < there.length && !alike(there[at]!, one)) at++;
      return at < there.length;
    });
  });
}

/** Are stack, global and thread pointer set to the same values, between the same accesses? */
function samePinned(was: State, is: State): boolean {
  let [a, b] = [was.pinned, is.pinned];
  for (; a !== b && a !== undefined && b !== undefined; a = a.rest, b = b.rest)
    if (a.item.reg !== b.item.reg || a.item.value !== b.item.value || a.item.behind !== b.item.behind) return false;
  return a === b;
}

const accessKey = ({ kind, address, bytes }: Access): string => `${kind}${bytes}:${address.id}`;

/** Accesses of the first list that are not in the second. */
function outside(list: List<Access> | undefined, of: List<Access> | undefined): Access[] {
  const known = new Set(listed(of).map(accessKey));
  return listed(list).filter((access) => !known.has(accessKey(access)));
}
