/**
 * The proof of one piece of optimized code: for all states at its start, at each of its exits, the original comes to the same address, with
 * the same registers (as far as they are live), memory, floating-point flags and events, and the original has accessed all that the
 * optimized code has accessed.
 *
 * Each path through the optimized code is matched with the original's run from the head along the same decisions. Every branch of the
 * original must be decided by the decisions of the optimized path: so the original does all that the optimized path does on that very
 * path, and no load can move above the guard that makes it safe.
 */

import { type Addr, isLink, REG_COUNT, type Reg, regName, SP } from '../../base/units.ts';
import type { Liveness } from '../../cfg/liveness.ts';
import { ALL_REGS, hasReg, type RegSet, union } from '../../cfg/regset.ts';
import type { Saves } from '../../cfg/saves.ts';
import type { Term } from '../../domain/term.ts';
import { byNumber } from '../../emit/assumptions.ts';
import type { Machine } from './extensions.ts';
import { Decisions, type Facts } from './facts.ts';
import { Knowledge } from './knowledge.ts';
import { type List, listed } from './list.ts';
import { type InsnSource, linksAt, OriginalRun, type Point, type Segment, type Slot, type Stack } from './original.ts';
import { type Effort, explore, type Follow, type Leaf } from './paths.ts';
import type { Mismatch, Reason } from './reasons.ts';
import type { Goal } from './smt.ts';
import type { Solver } from './solver.ts';
import { type Access, PINNED, type State, stackName, Unproved } from './step.ts';
import { type Left, ProofTerms } from './terms.ts';

/** The inputs of proofs: both files' instructions, the map, and liveness in the original. */
export interface Sides {
  readonly original: InsnSource;
  readonly optimized: InsnSource;
  /** Return addresses of calls in optimized code, and the original return addresses that they stand for (assumption A7). */
  readonly returns: ReadonlyMap<Addr, Addr>;
  readonly relocatable: boolean;
  /** Liveness in the original, under assumption A1; undefined if A1 may not be made. */
  readonly liveness: Liveness | undefined;
  /** The original's stores that save registers, where assumption A3 may be made. */
  readonly saves?: Saves | undefined;
  /** Assumption A11 may not be made: others may look and write between two accesses. */
  readonly watched?: boolean | undefined;
  /** Assumption A4 may be made. */
  readonly jumpTables: boolean;
  /** Assumption A8 may be made. */
  readonly deadFrames: boolean;
  /** The machine's extensions; absent: all. */
  readonly machine?: Machine | undefined;
  /** The original address that an address of the optimized file stands for, where control may go. */
  standsFor(address: Addr): Addr | undefined;
  /** Is this address in the optimized code? */
  inside(address: Addr): boolean;
  /** Steps that are left for all paths of the file; absent: no bound. */
  readonly effort?: Effort | undefined;
}

/** A piece of optimized code and the original address that it stands for. */
export interface Entry {
  readonly head: Addr;
  readonly start: Addr;
  /** The piece's first address is no exit before its first instruction. */
  readonly first: boolean;
  /** The piece must do at least one original instruction (else the transfer to it was one), lest two places lead to each other for ever. */
  readonly progress: boolean;
}

export interface EntryProof {
  readonly verdict: 'proved' | 'unproved';
  /** Why the piece is not proved. */
  readonly reason: Reason | undefined;
  /** The assumptions the proof rests on, by id. */
  readonly assumptions: readonly string[];
  /** Number of paths through the piece that were compared. */
  readonly ways: number;
  /** Goals that the solver closed. */
  readonly solved: number;
  /** A measure of the work done, and of nothing else. */
  readonly work: number;
  /** Terms were compared, or decided by, that are not the same: a solver may show that they are equal. */
  readonly unequal: boolean;
  /** The ends of all paths. */
  readonly leaves: readonly Leaf[];
  /** The path that could not be matched, and the last state of the original that was followed along it. */
  readonly failed: Leaf | undefined;
  readonly followed: State | undefined;
}

/** Questions to the solver about one piece of code. */
const MOST_QUESTIONS = 6;

/** Points that the original may run beyond the segment that an optimized path has led it to. */
const MOST_POINTS = 20_000;

/** Repeated runs along a path: each may show more facts. */
const MOST_RERUNS = 3;

/** @param solver asked where rewriting does not make terms the same */
export function proveEntry(sides: Sides, entry: Entry, solver?: Solver): EntryProof {
  const plain = attempt(sides, entry, undefined, false);
  // Overwritten stores are kept for a frame whose place another frame has taken since: the latter's overwriting stores may be left out.
  const kept = plain.verdict === 'proved' ? plain : attempt(sides, entry, undefined, true);
  const proof = kept.verdict === 'proved' ? kept : plain;
  return solver === undefined ? proof : askSolver(sides, entry, proof, solver);
}

/** Asks a solver where rewriting did not make terms the same. @param before the result of `proveEntry` without a solver */
export function askSolver(sides: Sides, entry: Entry, before: EntryProof, solver: Solver): EntryProof {
  const { verdict, reason, unequal } = before;
  // A solver compares values only.
  const values = reason?.kind !== 'exit' || !VALUELESS_KINDS.has(reason.what.kind);
  if (verdict === 'proved' || !unequal || !values) return before;
  const proof = attempt(sides, entry, solver, false);
  return proof.verdict === 'proved' ? proof : before;
}
const VALUELESS_KINDS: ReadonlySet<string> = new Set<Mismatch['kind']>(['events', 'flags', 'extensions', 'seen']);

/** @param keeping whether overwritten stores are kept, as far as optimized code makes them (`ProofTerms.keep`) */
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
    const follow: Follow = (segment, facts) => nextSegment(proving, segment, facts);
    terms.keep(keeping ? () => true : undefined);
    let original = run();
    const { optimized: code, returns } = sides;
    const explored = { code, returns, standsFor: sides.standsFor, inside: sides.inside, effort: sides.effort };
    const ways = (from: Segment, along?: Leaf) =>
      explore(terms, explored, entry.start, entry.first, from, follow, decisions, along);
    const least = entry.progress ? 1 : 0;
    /** Runs a path again with the facts known at its end, which were not yet known at its beginning. @returns whether it is matched then */
    const matchesOnRerun = (leaf: Leaf): boolean => {
      const known = new Knowledge(leaf.front.knowledge);
      for (let round = 0, size = -1; round < MOST_RERUNS && known.size !== size; round++) {
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
      // A segment followed earlier has memory without kept stores; and a solver may find targets equal that are not the same term.
      const anew = keeping || (solver !== undefined && leaf.target !== undefined);
      const why = match(proving, leaf, original, anew ? original.first : leaf.front, least);
      if (why !== undefined && !matchesOnRerun(leaf))
        return result('unproved', { kind: 'exit', at: leaf.from, to: leaf.to, what: why }, leaf);
      compared++;
    }
    return result('proved');
  } catch (error) {
    if (!(error instanceof Unproved)) throw error;
    return result('unproved', { kind: 'way', what: error.what });
  }
}

/** Tells the stores that a path makes. */
function storesOf(terms: ProofTerms, { state }: Leaf): (address: Term, bytes: number, value: Term) => boolean {
  const keyOf = (address: Term, bytes: number, value: Term) => `${bytes}:${address.id},${value.id}`;
  const stores = new Set<string>();
  for (const { kind, address, bytes, value } of listed(state.accesses))
    if (kind === 'store' && value !== undefined)
      stores.add(keyOf(address, bytes, terms.stored(value, bytes as 1 | 2 | 4 | 8)));
  return (address, bytes, value) => stores.has(keyOf(address, bytes, value));
}

/** The state of a proof attempt, with the assumptions used so far. */
interface Proving {
  readonly sides: Sides;
  readonly terms: ProofTerms;
  readonly used: Set<string>;
  readonly decisions: Decisions;
  readonly solver: Solver | undefined;
  questions: number;
  /** Terms were met that are not the same but may be equal. */
  unequal: boolean;
  solved: number;
  /** The original's last state on the current path. */
  followed: State | undefined;
}

/** Does the solver show all goals? */
function solverShows(proving: Proving, goals: readonly Goal[]): boolean {
  proving.unequal = true;
  if (proving.solver === undefined || proving.questions >= MOST_QUESTIONS) return false;
  proving.questions++;
  if (!proving.solver.holds(goals).every((holds) => holds)) return false;
  proving.solved += goals.length;
  return true;
}

/** The value of a condition, if the solver shows it. */
function solvedCondition(proving: Proving, condition: Term, facts: Facts): boolean | undefined {
  // A value is shown if no state has the opposite as one more fact.
  for (const value of [true, false])
    if (solverShows(proving, [{ facts: { item: { condition, holds: !value }, rest: facts }, oneOf: [] }])) return value;
  return undefined;
}

/** The original's next segment, by the decided facts; undefined where these do not decide it. */
function nextSegment(proving: Proving, segment: Segment, facts: Facts): Segment | undefined {
  const { end } = segment;
  if (end?.kind === 'branch') {
    const taken = proving.decisions.decided(end.condition, facts);
    return taken === undefined ? undefined : segment.next(taken.is ? end.taken : end.fall);
  }
  if (end?.kind !== 'jump') return undefined;
  const to = proving.decisions.target(end.target, facts, (address) => originalOf(proving, address));
  return to === undefined ? undefined : segment.next(to.is);
}

/**
 * Finds the point of the original at which its state equals the optimized code's at the exit.
 * @param front a segment that is known to be on the path
 * @returns why no point matches, or undefined
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
      // If a computed jump has led to this point, the registers live behind that jump are enough.
      if (point.jump !== undefined && same(point, liveness?.liveAfter(point.jump))) return true;
    }
    const { end, points, stack } = segment;
    const { pc, state } = points.at(-1)!;
    proving.followed = state;
    if (end?.kind !== 'jump' || target === undefined) return false;
    if (target !== end.target && !(proving.solver && solverShows(proving, [{ facts, oneOf: [[target, end.target]] }])))
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
    let next = nextSegment(proving, segment, leaf.facts);
    if (next === undefined && end.kind === 'branch') {
      const taken = solvedCondition(proving, end.condition, leaf.facts);
      if (taken !== undefined) next = segment.next(taken ? end.taken : end.fall);
    }
    if (next === undefined) return nearest ?? { kind: end.kind === 'branch' ? 'open' : 'elsewhere', at };
    segment = next;
  }
  return nearest ?? { kind: 'never' };
}

/** The part of a point that is compared. */
type Place = Pick<Point, 'state' | 'call' | 'stack'>;

/** The difference between an optimized path's end and a point of the original, or undefined. */
function differs(proving: Proving, leaf: Leaf, point: Place, liveThere: RegSet): Mismatch | undefined {
  const { sides, terms, used } = proving;
  const [was, is] = [point.state, leaf.state];
  // Both sides are compared by the facts about addresses on this path, as far as it has been followed.
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
      // A real call: live are the registers that callee or return point need.
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
  for (const { kind, bytes, address } of within ? [] : missingAccesses(is.accesses, was.accesses)) {
    what ??= { kind: 'access', access: kind, bytes };
    const like = listed(was.accesses).filter((access) => access.kind === kind && access.bytes === bytes);
    goals.push({ facts, oneOf: like.map((access) => [access.address, address] as const) });
  }
  if (what !== undefined && !solverShows(proving, goals)) return what;
  const more = sides.machine?.asks(was.extensions, is.extensions);
  if (typeof more === 'object') return { kind: 'extensions', names: more };
  if (more) used.add('A9');
  // A11 is about the time between two accesses, and about times with another stack pointer.
  if (!terms.watched && (Math.max(was.accessCount, is.accessCount) > 1 || !samePinned(was, is))) used.add('A11');
  if (unequal.length > wrong.length) used.add('A1');
  if (links) used.add('A7');
  return undefined;
}

/** Are two memories equal, but for slots left in frames that were given back, and bytes below the stack pointer (assumption A8)? */
function sameMemory(
  { sides, terms, used }: Proving,
  stack: Term | undefined,
  { left, stores }: Stack,
  was: Term,
  is: Term,
): boolean {
  // A slot left may hold anything unless stored over since: so if optimized code stores to it, the place of that store in the line counts.
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

/** The original address that an optimized one stands for in a register or a jump table: a return point (A7), or a head (A4). */
function originalOf({ sides, used }: Proving, address: Addr): Addr | undefined {
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
 * Compares a return address that the original has made by a call with the optimized code's value: 'same' number, or, where the psABI keeps
 * return addresses, an 'other' one that stands for it (A7). Undefined if the value is neither.
 */
function linkKind({ sides, terms }: Proving, reg: Reg, original: Term, optimized: Term): 'same' | 'other' | undefined {
  const [link, at] = [terms.linkOf(original), terms.addressOf(optimized)];
  if (link === undefined || at === undefined) return undefined;
  if (at === link) return 'same';
  return isLink(reg) && sides.returns.get(at) === link ? 'other' : undefined;
}

/**
 * Where others may look: do both sides make the same accesses in the same order? Each optimized access also has to depend on all loads that
 * it depends on in the original, since the memory model orders it behind these loads.
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

/** The values that the pinned registers hold for a while: from `behind` so many accesses on. */
interface Held {
  readonly values: readonly Term[];
  /** Which of the values are the upper part of an address only. */
  readonly parts: readonly boolean[];
  readonly behind: number;
}

/** All values of the pinned registers, in order of time. */
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

/** The values that are in force at some time behind so many accesses and before the next. */
const heldBehind = (held: readonly Held[], accesses: number): readonly Held[] =>
  held.filter(({ behind }, i) => behind <= accesses && (held[i + 1]?.behind ?? Number.POSITIVE_INFINITY) >= accesses);

/**
 * Does a signal handler, wherever it comes, find values in the pinned registers that it could find between the same two accesses of the
 * original, all together and in the same order? The upper part of an address depends on the code's place: any upper part equals any other.
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
function missingAccesses(list: List<Access> | undefined, of: List<Access> | undefined): Access[] {
  const known = new Set(listed(of).map(accessKey));
  return listed(list).filter((access) => !known.has(accessKey(access)));
}
