/**
 * The bytes of a file: the parts of its initial bytes (its base) that are still valid, and chunks over the base, each made when the
 * guest first writes there. All other bytes are zeros and take no memory. Data is counted in pages, as in ext4: a page holds data, or
 * was allocated ahead and reads as zeros, or is a hole.
 */
import { alignDown, alignUp } from '../../base/bits.ts';
import { E, fail } from './errno.ts';
import type { Base } from './hostfile.ts';
import { type Range, Ranges } from './ranges.ts';
import { SparseSet } from './sparse.ts';
import { type Pause, PIECE } from './steps.ts';
import type { Usage } from './usage.ts';

/** No file may grow beyond this: ext4's limit, of 2^32 - 1 blocks. */
export const MAX_FILE_SIZE = (2 ** 32 - 1) * 4096;

const PAGE = 4096;
const CHUNK = 65536;
/** Initial size of a chunk. Chunks grow, because most files do not fill one. */
const SMALLEST_CHUNK = 256;

interface Chunk {
  /** From the chunk's start; missing bytes up to the chunk's end are zeros, and so are pages that hold no data. */
  bytes: Uint8Array;
  /** A bit for each page that holds data. */
  pages: number;
}

/** A shared mapping of a part of a file: guest memory, live. */
export interface View {
  /** File offset of the part. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** The guest may have written to the mapping. */
  readonly writable: boolean;
}

const NO_BYTES = new Uint8Array(0);
const ZEROS = new Uint8Array(CHUNK);
/** Bytes of V8's heap that a chunk (without its bytes) and a range take, measured and rounded up. */
const COST = { chunk: 640, range: 96 } as const;
/** With more chunks a file keeps an ordered set of their numbers. */
const MOST_UNORDERED = 32;

export class Contents {
  readonly #usage: Usage;
  readonly #base: Base | undefined;
  /** The valid parts of the base, which never overlap a chunk. */
  readonly #kept = new Ranges();
  readonly #chunks = new Map<number, Chunk>();
  /** The numbers of the chunks, where they are many. */
  #order: SparseSet | undefined;
  /** Number of ranges that are counted as used. */
  #counted = 0;
  /** Number of pages in chunks that hold data. */
  #pages = 0;
  /** Whole pages that were allocated ahead and hold no data. */
  readonly #reserved = new Ranges();
  #size: number;
  #changed = false;
  /** Called at each change of the size. */
  onSize: ((from: number, to: number) => void) | undefined;
  /** Parts that are mapped into guest memory: their bytes are there, not here. */
  #views: readonly View[] = [];

  constructor(usage: Usage, base?: Base) {
    this.#usage = usage;
    this.#base = base;
    this.#size = base?.size ?? 0;
    this.#kept.add(0, this.#size);
  }

  /** A file with these bytes, which are copied only where the guest writes to the file. */
  static from(usage: Usage, bytes: Uint8Array): Contents {
    const read = (at: number, target: Uint8Array) => target.set(bytes.subarray(at, at + target.length));
    return new Contents(usage, { size: bytes.length, read, forget: () => {} });
  }

  get size(): number {
    return this.#size;
  }

  /** The guest has written to the file or changed its size. */
  get changed(): boolean {
    this.#flush();
    return this.#changed;
  }

  /** Number of pages, of 4096 bytes, that hold data or were allocated ahead. */
  get pages(): number {
    let count = this.#pages;
    for (const parts of [this.#kept, this.#reserved])
      for (const { from, to } of parts) count += (alignUp(to, PAGE) - alignDown(from, PAGE)) / PAGE;
    return count;
  }

  /** Reads at a position. @returns bytes read; 0 at the end */
  read(position: number, target: Uint8Array): number {
    const count = Math.min(target.length, this.#size - position);
    if (count <= 0) return 0;
    const wanted = target.subarray(0, count);
    this.#stored(position, wanted);
    for (const view of this.#views) copyOverlap(view.offset, view.bytes, position, wanted);
    return count;
  }

  /** @returns bytes written: fewer where the largest size is reached, or memory is used up */
  write(position: number, source: Uint8Array): number {
    if (source.length === 0) return 0;
    if (position >= MAX_FILE_SIZE) fail(E.FBIG);
    const count = Math.min(source.length, MAX_FILE_SIZE - position);
    let done = 0;
    try {
      while (done < count) {
        const at = position + done;
        const index = Math.floor(at / CHUNK);
        const inside = at - index * CHUNK;
        const part = source.subarray(done, Math.min(count, done + CHUNK - inside));
        const chunk = this.#own(index, inside + part.length);
        chunk.bytes.set(part, inside);
        this.#mark(chunk, inside, inside + part.length);
        done += part.length;
      }
    } catch (error) {
      if (done === 0) throw error;
    }
    const end = position + done;
    if (!this.#reserved.empty) this.#reserved.remove(alignDown(position, PAGE), alignUp(end, PAGE));
    this.#recount();
    this.#changed = true;
    for (const view of this.#views) copyOverlap(position, source.subarray(0, done), view.offset, view.bytes);
    this.#resized(Math.max(this.#size, end));
    return done;
  }

  resize(size: number): void {
    if (size > MAX_FILE_SIZE) fail(E.FBIG);
    if (size <= this.#size) {
      // Bytes that are cut off must read as zeros if the file grows again.
      const end = alignUp(size, PAGE);
      this.#drop(end, Number.POSITIVE_INFINITY);
      this.#kept.remove(size, end);
      const index = Math.floor(size / CHUNK);
      this.#chunks.get(index)?.bytes.fill(0, size - index * CHUNK, end - index * CHUNK);
      this.#recount();
    }
    for (const view of this.#views) view.bytes.fill(0, Math.max(0, Math.min(size, this.#size) - view.offset));
    if (size !== this.#size) this.#changed = true;
    this.#resized(size);
  }

  #resized(size: number): void {
    const before = this.#size;
    this.#size = size;
    if (size !== before) this.onSize?.(before, size);
  }

  /** Makes a part read as zeros; whole pages of it are given back. */
  punch(from: number, to: number): void {
    // A hole goes to the end of the file's last page and no further.
    const end = Math.min(to >= this.#size ? alignUp(this.#size, PAGE) : to, alignUp(this.#size, PAGE));
    if (from >= end) return;
    this.#makeRoom();
    const [first, last] = [alignUp(from, PAGE), alignDown(end, PAGE)];
    if (first > last) this.#clear(from, end);
    else {
      this.#clear(from, first);
      this.#clear(last, end);
      this.#drop(first, last);
    }
    this.#recount();
    this.#changed = true;
    for (const view of this.#views) view.bytes.fill(0, Math.max(0, from - view.offset), Math.max(0, end - view.offset));
  }

  /** Allocates pages ahead, also behind the end. */
  reserve(from: number, to: number): void {
    const [first, last] = [alignDown(from, PAGE), alignUp(to, PAGE)];
    this.#makeRoom();
    this.#reserved.add(first, last);
    for (const part of this.#kept.within(first, last))
      this.#reserved.remove(alignDown(part.from, PAGE), alignUp(part.to, PAGE));
    for (const index of this.#chunksIn(first, last))
      for (let page = 0; page < CHUNK / PAGE; page++)
        if (this.#chunks.get(index)!.pages & (1 << page))
          this.#reserved.remove(index * CHUNK + page * PAGE, index * CHUNK + (page + 1) * PAGE);
    this.#recount();
  }

  /** Fails with ENOSPC where there is no room for ranges that a step may make. */
  #makeRoom(): void {
    this.#usage.take(2 * COST.range);
    this.#usage.take(-2 * COST.range);
  }
  #recount(): void {
    // The range that a base begins with belongs to the node.
    const count = Math.max(0, this.#kept.count + this.#reserved.count - (this.#base ? 1 : 0));
    if (count === this.#counted) return;
    this.#usage.keep((count - this.#counted) * COST.range);
    this.#counted = count;
  }

  /** The first byte at or behind a position that is in no hole. */
  nextData(position: number): number | undefined {
    this.#flush();
    return this.#nextData(position);
  }
  #nextData(position: number): number | undefined {
    if (position >= this.#size) return undefined;
    const start = alignDown(position, PAGE);
    let found = this.#kept.within(start, this.#size).next().value?.from ?? this.#size;
    for (const index of this.#chunksIn(start, found)) {
      const from = index * CHUNK;
      const { pages } = this.#chunks.get(index)!;
      let at = Math.max(from, start);
      while (at < from + CHUNK && (pages & (1 << ((at - from) / PAGE))) === 0) at += PAGE;
      if (at === from + CHUNK) continue;
      found = Math.min(found, at);
      break;
    }
    const data = Math.max(found, position);
    return data < this.#size ? data : undefined;
  }

  /** The first byte at or behind a position that is in a hole, or the end. */
  nextHole(position: number): number {
    this.#flush();
    return this.#nextHole(position);
  }
  #nextHole(position: number): number {
    let at = position;
    while (at < this.#size) {
      const page = alignDown(at, PAGE);
      if (!this.#holds(page)) return at;
      at = page + PAGE;
      if (!this.#chunks.has(Math.floor(page / CHUNK)))
        at = alignUp(this.#kept.within(page, this.#size).next().value!.to, PAGE);
    }
    return this.#size;
  }

  /** All parts that are in no hole, up to a position. */
  *data(start = 0, end = this.#size): Generator<Range> {
    for (const view of this.#sharing(start, end)) this.#flush(view);
    for (let from = this.#nextData(start); from !== undefined && from < end; ) {
      const to = this.#nextHole(from);
      yield { from, to };
      from = this.#nextData(to);
    }
  }

  /** Reads into bytes that are zero, step by step; parts that are in a hole are not touched. */
  *load(position: number, target: Uint8Array): Generator<Pause, void> {
    const end = position + target.length;
    for (const { from, to } of this.data(position, end))
      for (let at = from; at < Math.min(to, end); at += PIECE) {
        this.read(at, target.subarray(at - position, Math.min(at + PIECE, to, end) - position));
        yield 'look';
      }
  }

  /** Is some of a part shared with guest memory? */
  isShared(offset: number, length: number): boolean {
    return this.#sharing(offset, offset + length).length > 0;
  }
  #sharing(from: number, to: number): View[] {
    return this.#views.filter(({ offset, bytes }) => offset < to && from < offset + bytes.length);
  }
  /** Begins to share a part with guest memory, which has the file's bytes. The part must not be shared already. */
  attach(view: View): void {
    this.#views = [...this.#views, view];
  }
  /** Ends the sharing; the file keeps the bytes that were written through the mapping. */
  detach(view: View): void {
    this.#flush(view);
    this.#views = this.#views.filter((v) => v !== view);
  }

  /** Gives the memory back of a file that cannot be reached any more. */
  discard(): void {
    this.resize(0);
  }

  /** Takes over the bytes that the guest has written through mappings; pages without a change stay as they are. */
  #flush(only?: View): void {
    for (const view of only ? [only] : this.#views) {
      if (!view.writable) continue;
      const count = Math.min(view.bytes.length, this.#size - view.offset);
      const buffer = new Uint8Array(Math.min(CHUNK, Math.max(0, count)));
      for (let at = 0; at < count; at += CHUNK) {
        const now = view.bytes.subarray(at, Math.min(at + CHUNK, count));
        const old = this.#storedOrZeros(view.offset + at, buffer.subarray(0, now.length));
        if (Buffer.compare(old, now) === 0) continue;
        for (let k = 0; k < now.length; k += PAGE) {
          const page = now.subarray(k, k + PAGE);
          if (Buffer.compare(old.subarray(k, k + PAGE), page) !== 0) this.write(view.offset + at + k, page);
        }
      }
    }
  }

  /** @returns the buffer, filled with the stored bytes, or as many zeros if the part is a hole */
  #storedOrZeros(position: number, buffer: Uint8Array): Uint8Array {
    const end = position + buffer.length;
    const data = this.#nextData(position);
    if (data === undefined || data >= end) return ZEROS.subarray(0, buffer.length);
    this.#stored(position, buffer);
    return buffer;
  }

  /** The file's bytes without those of mappings. */
  #stored(position: number, target: Uint8Array): void {
    if (this.#chunks.size === 0) {
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

  #readKept(position: number, target: Uint8Array): void {
    let done = 0;
    for (const { from, to } of this.#kept.within(position, position + target.length)) {
      target.fill(0, done, from - position);
      done = to - position;
      this.#base!.read(from, target.subarray(from - position, done));
    }
    target.fill(0, done);
  }

  /** A chunk that can be changed, with room for so many bytes. */
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
    this.#usage.take(room - old.length + (known ? 0 : COST.chunk));
    const bytes = new Uint8Array(room);
    if (known) {
      bytes.set(old);
      known.bytes = bytes;
      return known;
    }
    this.#readKept(start, bytes.subarray(0, kept));
    const chunk = { bytes, pages: 0 };
    for (const { from, to } of this.#kept.within(start, start + CHUNK)) this.#mark(chunk, from - start, to - start);
    this.#lose(start, start + CHUNK);
    this.#chunks.set(index, chunk);
    this.#order?.add(index);
    return chunk;
  }

  #mark(chunk: Chunk, from: number, to: number): void {
    for (let page = Math.floor(from / PAGE); page * PAGE < to; page++) {
      if (chunk.pages & (1 << page)) continue;
      chunk.pages |= 1 << page;
      this.#pages++;
    }
  }

  /** Zeroes a part of a page, if the page holds data. */
  #clear(from: number, to: number): void {
    if (from >= to || !this.#holds(alignDown(from, PAGE))) return;
    const index = Math.floor(from / CHUNK);
    this.#own(index, 0).bytes.fill(0, from - index * CHUNK, to - index * CHUNK);
  }

  /** Makes whole pages a hole. */
  #drop(from: number, to: number): void {
    for (const index of this.#chunksIn(from, to)) {
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
      this.#usage.take(-chunk.bytes.length - COST.chunk);
      this.#chunks.delete(index);
      this.#order?.delete(index);
    }
    if (this.#chunks.size === 0) this.#order = undefined;
    this.#lose(from, to);
    this.#reserved.remove(from, to);
  }

  /** Makes a part of the base invalid. */
  #lose(from: number, to: number): void {
    if (this.#kept.empty) return;
    this.#kept.remove(from, to);
    if (this.#kept.empty) this.#base!.forget();
  }

  /** Does a page hold data? */
  #holds(page: number): boolean {
    const index = Math.floor(page / CHUNK);
    const chunk = this.#chunks.get(index);
    if (chunk) return (chunk.pages & (1 << ((page - index * CHUNK) / PAGE))) !== 0;
    return this.#kept.within(page, page + PAGE).next().value !== undefined;
  }

  /** Numbers of the chunks that overlap a part, in order; a chunk that was yielded may be deleted meanwhile. */
  *#chunksIn(from: number, to: number): Generator<number> {
    const last = Math.ceil(to / CHUNK);
    for (let k = this.#nextChunk(Math.floor(from / CHUNK)); k !== undefined && k < last; k = this.#nextChunk(k + 1))
      yield k;
  }

  /** The first chunk of this number or a higher one. */
  #nextChunk(number: number): number | undefined {
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

/** Copies the overlap of two parts of a file. */
function copyOverlap(from: number, source: Uint8Array, to: number, target: Uint8Array): void {
  const start = Math.max(from, to);
  const end = Math.min(from + source.length, to + target.length);
  if (start < end) target.set(source.subarray(start - from, end - from), start - to);
}
