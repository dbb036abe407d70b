/**
 * Persistent ordered lists, which share common parts: adding, taking out, splitting and joining make a logarithm of new nodes, and every
 * list made before stays as it was. The shape of the tree follows from the items alone (a treap: ordered by place, and by priority from the
 * root down; of equal priorities the first is nearest to the root), so equal lists are equal trees, however they came about (Seidel and
 * Aragon: Randomized Search Trees, 1996).
 */
export interface Node<I> {
  readonly item: I;
  readonly left: Node<I> | undefined;
  readonly right: Node<I> | undefined;
  readonly size: number;
}
type Tree<I, N extends Node<I>> = N | undefined;

export class Treap<I, N extends Node<I>> {
  readonly #make: (left: Tree<I, N>, item: I, right: Tree<I, N>) => N;
  readonly #priority: (item: I) => number;

  /** @param priority of an item: priorities like noise keep trees flat */
  constructor(priority: (item: I) => number, make: (left: Tree<I, N>, item: I, right: Tree<I, N>) => N) {
    this.#priority = priority;
    this.#make = make;
  }

  single(item: I): N {
    return this.#make(undefined, item, undefined);
  }

  /** If `right` is joined behind `left`: is the root of `left` the root of both? */
  isAbove(left: N, right: N): boolean {
    return this.#priority(left.item) >= this.#priority(right.item);
  }

  /** One list behind another. */
  join(left: Tree<I, N>, right: Tree<I, N>): Tree<I, N> {
    if (left === undefined) return right;
    if (right === undefined) return left;
    return this.isAbove(left, right)
      ? this.#make(leftOf(left), left.item, this.join(rightOf(left), right))
      : this.#make(this.join(left, leftOf(right)), right.item, rightOf(right));
  }

  /** The first items, for which `isFirst` is true, and the items behind them. */
  split(tree: Tree<I, N>, isFirst: (item: I) => boolean): readonly [Tree<I, N>, Tree<I, N>] {
    if (tree === undefined) return [undefined, undefined];
    if (isFirst(tree.item)) {
      const [left, right] = this.split(rightOf(tree), isFirst);
      return right === undefined ? [tree, undefined] : [this.#make(leftOf(tree), tree.item, left), right];
    }
    const [left, right] = this.split(leftOf(tree), isFirst);
    return left === undefined ? [undefined, tree] : [left, this.#make(right, tree.item, rightOf(tree))];
  }

  /** The list with an item added behind those for which `isFirst` is true. */
  insert(tree: Tree<I, N>, item: I, isFirst: (item: I) => boolean): N {
    const [left, right] = this.split(tree, isFirst);
    return this.join(this.join(left, this.single(item)), right)!;
  }

  dropFirst(tree: N): Tree<I, N> {
    const left = leftOf<I, N>(tree);
    return left === undefined ? rightOf(tree) : this.#make(this.dropFirst(left), tree.item, rightOf(tree));
  }
  dropLast(tree: N): Tree<I, N> {
    const right = rightOf<I, N>(tree);
    return right === undefined ? leftOf(tree) : this.#make(leftOf(tree), tree.item, this.dropLast(right));
  }

  /** The list without the items for which neither `isBefore` nor `isBehind` is true. */
  without(tree: Tree<I, N>, isBefore: (item: I) => boolean, isBehind: (item: I) => boolean): Tree<I, N> {
    const [left, rest] = this.split(tree, isBefore);
    return this.join(left, this.split(rest, (item) => !isBehind(item))[1]);
  }
}

const leftOf = <I, N extends Node<I>>(tree: N): Tree<I, N> => tree.left as Tree<I, N>;
const rightOf = <I, N extends Node<I>>(tree: N): Tree<I, N> => tree.right as Tree<I, N>;

/** The number of first items, for which `isFirst` is true. */
export function countFirst<I>(tree: Node<I> | undefined, isFirst: (item: I) => boolean): number {
  let count = 0;
  for (let at = tree; at !== undefined; ) {
    const first = isFirst(at.item);
    if (first) count += 1 + (at.left?.size ?? 0);
    at = first ? at.right : at.left;
  }
  return count;
}

/** The first item for which `isFirst` is not true. */
export function nextBehind<I>(tree: Node<I> | undefined, isFirst: (item: I) => boolean): I | undefined {
  let found: I | undefined;
  for (let at = tree; at !== undefined; ) {
    const first = isFirst(at.item);
    if (!first) found = at.item;
    at = first ? at.right : at.left;
  }
  return found;
}

export function firstOf<I>(tree: Node<I>): I {
  let at = tree;
  while (at.left !== undefined) at = at.left;
  return at.item;
}
export function lastOf<I>(tree: Node<I>): I {
  let at = tree;
  while (at.right !== undefined) at = at.right;
  return at.item;
}

/** All items in order. */
export function itemsOf<I>(tree: Node<I> | undefined, into: I[] = []): I[] {
  if (tree === undefined) return into;
  itemsOf(tree.left, into);
  into.push(tree.item);
  return itemsOf(tree.right, into);
}

/** Noise from whole numbers, the same each time (the last steps of MurmurHash3). */
export function noise(a: number, b = 0, c = 0): number {
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x7feb352d);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x846ca68b);
  return hash ^ (hash >>> 16);
}
