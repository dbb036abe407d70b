/**
 * Free ranges of pages, found in time that does not grow with the number of mappings. A binary tree over blocks of pages holds for each
 * node the lengths of its longest free run and of the free runs at both its ends; single pages are looked at in one block only.
 */
import { type Addr, PAGE } from '../base/units.ts';
import type { Memory } from './memory.ts';

/** Pages in a block. */
const BLOCK = 64;

export class FreePages {
  readonly #memory: Memory;
  /** First page that is never given. */
  readonly #top: number;
  /** Number of blocks, a power of two. Node 1 is the root, 2n and 2n + 1 are the halves of node n. */
  readonly #blocks: number;
  readonly #longest: Uint32Array;
  readonly #first: Uint32Array;
  readonly #last: Uint32Array;
  /** Blocks that have changed; the tree is updated only before a search. */
  #from = 0;
  #to: number;

  /** @param top new ranges end here at most */
  constructor(memory: Memory, top: Addr) {
    this.#memory = memory;
    this.#top = top / PAGE;
    this.#blocks = 2 ** Math.ceil(Math.log2(Math.max(1, this.#top / BLOCK)));
    this.#to = this.#blocks;
    [this.#longest, this.#first, this.#last] = [0, 1, 2].map(() => new Uint32Array(2 * this.#blocks)) as [
      Uint32Array,
      Uint32Array,
      Uint32Array,
    ];
    memory.watch((from, to) => {
      this.#from = Math.min(this.#from, Math.floor(from / PAGE / BLOCK));
      this.#to = Math.max(this.#to, Math.min(this.#blocks, Math.ceil(to / PAGE / BLOCK)));
    });
  }

  /** The first page of the highest free range of `wanted` pages. */
  highest(wanted: number): number | undefined {
    this.#count();
    if (this.#longest[1]! < wanted) return undefined;
    let node = 1;
    /** Number of the node's blocks, and the first of them. */
    let size = this.#blocks;
    let at = 0;
    while (size > 1) {
      const [left, right] = [2 * node, 2 * node + 1];
      size /= 2;
      if (this.#longest[right]! >= wanted) {
        node = right;
        at += size;
      } else if (this.#last[left]! + this.#first[right]! >= wanted)
        return (at + size) * BLOCK + this.#first[right]! - wanted;
      else node = left;
    }
    let end = (at + 1) * BLOCK;
    for (let page = end - 1; ; page--) {
      if (!this.#free(page)) end = page;
      else if (end - page === wanted) return page;
    }
  }

  #free(page: number): boolean {
    return page > 0 && page < this.#top && this.#memory.permissions[page] === 0;
  }
  /** Brings the tree up to date. */
  #count(): void {
    if (this.#from >= this.#to) return;
    let [low, high] = [this.#from + this.#blocks, this.#to + this.#blocks];
    for (let node = low; node < high; node++) this.#countBlock(node);
    for (let size = BLOCK; low > 1; size *= 2) {
      low >>= 1;
      high = (high + 1) >> 1;
      for (let node = low; node < high; node++) this.#join(node, size);
    }
    [this.#from, this.#to] = [this.#blocks, 0];
  }
  #countBlock(node: number): void {
    const start = (node - this.#blocks) * BLOCK;
    let [longest, run, first] = [0, 0, -1];
    for (let page = start; page < start + BLOCK; page++) {
      if (this.#free(page)) {
        longest = Math.max(longest, ++run);
        continue;
      }
      if (first < 0) first = run;
      run = 0;
    }
    this.#longest[node] = longest;
    this.#first[node] = first < 0 ? run : first;
    this.#last[node] = run;
  }
  /** @param size pages of each half */
  #join(node: number, size: number): void {
    const [left, right] = [2 * node, 2 * node + 1];
    const [first, last] = [this.#first, this.#last];
    first[node] = first[left] === size ? size + first[right]! : first[left]!;
    last[node] = last[right] === size ? size + last[left]! : last[right]!;
    const across = last[left]! + first[right]!;
    this.#longest[node] = Math.max(this.#longest[left]!, this.#longest[right]!, across);
  }
}
