/** The contents of a file: the bytes that it stores (stored.ts), its size, and the parts of it that are shared with guest memory. */
import { alignUp } from '../../base/bits.ts';
import { PAGE } from '../../base/units.ts';
import { CHUNK } from './chunks.ts';
import { E, fail } from './errno.ts';
import type { Base } from './hostfile.ts';
import type { Range } from './ranges.ts';
import { type Span, Spans } from './spans.ts';
import { type Pause, PIECE } from './steps.ts';
import { StoredBytes } from './stored.ts';
import type { Usage } from './usage.ts';

/** No file may grow beyond this: ext4's limit, of 2^32 - 1 blocks. */
export const MAX_FILE_SIZE = (2 ** 32 - 1) * 4096;

/** A shared mapping of a part of a file, from one file offset to another: guest memory, live. */
export interface View extends Span {
  readonly bytes: Uint8Array;
  /** The guest may have written to the mapping. */
  readonly writable: boolean;
}

export class Contents {
  readonly #stored: StoredBytes;
  #size: number;
  #changed = false;
  /** Called at each change of the size. */
  onSize: ((from: number, to: number) => void) | undefined;
  /** Parts that are mapped into guest memory: their bytes are there, not in the store. */
  readonly #views = new Spans<View>();

  constructor(usage: Usage, base?: Base) {
    this.#stored = new StoredBytes(usage, base);
    this.#size = base?.size ?? 0;
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
    return this.#stored.pages;
  }

  /** Reads at a position. @returns bytes read; 0 at the end */
  read(position: number, target: Uint8Array): number {
    const count = Math.min(target.length, this.#size - position);
    if (count <= 0) return 0;
    const wanted = target.subarray(0, count);
    this.#stored.read(position, wanted);
    for (const view of this.#views.over(position, position + count))
      copyOverlap(view.from, view.bytes, position, wanted);
    return count;
  }

  /** @returns bytes written: fewer where the largest size is reached, or memory is used up */
  write(position: number, source: Uint8Array): number {
    if (source.length === 0) return 0;
    if (position >= MAX_FILE_SIZE) fail(E.FBIG);
    const done = this.#stored.write(position, source.subarray(0, MAX_FILE_SIZE - position));
    this.#changed = true;
    for (const view of this.#views.over(position, position + done))
      copyOverlap(position, source.subarray(0, done), view.from, view.bytes);
    this.#resized(Math.max(this.#size, position + done));
    return done;
  }

  resize(size: number): void {
    if (size > MAX_FILE_SIZE) fail(E.FBIG);
    if (size <= this.#size) this.#stored.cut(size);
    const end = Math.min(size, this.#size);
    for (const view of this.#views.over(end, Number.POSITIVE_INFINITY))
      view.bytes.fill(0, Math.max(0, end - view.from));
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
    this.#stored.punch(from, end);
    this.#changed = true;
    for (const view of this.#views.over(from, end))
      view.bytes.fill(0, Math.max(0, from - view.from), Math.max(0, end - view.from));
  }

  /** Allocates pages ahead, also behind the end. */
  reserve(from: number, to: number): void {
    this.#stored.reserve(from, to);
  }

  /** The first byte at or behind a position that is in no hole. */
  nextData(position: number): number | undefined {
    this.#flush();
    return this.#stored.nextData(position, this.#size);
  }

  /** The first byte at or behind a position that is in a hole, or the end. */
  nextHole(position: number): number {
    this.#flush();
    return this.#stored.nextHole(position, this.#size);
  }

  /** All parts that are in no hole, up to a position. */
  *data(start = 0, end = this.#size): Generator<Range> {
    for (const view of this.#views.over(start, end)) this.#flush(view);
    for (let from = this.#stored.nextData(start, this.#size); from !== undefined && from < end; ) {
      const to = this.#stored.nextHole(from, this.#size);
      yield { from, to };
      from = this.#stored.nextData(to, this.#size);
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
    return this.#views.over(offset, offset + length).length > 0;
  }
  /** Begins to share a part with guest memory, which has the file's bytes. The part must not be shared already. */
  attach(view: View): void {
    this.#views.add(view);
  }
  /** Ends the sharing; the file keeps the bytes that were written through the mapping. */
  detach(view: View): void {
    this.#flush(view);
    this.#views.remove(view);
  }

  /** Gives the memory back of a file that cannot be reached any more. */
  discard(): void {
    this.resize(0);
  }

  /** Takes over the bytes that the guest has written through mappings; pages without a change stay as they are. */
  #flush(only?: View): void {
    for (const view of only ? [only] : this.#views) {
      if (!view.writable) continue;
      const count = Math.min(view.bytes.length, this.#size - view.from);
      const buffer = new Uint8Array(Math.min(CHUNK, Math.max(0, count)));
      for (let at = 0; at < count; at += CHUNK) {
        const now = view.bytes.subarray(at, Math.min(at + CHUNK, count));
        const old = this.#stored.readOrZeros(view.from + at, buffer.subarray(0, now.length), this.#size);
        if (Buffer.compare(old, now) === 0) continue;
        for (let k = 0; k < now.length; k += PAGE) {
          const page = now.subarray(k, k + PAGE);
          if (Buffer.compare(old.subarray(k, k + PAGE), page) !== 0) this.write(view.from + at + k, page);
        }
      }
    }
  }
}

/** Copies the overlap of two parts of a file. */
function copyOverlap(from: number, source: Uint8Array, to: number, target: Uint8Array): void {
  const start = Math.max(from, to);
  const end = Math.min(from + source.length, to + target.length);
  if (start < end) target.set(source.subarray(start - from, end - from), start - to);
}
