/**
 * The original's symbolic run from a head, along the decisions of optimized paths: a tree of segments, each from one decision to the next.
 * Paths that share a beginning share its segments. Facts that the run shows about addresses are noted as knowledge (knowledge.ts).
 */

import { type Addr, SP } from '../../base/units.ts';
import type { Saves } from '../../cfg/saves.ts';
import { facts as factsOf } from '../../domain/record.ts';
import type { Term } from '../../domain/term.ts';
import type { InsnSource } from '../../isa/row.ts';
import { type Accessed, Knowledge, type Stores } from './knowledge.ts';
import type { List } from './list.ts';
import { type Extent, restsOf, type Span } from './pieces.ts';
import { headState, type State } from './state.ts';
import { type Outcome, symbolicStep } from './step.ts';
import type { ProofTerms } from './terms.ts';

/** The original's state before an instruction. */
export interface Point {
  readonly pc: Addr;
  readonly state: State;
  /** Instructions retired since the head. */
  readonly retired: number;
  /** The last linking transfer on the path. */
  readonly call: Addr | undefined;
  readonly stack: Stack;
  /** The computed jump that has just led here. */
  readonly jump?: Addr | undefined;
}

export interface OriginalRequest {
  readonly terms: ProofTerms;
  readonly code: InsnSource;
  readonly head: Addr;
  /** Which stores save registers, where assumption A3 may be made. */
  readonly saves: Saves | undefined;
  /** Assumption A8 may be made. */
  readonly deadFrames: boolean;
  /** For a run along one path: all facts about that path, from its beginning on. */
  readonly known?: Knowledge;
}

/** A slot of the stack at the head in which a frame keeps a register, or has kept it. */
export interface Slot {
  readonly address: Term;
  /** Distance of the slot from the stack pointer at the head. */
  readonly offset: number;
  readonly value: Term;
  /** The loads that the value depends on, where others may look. */
  readonly depends: bigint;
  /** Parts of the slot that no store through the stack pointer has overwritten. */
  readonly rest: readonly Span[];
  /** Number of stores through other pointers before the frame was given back. */
  readonly given: number;
}

/** Saved registers on the stack: `kept` in present frames, and `left` in frames that were given back. */
export interface Stack {
  readonly kept: readonly Slot[];
  readonly left: readonly Slot[];
  /** Stores through other pointers than the stack pointer, latest first. */
  readonly stores: Stores | undefined;
}

/** Visits of one address in a segment, more than loops are unrolled: a loop without a decision does not end. */
const MOST_VISITS = 20;
/** Runs of one segment: a saved register that is loaded again may lead to further facts. */
const MOST_ROUNDS = 5;

export class Segment {
  readonly knowledge: Knowledge;
  readonly points: readonly Point[];
  /** The outcome of the last point; undefined where there is no instruction. */
  readonly end: Exclude<Outcome, { kind: 'goto' }> | undefined;
  /** Saved registers on the stack at the end. */
  readonly stack: Stack;
  readonly #request: OriginalRequest;
  readonly #run: OriginalRun;
  readonly #next = new Map<Addr, Segment>();
  readonly #at = new Map<Addr, Point[]>();

  constructor(run: OriginalRun, start: Point, parent?: Knowledge) {
    this.#run = run;
    this.#request = run.request;
    this.knowledge = run.request.known ?? new Knowledge(parent);
    let known = this.knowledge.size;
    let ran = this.#ran(start);
    // Facts found in the segment hold from its beginning on.
    for (let round = 1; round < MOST_ROUNDS && this.knowledge.size !== known; round++) {
      known = this.knowledge.size;
      ran = this.#ran(start);
    }
    this.points = ran.points;
    this.end = ran.end;
    this.stack = ran.stack;
    for (const point of this.points) listIn(this.#at, point.pc).push(point);
    run.add(this);
  }

  /** Instructions retired before the segment. */
  get retired(): number {
    return this.points[0]!.retired;
  }
  /** Addresses of the segment's points. */
  get addresses(): Iterable<Addr> {
    return this.#at.keys();
  }
  /** The segment's points at an address. */
  at(address: Addr | undefined): readonly Point[] {
    return (address !== undefined && this.#at.get(address)) || [];
  }

  /** The segment behind this one, where control goes to `to`. */
  next(to: Addr): Segment {
    let next = this.#next.get(to);
    if (next === undefined) {
      const { code } = this.#request;
      const last = this.points.at(-1)!;
      if (this.end === undefined || this.end.kind === 'stop') throw new Error('a segment that ends leads nowhere');
      const { state } = this.end;
      const call = linksAt(code, last.pc) ? last.pc : last.call;
      const jump = this.end.kind === 'jump' ? last.pc : undefined;
      const point = { pc: to, state, retired: last.retired + 1, call, stack: this.stack, jump };
      next = new Segment(this.#run, point, this.knowledge);
      this.#next.set(to, next);
    }
    return next;
  }

  #ran(start: Point) {
    const { terms, code, saves } = this.#request;
    const points: Point[] = [];
    const visited = new Map<Addr, number>();
    let { stack } = start;
    let [left, parts] = [stack.left, partsOf(terms, stack)];
    let point = start;
    for (;;) {
      points.push(point);
      const { pc, state, retired, call } = point;
      const insn = code.insnAt(pc);
      if (insn === undefined) return { points, end: undefined, stack };
      const visits = (visited.get(pc) ?? 0) + 1;
      visited.set(pc, visits);
      if (visits > MOST_VISITS) return { points, end: { kind: 'stop' as const, why: 'loop' as const }, stack };
      terms.knowledge = this.knowledge;
      const saved = saves?.savesAt(pc) ?? false;
      const kept = stack;
      const accesses = (kind: 'load' | 'store', bytes: Accessed) => this.#noteAccess(kind, bytes, kept);
      if (stack.left !== left) [left, parts] = [stack.left, partsOf(terms, stack)];
      terms.left = parts;
      const outcome = symbolicStep(terms, insn, pc, state, { side: 'original', saves: saved, accesses });
      terms.left = NO_PARTS;
      if (outcome.kind === 'stop') return { points, end: outcome, stack };
      stack = this.#note(saved, state, outcome.state, stack);
      if (outcome.kind !== 'goto') return { points, end: outcome, stack };
      point = {
        pc: outcome.to,
        state: outcome.state,
        retired: retired + 1,
        call: linksAt(code, pc) ? pc : call,
        stack,
      };
    }
  }

  /** Notes the facts that an access shows, before its value is loaded. */
  #noteAccess(kind: 'load' | 'store', bytes: Accessed, { kept, left, stores }: Stack): void {
    if (this.#request.terms.stackOffset(bytes.address) !== undefined) return;
    for (const slot of kept) this.knowledge.noteApart(whole(slot), bytes);
    if (kind !== 'load') return;
    for (const { rest, given } of left) for (const part of rest) this.knowledge.noteUnread(part, bytes, stores, given);
  }

  /** Notes the facts that a step shows. @returns the saved registers on the stack behind the step */
  #note(saves: boolean, before: State, after: State, stack: Stack): Stack {
    if (this.#request.saves === undefined) return stack;
    const { terms, deadFrames } = this.#request;
    let { kept, left, stores } = stack;
    // At a barrier others may have stored anything; reading a CSR changes no memory.
    if (after.order !== before.order && after.memory !== before.memory) {
      for (const slot of kept) this.knowledge.noteApart(whole(slot), { address: after.order, bytes: 8 });
      left = [];
    }
    for (const { kind, address, bytes, value, seen } of since(after.accesses, before.accesses)) {
      const offset = terms.stackOffset(address);
      const link = saves && bytes === 8 && value !== undefined ? terms.linkOf(value) : undefined;
      if (link !== undefined) this.knowledge.noteLink(address, link);
      if (offset === undefined) {
        if (kind === 'store') stores = { item: { address, bytes }, rest: stores, count: (stores?.count ?? 0) + 1 };
        continue;
      }
      if (kind === 'store') {
        const stays = (slot: Slot) => slot.offset >= offset + bytes || offset >= slot.offset + 8;
        if (!kept.every(stays)) kept = kept.filter(stays);
        if (!left.every(stays)) left = left.flatMap((slot) => cut(slot, { offset, bytes }));
        if (saves && bytes === 8) {
          kept = [
            ...kept,
            { address, offset, value: value!, depends: seen?.data ?? 0n, rest: [{ offset, bytes }], given: 0 },
          ];
        }
      } else if (bytes === 8) {
        const slot = kept.find((each) => each.address === address);
        if (slot !== undefined) this.knowledge.noteRestored(after.accessCount - 1, slot);
      }
    }
    if (after.registers[SP] !== before.registers[SP] && kept.length > 0) {
      const top = terms.stackOffset(after.registers[SP]!);
      const was = terms.stackOffset(before.registers[SP]!);
      // An unknown stack pointer gives back an unknown part of the stack. A raised one gives back the slots that lie below it, whole.
      const rises = top !== undefined && was !== undefined && top > was;
      const given = (slot: Slot) => rises && slot.offset + 8 <= top;
      if (deadFrames) left = [...left, ...kept.filter(given).map((slot) => ({ ...slot, given: stores?.count ?? 0 }))];
      kept = top === undefined ? [] : kept.filter((slot) => slot.offset >= top);
    }
    const same = kept === stack.kept && left === stack.left && stores === stack.stores;
    return same ? stack : { kept, left, stores };
  }
}

/** The tree of one proof's segments, with indexes of it. */
export class OriginalRun {
  readonly request: OriginalRequest;
  readonly first: Segment;
  /** Segments by the addresses of their points, and by the target of the jump at their end. */
  readonly #at = new Map<Addr, Segment[]>();
  readonly #jumps = new Map<Term, Segment[]>();

  constructor(request: OriginalRequest) {
    this.request = request;
    const state = headState(request.terms);
    const stack = { kept: [], left: [], stores: undefined };
    this.first = new Segment(this, { pc: request.head, state, retired: 0, call: undefined, stack });
  }

  add(segment: Segment): void {
    for (const address of segment.addresses) listIn(this.#at, address).push(segment);
    if (segment.end?.kind === 'jump') listIn(this.#jumps, segment.end.target).push(segment);
  }
  /** Segments on the path to a segment that come to an address, or jump to a target, in order. */
  before(segment: Segment, to: Addr | undefined, target: Term | undefined): Segment[] {
    const found = new Set([
      ...((to !== undefined && this.#at.get(to)) || []),
      ...((target && this.#jumps.get(target)) ?? []),
    ]);
    return [...found]
      .filter((each) => each !== segment && each.knowledge.leadsTo(segment.knowledge))
      .sort((a, b) => a.retired - b.retired);
  }
}

/** Slots left in frames that were given back. */
const partsOf = (terms: ProofTerms, { left }: Stack): ReadonlySet<Extent> =>
  left.length === 0 ? NO_PARTS : new Set(terms.onStack(left.flatMap(({ rest }) => rest)));
const NO_PARTS: ReadonlySet<Extent> = new Set();
/** A slot without these bytes, if anything is left of it. */
function cut(slot: Slot, { offset, bytes }: Span): Slot[] {
  const rest = slot.rest.flatMap((part) => restsOf(part, offset, offset + bytes));
  return rest.length === 0 ? [] : [{ ...slot, rest }];
}
const whole = ({ offset }: Slot): Span => ({ offset, bytes: 8 });

function listIn<K, T>(map: Map<K, T[]>, key: K): T[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
}

/** New items of a list, oldest first. */
function since<T>(list: List<T> | undefined, before: List<T> | undefined): T[] {
  const items: T[] = [];
  for (let at = list; at !== before && at !== undefined; at = at.rest) items.push(at.item);
  return items.reverse();
}

/** Does a linking transfer stand at an address? */
export function linksAt(code: InsnSource, pc: Addr): boolean {
  const insn = code.insnAt(pc);
  if (insn === undefined) return false;
  const { control, writes } = factsOf(insn);
  return (control === 'jump' || control === 'indirect') && writes !== undefined;
}

/** Does a call stand before this address? */
export const isReturnPoint = (code: InsnSource, address: Addr): boolean =>
  [2, 4].some((size) => code.insnAt(address - size)?.size === size && linksAt(code, address - size));
