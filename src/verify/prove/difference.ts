/**
 * The comparison of two states: of the optimized code at the end of a path, and of the original at a point of its run. Registers that are
 * live, memory, floating-point flags and events must be the same, and the original must have accessed all that the optimized code has.
 */

import { hasReg, type RegSet, union } from '../../base/regset.ts';
import { isLink, REG_COUNT, type Reg, SP } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';
import { type List, listed } from './list.ts';
import { orderProblem, samePinned } from './order.ts';
import { linksAt, type Point, type Slot } from './original.ts';
import type { Leaf } from './paths.ts';
import type { Proving } from './proving.ts';
import type { Mismatch } from './reasons.ts';
import type { Goal } from './smt.ts';
import { type Access, accessKey, type State } from './state.ts';
import type { Left } from './terms.ts';

/** The part of a point that is compared. */
export type ComparedPoint = Pick<Point, 'state' | 'call' | 'stack'>;

/**
 * The difference between an optimized path's end and a point of the original, or undefined. The assumptions that the states are equal by
 * are noted in `proving`.
 * @param live registers that are live at the point
 */
export function difference(proving: Proving, leaf: Leaf, point: ComparedPoint, live: RegSet): Mismatch | undefined {
  // Both sides are compared by the facts about addresses on this path, as far as it has been followed.
  proving.terms.knowledge = leaf.front.knowledge;
  return new Comparison(proving, leaf, point).difference(live);
}

class Comparison {
  readonly #proving: Proving;
  readonly #leaf: Leaf;
  readonly #point: ComparedPoint;
  readonly #was: State;
  readonly #is: State;
  /** The first of the differences between terms that may yet be equal, and all that must be shown to close these differences. */
  #open: Mismatch | undefined;
  readonly #goals: Goal[] = [];
  /** A register that is not live differs. */
  #deadDiffers = false;
  /** A register holds a return address that stands for the original one. */
  #links = false;

  constructor(proving: Proving, leaf: Leaf, point: ComparedPoint) {
    this.#proving = proving;
    this.#leaf = leaf;
    this.#point = point;
    this.#was = point.state;
    this.#is = leaf.state;
  }

  difference(live: RegSet): Mismatch | undefined {
    const { terms } = this.#proving;
    const [memory, made] = [terms.settled(this.#was.memory), terms.settled(this.#is.memory)];
    this.#compareRegisters(live);
    if (memory !== made && !this.#mayBeEqual(memory, made)) return this.#open;
    const seen = this.#eventDifference();
    if (seen !== undefined) return seen;
    this.#compareAccesses();
    if (this.#open !== undefined && !this.#proving.shows(this.#goals)) return this.#open;
    const lacking = this.#comparedExtensions();
    if (lacking === undefined) this.#noteAssumptions();
    return lacking;
  }

  #compareRegisters(liveThere: RegSet): void {
    const { sides } = this.#proving;
    let live = liveThere;
    const unequal: Reg[] = [];
    const calls = linksAt(sides.optimized, this.#leaf.from);
    const { call } = this.#point;
    for (let reg = 1; reg < REG_COUNT; reg++) {
      const kind = this.#equality(reg);
      if (kind === 'other') {
        this.#links = true;
        // A real call: live are the registers that callee or return point need.
        if (calls && sides.liveness !== undefined && call !== undefined)
          live = union(live, sides.liveness.liveAfter(call));
      } else if (kind === undefined) unequal.push(reg);
    }
    const wrong = unequal.filter((reg) => hasReg(live, reg));
    this.#deadDiffers = unequal.length > wrong.length;
    if (wrong.length > 0) this.#open = { kind: 'register', reg: wrong[0]! };
    for (const reg of wrong) this.#mustShow([[this.#was.registers[reg]!, this.#is.registers[reg]!]]);
  }

  /**
   * Does a register hold the 'same' value on both sides, or, where the psABI keeps return addresses, an 'other' one that stands for the
   * original's (A7)? Undefined if it holds neither.
   */
  #equality(reg: Reg): 'same' | 'other' | undefined {
    const { terms, sides } = this.#proving;
    const [original, optimized] = [this.#was.registers[reg]!, this.#is.registers[reg]!];
    if (original === optimized) return 'same';
    const [link, at] = [terms.linkOf(original), terms.addressOf(optimized)];
    if (link === undefined || at === undefined) return undefined;
    if (at === link) return 'same';
    return isLink(reg) && sides.returns.get(at) === link ? 'other' : undefined;
  }

  /** Notes that a solver must show one of these pairs to be equal. */
  #mustShow(oneOf: Goal['oneOf']): void {
    this.#goals.push({ facts: this.#leaf.facts, oneOf });
  }

  /** Are two memories that are not the same term equal, or may they be? */
  #mayBeEqual(memory: Term, made: Term): boolean {
    if (this.#isSameMemory(memory, made)) return true;
    const pairs = this.#proving.terms.pairs(memory, made);
    this.#open ??= { kind: 'memory' };
    for (const pair of pairs ?? []) this.#mustShow([pair]);
    return pairs !== undefined;
  }

  /** Are two memories equal, but for slots left in frames that were given back, and bytes below the stack pointer (assumption A8)? */
  #isSameMemory(was: Term, is: Term): boolean {
    if (this.#isSameButForLeft(was, is)) return true;
    const { terms } = this.#proving;
    const [ordered, made] = [terms.ordered(was), terms.ordered(is)];
    return ordered === made || this.#isSameButForLeft(ordered, made);
  }

  /** A slot left may hold anything unless stored over since: so if optimized code stores to it, the place of that store in the line counts. */
  #isSameButForLeft(a: Term, b: Term): boolean {
    const { sides, terms, used } = this.#proving;
    if (!sides.deadFrames) return false;
    const { left, stores } = this.#point.stack;
    const without = terms.without(
      a,
      left.flatMap(leftOf).filter((each) => !terms.has(b, each)),
    );
    const [was, is] = [this.#was.registers[SP], this.#is.registers[SP]];
    const stack = was === is ? was : undefined;
    const above = (memory: Term) => (stack && terms.above(memory, stack)) ?? memory;
    const unseen = (memory: Term) => above(terms.unseen(memory, left, stores));
    if (above(without) !== above(b) && unseen(a) !== unseen(b)) return false;
    used.add('A8');
    return true;
  }

  /** A difference that no solver can close. */
  #eventDifference(): Mismatch | undefined {
    const { terms } = this.#proving;
    const [was, is] = [this.#was, this.#is];
    const seen = terms.watched ? orderProblem(terms, was, is) : undefined;
    if (seen !== undefined) return seen;
    if (was.order !== is.order || was.rounding !== is.rounding) return { kind: 'events' };
    if (terms.flags.termOf(was.flags) !== terms.flags.termOf(is.flags)) return { kind: 'flags' };
    return undefined;
  }

  /** The original must have made all accesses of the optimized code. */
  #compareAccesses(): void {
    const { accesses } = this.#proving.terms;
    const [was, is] = [this.#was.accesses, this.#is.accesses];
    if (accesses.within(accesses.of(is), accesses.of(was))) return;
    for (const { kind, bytes, address } of missingAccesses(is, was)) {
      this.#open ??= { kind: 'access', access: kind, bytes };
      const like = listed(was).filter((access) => access.kind === kind && access.bytes === bytes);
      this.#mustShow(like.map((access) => [access.address, address] as const));
    }
  }

  #comparedExtensions(): Mismatch | undefined {
    const { sides, used } = this.#proving;
    const more = sides.machine?.asks(this.#was.extensions, this.#is.extensions);
    if (typeof more === 'object') return { kind: 'extensions', names: more };
    if (more) used.add('A9');
    const leftOut = sides.machine?.leavesOut(this.#was.extensions, this.#is.extensions) ?? [];
    return leftOut.length > 0 ? { kind: 'left-out', names: leftOut } : undefined;
  }

  #noteAssumptions(): void {
    const { terms, used } = this.#proving;
    const [was, is] = [this.#was, this.#is];
    // A11 is about the time between two accesses, and about times with another stack pointer.
    if (!terms.watched && (Math.max(was.accessCount, is.accessCount) > 1 || !samePinned(was, is))) used.add('A11');
    if (this.#deadDiffers) used.add('A1');
    if (this.#links) used.add('A7');
  }
}

const leftOf = ({ offset, rest, value }: Slot): Left[] =>
  rest.map((part) => ({ ...part, at: part.offset - offset, value }));

/** Accesses of the first list that are not in the second. */
function missingAccesses(list: List<Access> | undefined, of: List<Access> | undefined): Access[] {
  const known = new Set(listed(of).map(accessKey));
  return listed(list).filter((access) => !known.has(accessKey(access)));
}
