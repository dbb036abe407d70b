/**
 * The bytes that a file stores: the parts of its initial bytes (its base) that are still valid, and chunks over the base, each made when
 * a write first comes there. All other bytes are zeros and take no memory. Data is counted in pages, as in ext4: a page holds data, or
 * was allocated ahead and reads as zeros, or is a hole.
 */
import { alignDown, alignUp } from '../../base/bits.ts';
import { PAGE } from '../../base/units.ts';
import { CHUNK, CHUNK_COST, type Chunk, Chunks } from './chunks.ts';
import type { Base } from './hostfile.ts';
import { Ranges } from './ranges.ts';
import type { Usage } from './usage.ts';

/** Initial size of a chunk. Chunks grow, because most files do not fill one. */
const SMALLEST_CHUNK = 256;
const NO_BYTES = new Uint8Array(0);
const ZEROS = new Uint8Array(CHUNK);
/** Bytes of V8's heap that a range takes, measured and rounded up. */
const RANGE_COST = 96;

export class StoredBytes {
  readonly #usage: Usage;
  readonly #base: Base | undefined;
  /** The valid parts of the base, which never overlap a chunk. */
  readonly #kept = new Ranges();
  readonly #chunks: Chunks;
  /** Whole pages that were allocated ahead and hold no data. */
  readonly #reserved = new Ranges();
  /** Number of ranges that are counted as used. */
  #counted = 0;

  constructor(usage: Usage, base: Base | undefined) {
    this.#usage = usage;
    this.#base = base;
    this.#chunks = new Chunks(usage);
    this.#kept.add(0, base?.size ?? 0);
  }

  /** Number of pages that hold data or were allocated ahead. */
  get pages(): number {
    let count = this.#chunks.pages;
    for (const parts of [this.#kept, this.#reserved])
      for (const { from, to } of parts) count += (alignUp(to, PAGE) - alignDown(from, PAGE)) / PAGE;
    return count;
  }

  read(position: number, target: Uint8Array): void {
    if (this.#chunks.empty) {
      this.#readKept(position, target);
      return;
    }
    for (let done = 0; done < target.length; ) {
      const at = position + done;
      const index = Math.floor(at / CHUNK);
      const inside = at - index * CHUNK;
      const part = target.subarray(done, done + CHUNK - inside);
      const chunk = this.#chunks.get(index);
      if (chunk) {
        const known = chunk.bytes.subarray(inside, inside + part.length);
        part.set(known);
        part.fill(0, known.length);
      } else this.#readKept(at, part);
      done += part.length;
    }
  }

  /**
   * Reads a part of at most CHUNK bytes.
   * @param size of the file
   * @returns the buffer, filled with the stored bytes, or as many zeros if the part is a hole
   */
  readOrZeros(position: number, buffer: Uint8Array, size: number): Uint8Array {
    const end = position + buffer.length;
    const data = this.nextData(position, size);
    if (data === undefined || data >= end) return ZEROS.subarray(0, buffer.length);
    this.read(position, buffer);
    return buffer;
  }

  #readKept(position: number, target: Uint8Array): void {
    let done = 0;
    for (const { from, to } of this.#kept.within(position, position + target.length)) {
      target.fill(0, done, from - position);
      done = to - position;
      this.#base!.read(from, target.subarray(from - position, done));
    }
    target.fill(0, done);
  }

  /** @returns bytes written: fewer than given where memory is used up. Fails if not even the first of them can be written */
  write(position: number, source: Uint8Array): number {
    let done = 0;
    try {
      while (done < source.length) {
        const at = position + done;
        const index = Math.floor(at / CHUNK);
        const inside = at - index * CHUNK;
        const part = source.subarray(done, done + CHUNK - inside);
        const chunk = this.#own(index, inside + part.length);
        chunk.bytes.set(part, inside);
        this.#chunks.mark(chunk, inside, inside + part.length);
        done += part.length;
      }
    } catch (error) {
      if (done === 0) throw error;
    }
    if (!this.#reserved.empty) this.#reserved.remove(alignDown(position, PAGE), alignUp(position + done, PAGE));
    this.#recount();
    return done;
  }

  /** Cuts off all bytes from a size on: they read as zeros if the file grows again. */
  cut(size: number): void {
    const end = alignUp(size, PAGE);
    this.#drop(end, Number.POSITIVE_INFINITY);
    this.#kept.remove(size, end);
    const index = Math.floor(size / CHUNK);
    this.#chunks.get(index)?.bytes.fill(0, size - index * CHUNK, end - index * CHUNK);
    this.#recount();
  }

  /** Makes a part, not an empty one, read as zeros; whole pages of it are given back. Fails with ENOSPC. */
  punch(from: number, to: number): void {
    this.#makeRoom();
    const [first, last] = [alignUp(from, PAGE), alignDown(to, PAGE)];
    if (first > last) this.#clear(from, to);
    else {
      this.#clear(from, first);
      this.#clear(last, to);
      this.#drop(first, last);
    }
    this.#recount();
  }

  /** Allocates pages ahead. Fails with ENOSPC. */
  reserve(from: number, to: number): void {
    const [first, last] = [alignDown(from, PAGE), alignUp(to, PAGE)];
    this.#makeRoom();
    this.#reserved.add(first, last);
    for (const part of this.#kept.within(first, last))
      this.#reserved.remove(alignDown(part.from, PAGE), alignUp(part.to, PAGE));
    for (const index of this.#chunks.within(first, last))
      for (let page = 0; page < CHUNK / PAGE; page++)
        if (this.#chunks.get(index)!.pages & (1 << page))
          this.#reserved.remove(index * CHUNK + page * PAGE, index * CHUNK + (page + 1) * PAGE);
    this.#recount();
  }

  /** Fails with ENOSPC where there is no room for ranges that a step may make. */
  #makeRoom(): void {
    this.#usage.take(2 * RANGE_COST);
    this.#usage.take(-2 * RANGE_COST);
  }
  #recount(): void {
    // The range that a base begins with belongs to the node.
    const count = Math.max(0, this.#kept.count + this.#reserved.count - (this.#base ? 1 : 0));
    if (count === this.#counted) return;
    this.#usage.keep((count - this.#counted) * RANGE_COST);
    this.#counted = count;
  }

  /** The first byte at or behind a position, and before the file's size, that is in no hole. */
  nextData(position: number, size: number): number | undefined {
    if (position >= size) return undefined;
    const start = alignDown(position, PAGE);
    let found = this.#kept.within(start, size).next().value?.from ?? size;
    for (const index of this.#chunks.within(start, found)) {
      const from = index * CHUNK;
      const { pages } = this.#chunks.get(index)!;
      let at = Math.max(from, start);
      while (at < from + CHUNK && (pages & (1 << ((at - from) / PAGE))) === 0) at += PAGE;
      if (at === from + CHUNK) continue;
      found = Math.min(found, at);
      break;
    }
    const data = Math.max(found, position);
    return data < size ? data : undefined;
  }

  /** The first byte at or behind a position that is in a hole, or the file's size. */
  nextHole(position: number, size: number): number {
    let at = position;
    while (at < size) {
      const page = alignDown(at, PAGE);
      if (!this.#holds(page)) return at;
      at = page + PAGE;
      if (!this.#chunks.get(Math.floor(page / CHUNK)))
        at = alignUp(this.#kept.within(page, size).next().value!.to, PAGE);
    }
    return size;
  }

  /** Does a page hold data? */
  #holds(page: number): boolean {
    const index = Math.floor(page / CHUNK);
    const chunk = this.#chunks.get(index);
    if (chunk) return (chunk.pages & (1 << ((page - index * CHUNK) / PAGE))) !== 0;
    return this.#kept.within(page, page + PAGE).next().value !== undefined;
  }

  /** A chunk that can be changed, with room for so many bytes. Fails with ENOSPC. */
  #own(index: number, length: number): Chunk {
    const start = index * CHUNK;
    const known = this.#chunks.get(index);
    if (known && known.bytes.length >= length) return known;
    let kept = 0;
    if (!known) for (const { to } of this.#kept.within(start, start + CHUNK)) kept = to - start;
    const old = known?.bytes ?? NO_BYTES;
    // A full chunk before this one suggests sequential writing: this chunk is made full-sized at once.
    const full = this.#chunks.get(index - 1)?.bytes.length === CHUNK;
    const room = full ? CHUNK : Math.min(CHUNK, Math.max(length, kept, 2 * old.length, SMALLEST_CHUNK));
    this.#usage.take(room - old.length + (known ? 0 : CHUNK_COST));
    const bytes = new Uint8Array(room);
    if (known) {
      bytes.set(old);
      known.bytes = bytes;
      return known;
    }
    this.#readKept(start, bytes.subarray(0, kept));
    const chunk = { bytes, pages: 0 };
    for (const { from, to } of this.#kept.within(start, start + CHUNK))
      this.#chunks.mark(chunk, from - start, to - start);
    this.#lose(start, start + CHUNK);
    this.#chunks.set(index, chunk);
    return chunk;
  }

  /** Zeroes a part of a page, if the page holds data. */
  #clear(from: number, to: number): void {
    if (from >= to || !this.#holds(alignDown(from, PAGE))) return;
    const index = Math.floor(from / CHUNK);
    this.#own(index, 0).bytes.fill(0, from - index * CHUNK, to - index * CHUNK);
  }

  /** Makes whole pages a hole. */
  #drop(from: number, to: number): void {
    this.#chunks.drop(from, to);
    this.#lose(from, to);
    this.#reserved.remove(from, to);
  }

  /** Makes a part of the base invalid. */
  #lose(from: number, to: number): void {
    if (this.#kept.empty) return;
    this.#kept.remove(from, to);
    if (this.#kept.empty) this.#base!.forget();
  }
}
