/**
 * The facts decided on a path, and their consequences. Facts are a list whose tail is shared between paths; an index of the current list,
 * by the terms that a fact is about, is moved from one path's list to the next by the facts that these do not share.
 */
import type { Addr } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';
import type { List } from './list.ts';
import { type ProofTerms, plainCondition } from './terms.ts';

/** A condition and whether it holds. */
export interface Fact {
  readonly condition: Term;
  readonly holds: boolean;
}
export type Facts = List<Fact> | undefined;

/** A consequence of the `needs` oldest facts; a consequence of constants needs none. */
export interface Decision<T> {
  readonly is: T;
  readonly needs: number;
}

const EVEN_MASK = 0xfffffffffffffffen;

export class Decisions {
  /** The current list, the oldest fact first. */
  readonly #cells: List<Fact>[] = [];
  readonly #depths = new WeakMap<List<Fact>, number>();
  /** Positions in the current list of the facts about a pair of compared terms, or about a term that is no comparison. */
  readonly #about = new Map<string, number[]>();
  /** Positions of the facts that a term is equal to another. */
  readonly #equal = new Map<Term, number[]>();

  readonly #terms: ProofTerms;

  constructor(terms: ProofTerms) {
    this.#terms = terms;
  }

  /** The number of facts in a list. */
  count(facts: Facts): number {
    this.#turnTo(facts);
    return this.#cells.length;
  }
  /** The `count` oldest facts of a list. */
  oldest(facts: Facts, count: number): Facts {
    this.#turnTo(facts);
    return this.#cells[count - 1];
  }

  /** The value of a condition, if the facts decide it. Of equal, less and greater, a known relation of two terms excludes the others. */
  decided(condition: Term, facts: Facts): Decision<boolean> | undefined {
    const { term, when } = plainCondition(condition);
    if (term.value !== undefined) return { is: (term.value !== 0n) === when, needs: 0 };
    this.#turnTo(facts);
    const about = this.#about.get(subject(term)) ?? [];
    for (let index = about.length - 1; index >= 0; index--) {
      const needs = about[index]! + 1;
      const { condition: known, holds } = this.#cells[needs - 1]!.item;
      if (known === term) return { is: holds === when, needs };
      if (!holds) continue;
      const turned = known.args[0] !== term.args[0];
      const excludes =
        known.op === 'eq' ? term.op !== 'eq' : isLess(known) && ((term.op === known.op && turned) || term.op === 'eq');
      if (excludes) return { is: !when, needs };
    }
    return undefined;
  }

  /**
   * The address of a computed target: a return address, or an operand that a guard has found equal to a constant.
   * @param standsFor the original address that an address of the optimized file stands for, in a register or a jump table
   */
  target(target: Term, facts: Facts, standsFor: (address: Addr) => Addr | undefined): Decision<Addr> | undefined {
    const direct = this.#terms.linkTarget(target) ?? this.#terms.addressOf(target);
    if (direct !== undefined) return { is: direct, needs: 0 };
    this.#turnTo(facts);
    // A jalr's target is its operand with the last bit cleared.
    const operand = target.op === 'and' && target.args[1]!.value === EVEN_MASK ? target.args[0]! : undefined;
    const found = [...(this.#equal.get(target) ?? []), ...((operand && this.#equal.get(operand)) ?? [])];
    for (const position of found.sort((a, b) => b - a)) {
      const { args } = this.#cells[position]!.item.condition;
      for (const [from, to] of [args, [args[1]!, args[0]!]] as const) {
        const value = this.#terms.addressOf(to);
        if (value === undefined || (from !== target && from !== operand)) continue;
        return { is: standsFor(value) ?? (from === target ? value : value - (value % 2)), needs: position + 1 };
      }
    }
    return undefined;
  }

  #turnTo(facts: Facts): void {
    const open: List<Fact>[] = [];
    let at = facts;
    while (at !== undefined && this.#cells[(this.#depths.get(at) ?? 0) - 1] !== at) {
      open.push(at);
      at = at.rest;
    }
    const shared = at === undefined ? 0 : this.#depths.get(at)!;
    while (this.#cells.length > shared) this.#each(this.#cells.pop()!.item, (list) => list.pop());
    for (const cell of open.reverse()) {
      this.#each(cell.item, (list) => list.push(this.#cells.length));
      this.#cells.push(cell);
      this.#depths.set(cell, this.#cells.length);
    }
  }
  #each({ condition, holds }: Fact, change: (positions: number[]) => void): void {
    this.#terms.steps++;
    change(listIn(this.#about, subject(condition)));
    if (holds && condition.op === 'eq') for (const arg of new Set(condition.args)) change(listIn(this.#equal, arg));
  }
}

const isLess = ({ op }: Term): boolean => op === 'ltS' || op === 'ltU';

/** The key of a condition: the two terms that it compares, in either order, or the condition itself. */
function subject(condition: Term): string {
  const [a, b] = condition.args;
  if (condition.op !== 'eq' && !isLess(condition)) return `${condition.id}`;
  return a!.id < b!.id ? `${a!.id},${b!.id}` : `${b!.id},${a!.id}`;
}

function listIn<K>(map: Map<K, number[]>, key: K): number[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
}
