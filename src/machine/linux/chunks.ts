/** The parts of a file that were written, as chunks by number, and the pages in them that hold data. */
import { PAGE } from '../../base/units.ts';
import { SparseSet } from './sparse.ts';
import type { Usage } from './usage.ts';

/** Bytes of the file that a chunk stands for. */
export const CHUNK = 65536;
/** Bytes of V8's heap that a chunk takes without its bytes, measured and rounded up. */
export const CHUNK_COST = 640;
/** With more chunks a file keeps an ordered set of their numbers. */
const MOST_UNORDERED = 32;

export interface Chunk {
  /** From the chunk's start; missing bytes up to the chunk's end are zeros, and so are pages that hold no data. */
  bytes: Uint8Array;
  /** A bit for each page that holds data. */
  pages: number;
}

export class Chunks {
  readonly #usage: Usage;
  readonly #chunks = new Map<number, Chunk>();
  /** The numbers of the chunks, where they are many. */
  #order: SparseSet | undefined;
  /** Number of pages in chunks that hold data. */
  #pages = 0;

  /** @param usage gets the memory back of chunks that are dropped; who makes a chunk takes the memory */
  constructor(usage: Usage) {
    this.#usage = usage;
  }

  get empty(): boolean {
    return this.#chunks.size === 0;
  }
  get pages(): number {
    return this.#pages;
  }

  get(index: number): Chunk | undefined {
    return this.#chunks.get(index);
  }
  set(index: number, chunk: Chunk): void {
    this.#chunks.set(index, chunk);
    this.#order?.add(index);
  }

  /** Marks the pages of a part of a chunk as holding data. */
  mark(chunk: Chunk, from: number, to: number): void {
    for (let page = Math.floor(from / PAGE); page * PAGE < to; page++) {
      if (chunk.pages & (1 << page)) continue;
      chunk.pages |= 1 << page;
      this.#pages++;
    }
  }

  /** Makes whole pages of the file hold no data, and drops chunks without data. */
  drop(from: number, to: number): void {
    for (const index of this.within(from, to)) {
      const chunk = this.#chunks.get(index)!;
      const start = index * CHUNK;
      for (let at = Math.max(from, start); at < Math.min(to, start + CHUNK); at += PAGE) {
        const bit = 1 << ((at - start) / PAGE);
        if ((chunk.pages & bit) === 0) continue;
        chunk.bytes.fill(0, at - start, at - start + PAGE);
        chunk.pages &= ~bit;
        this.#pages--;
      }
      if (chunk.pages !== 0) continue;
      this.#usage.take(-chunk.bytes.length - CHUNK_COST);
      this.#chunks.delete(index);
      this.#order?.delete(index);
    }
    if (this.empty) this.#order = undefined;
  }

  /** Numbers of the chunks that overlap a part of the file, in order; a chunk that was yielded may be deleted meanwhile. */
  *within(from: number, to: number): Generator<number> {
    const last = Math.ceil(to / CHUNK);
    for (let k = this.#next(Math.floor(from / CHUNK)); k !== undefined && k < last; k = this.#next(k + 1)) yield k;
  }

  /** The first chunk of this number or a higher one. */
  #next(number: number): number | undefined {
    if (!this.#order && this.#chunks.size > MOST_UNORDERED) {
      this.#order = new SparseSet();
      for (const index of this.#chunks.keys()) this.#order.add(index);
    }
    if (this.#order) return this.#order.next(number);
    let found: number | undefined;
    for (const index of this.#chunks.keys())
      if (index >= number && (found === undefined || index < found)) found = index;
    return found;
  }
}
