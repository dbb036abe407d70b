/**
 * The two sides of a proof. Optimized: every way through the emitted code from a superblock's start to where it leaves, with what was
 * decided on the way. Original: one way through the original code, along what an optimized way has decided.
 */
import type { Addr } from '../../base/units.ts';
import { facts as factsOf } from '../../domain/record.ts';
import type { Term } from '../../domain/term.ts';
import type { Insn } from '../../isa/row.ts';
import { Decisions, type Facts } from './facts.ts';
import type { FrameAddresses } from './frames.ts';
import type { Saves } from './saves.ts';
import { headState, type Outcome, type State, symbolicStep } from './step.ts';
import { type ProofTerms, plainCondition } from './terms.ts';

/** What is noted of the original as it is run, for assumptions A3 and A10. */
export interface Notes {
  readonly saves: Saves;
  readonly frames: FrameAddresses;
}

export interface InsnSource {
  insnAt(address: Addr): Insn | undefined;
}

/** How an optimized way ends: at an original address, or by a computed jump. */
export interface Leaf {
  readonly to: Addr | undefined;
  /** The address of the optimized file that stands for it. */
  readonly at: Addr | undefined;
  readonly target: Term | undefined;
  /** The last instruction's address. */
  readonly from: Addr;
  /** Instructions on the way. */
  readonly steps: number;
  readonly state: State;
  readonly facts: Facts;
  /** On the way a return address was made without a call: an optimized one, taken for the original that it stands for. */
  readonly links: boolean;
}

/** What cannot be followed or compared; the text says what. */
export class Unproved extends Error {}

const MOST_LEAVES = 20_000;
const MOST_STEPS = 400_000;
/** Loops end at heads: a way through one superblock hardly ever leads back. */
const MOST_RETREATS = 4;

/**
 * Every way through optimized code.
 * @param first it may not leave before it has done something
 * @param leave the original address that an address of the optimized file stands for, where control leaves the superblock there
 * @param inside is this address in the optimized code?
 * @param linkOf the original return address that an optimized one stands for (A7): where the code makes one of these without a call, its term
 * is that of the original one, wherever it is then kept
 */
export function explore(
  terms: ProofTerms,
  code: InsnSource,
  start: Addr,
  first: boolean,
  leave: (address: Addr) => Addr | undefined,
  inside: (address: Addr) => boolean,
  linkOf: (address: Addr) => Addr | undefined,
): Leaf[] {
  const leaves: Leaf[] = [];
  const decisions = new Decisions(terms);
  const open: {
    pc: Addr;
    from: Addr;
    state: State;
    facts: Facts;
    links: boolean;
    depth: number;
    retreats: number;
  }[] = [{ pc: start, from: start, state: headState(terms), facts: undefined, links: false, depth: 0, retreats: 0 }];
  let steps = 0;
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const { pc, from, state, facts, depth, retreats } = path;
    let { links } = path;
    const to = depth === 0 && first ? undefined : leave(pc);
    if (to !== undefined) {
      leaves.push({ to, at: pc, target: undefined, from, steps: depth, state, facts, links });
      if (leaves.length > MOST_LEAVES) throw new Unproved('too many ways through it');
      continue;
    }
    if (!inside(pc)) throw new Unproved(`it leaves to 0x${pc.toString(16)}, which stands for nothing`);
    const insn = code.insnAt(pc);
    if (insn === undefined) throw new Unproved(`there is no instruction at 0x${pc.toString(16)}`);
    terms.steps++;
    if (++steps > MOST_STEPS || retreats > MOST_RETREATS) throw new Unproved('it does not end');
    let outcome = symbolicStep(terms, insn, pc, state);
    const link = outcome.kind === 'goto' ? madeLink(terms, insn, outcome.state, linkOf) : undefined;
    if (link !== undefined && outcome.kind === 'goto') {
      outcome = { ...outcome, state: link };
      links = true;
    }
    const go = (address: Addr, known: Facts) =>
      open.push({
        pc: address,
        from: pc,
        state: stateOf(outcome),
        facts: known,
        links,
        depth: depth + 1,
        retreats: address <= pc ? retreats + 1 : retreats,
      });
    switch (outcome.kind) {
      case 'stop':
        throw new Unproved(`optimized code has ${outcome.why}`);
      case 'goto':
        go(outcome.to, facts);
        break;
      case 'branch': {
        const known = decisions.decided(outcome.condition, facts)?.is;
        const { term, when } = plainCondition(outcome.condition);
        if (known !== false) go(outcome.taken, known ? facts : { item: { condition: term, holds: when }, rest: facts });
        if (known !== true)
          go(outcome.fall, known === false ? facts : { item: { condition: term, holds: !when }, rest: facts });
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
            steps: depth + 1,
            state: outcome.state,
            facts,
            links,
          });
      }
    }
  }
  return leaves;
}

/** The state with the original return address where an instruction has completed an optimized one; undefined if it has not. */
function madeLink(
  terms: ProofTerms,
  insn: Insn,
  state: State,
  linkOf: (address: Addr) => Addr | undefined,
): State | undefined {
  const { control, writes, readsPc } = factsOf(insn);
  if (control !== 'none' || writes === undefined || readsPc) return undefined;
  const address = terms.addressOf(state.registers[writes]!);
  const link = address === undefined ? undefined : linkOf(address);
  return link === undefined ? undefined : { ...state, registers: state.registers.with(writes, terms.code(link)) };
}

/** Does a call stand before this address? */
export const isReturnPoint = (code: InsnSource, address: Addr): boolean =>
  [2, 4].some((size) => linksAt(code, address - size, size));

/** By an optimized return address the original one, if it is one. */
export const linksOf =
  (original: InsnSource, returns: ReadonlyMap<Addr, Addr>) =>
  (address: Addr): Addr | undefined => {
    const link = returns.get(address);
    return link !== undefined && isReturnPoint(original, link) ? link : undefined;
  };

const stateOf = (outcome: Outcome): State => {
  if (outcome.kind === 'stop') throw new Unproved(outcome.why);
  return outcome.state;
};

/** A point in the original's run. Ways that share a beginning share its points. */
export interface Point {
  readonly pc: Addr;
  readonly state: State;
  /** Instructions retired since the head. */
  readonly retired: number;
  /** The last linking transfer on the way. */
  readonly call: Addr | undefined;
  /** The state behind it, or at the head: where the function at hand was entered. */
  readonly entered: State;
  /** The state at the head. */
  readonly head: State;
  /** The point before it, and one further back: by both any one on the way is come to in few steps (`isOn`). */
  readonly before: Point | undefined;
  readonly back: Point | undefined;
  outcome: Outcome | undefined;
  noted: boolean;
  readonly next: Map<Addr, Point>;
}

export function originalStart(terms: ProofTerms, head: Addr): Point {
  const state = headState(terms);
  return {
    pc: head,
    state,
    retired: 0,
    call: undefined,
    entered: state,
    head: state,
    before: undefined,
    back: undefined,
    outcome: undefined,
    noted: false,
    next: new Map(),
  };
}

/**
 * What the instruction at a point does; undefined where there is none.
 * @param notes absent: nothing is noted of it
 */
export function outcomeAt(
  terms: ProofTerms,
  code: InsnSource,
  point: Point,
  notes: Notes | undefined,
): Outcome | undefined {
  const insn = code.insnAt(point.pc);
  if (insn === undefined) return undefined;
  point.outcome ??= symbolicStep(terms, insn, point.pc, point.state);
  const { outcome, pc, state, entered, head } = point;
  if (notes !== undefined && !point.noted && outcome.kind === 'goto') {
    point.noted = true;
    notes.frames.note(pc, state, outcome.state);
    notes.saves.note({ insn, before: state, after: outcome.state, entered, head });
  }
  return outcome;
}

/** Does a transfer that links stand here (of this size, if one is given)? */
export function linksAt(code: InsnSource, pc: Addr, size?: number): boolean {
  const insn = code.insnAt(pc);
  if (insn === undefined || (size !== undefined && insn.size !== size)) return false;
  const { control, writes } = factsOf(insn);
  return (control === 'jump' || control === 'indirect') && writes !== undefined;
}

/** The point behind one, where control goes to `to`. */
export function pointAfter(code: InsnSource, point: Point, to: Addr): Point {
  let next = point.next.get(to);
  if (next === undefined) {
    const state = stateOf(point.outcome!);
    const links = linksAt(code, point.pc);
    next = {
      pc: to,
      state,
      retired: point.retired + 1,
      call: links ? point.pc : point.call,
      entered: links ? state : point.entered,
      head: point.head,
      before: point,
      back: backOf(point),
      outcome: undefined,
      noted: false,
      next: new Map(),
    };
    point.next.set(to, next);
  }
  return next;
}

/** Twice as far back as the point before where that has two of one length behind it (Myers: An applicative random-access stack, 1983). */
function backOf(before: Point): Point {
  const { back } = before;
  if (back === undefined || back.back === undefined) return before;
  return before.retired - back.retired === back.retired - back.back.retired ? back.back : before;
}

/** Is a point on the way to another one, or that one itself? */
export function isOn(point: Point, way: Point): boolean {
  let at = way;
  while (at.retired > point.retired)
    at = at.back !== undefined && at.back.retired >= point.retired ? at.back : at.before!;
  return at === point;
}
