/**
 * Sets of terms that grow along the paths of a proof: accesses, and operations that have accrued flags. A set is given as a list that
 * shares its older items with other lists; its tree shares as much with other trees, and equal sets are one term (treap.ts).
 */
import type { Term, Terms } from '../../domain/term.ts';
import type { List } from './list.ts';
import { type Node, noise, Treap } from './treap.ts';

export interface TermSet extends Node<Term> {
  readonly left: TermSet | undefined;
  readonly right: TermSet | undefined;
  readonly term: Term;
}

export class TermSets<T> {
  readonly #terms: Terms;
  readonly #itemOf: (item: T) => Term;
  readonly #none: Term;
  readonly #known = new Map<Term, TermSet>();
  readonly #lists = new WeakMap<List<T>, TermSet>();
  readonly #within = new Map<string, boolean>();
  readonly #sets = new Treap<Term, TermSet>(
    ({ id }) => noise(id),
    (left, item, right) => this.#make(left, item, right),
  );
  /** Number of nodes made or compared: a measure of the work done. */
  made = 0;

  /** @param itemOf the term of an item of a list; equal items have one term */
  constructor(terms: Terms, itemOf: (item: T) => Term) {
    this.#terms = terms;
    this.#itemOf = itemOf;
    this.#none = terms.apply('empty', []);
  }

  #make(left: TermSet | undefined, item: Term, right: TermSet | undefined): TermSet {
    this.made++;
    const none = this.#none;
    const term = this.#terms.apply('set', [left?.term ?? none, item, right?.term ?? none]);
    let made = this.#known.get(term);
    if (made === undefined) {
      made = { left, item, right, size: (left?.size ?? 0) + 1 + (right?.size ?? 0), term };
      this.#known.set(term, made);
    }
    return made;
  }

  /** The items of a list as a set; undefined if there are none. */
  of(list: List<T> | undefined): TermSet | undefined {
    const open: List<T>[] = [];
    let at = list;
    for (; at !== undefined && !this.#lists.has(at); at = at.rest) open.push(at);
    let set = at && this.#lists.get(at);
    for (const cell of open.reverse()) {
      const item = this.#itemOf(cell.item);
      if (!has(set, item)) set = this.#sets.insert(set, item, ({ id }) => id < item.id);
      this.#lists.set(cell, set!);
    }
    return set;
  }
  /** The set as a term. */
  termOf(list: List<T> | undefined): Term {
    return this.of(list)?.term ?? this.#none;
  }

  /** Is the first set a subset of the second? Results are kept: sets that are mostly alike have mostly been compared before. */
  within(part: TermSet | undefined, whole: TermSet | undefined): boolean {
    if (part === undefined || part === whole) return true;
    if (whole === undefined || part.size > whole.size) return false;
    const key = `${part.term.id},${whole.term.id}`;
    let known = this.#within.get(key);
    if (known === undefined) {
      this.made++;
      const { item } = part;
      const [left, rest] = this.#sets.split(whole, ({ id }) => id < item.id);
      const [same, right] = this.#sets.split(rest, (other) => other === item);
      known = same !== undefined && this.within(part.left, left) && this.within(part.right, right);
      this.#within.set(key, known);
    }
    return known;
  }
}

function has(set: TermSet | undefined, item: Term): boolean {
  let at = set;
  while (at !== undefined && at.item !== item) at = item.id < at.item.id ? at.left : at.right;
  return at !== undefined;
}
