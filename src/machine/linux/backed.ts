/**
 * Private pages of files, the executable's segments among them. Such a page is a copy, made when it was mapped; when the guest gives
 * the copy up (MADV_DONTNEED), the page is read from the file as it is then. All other private pages become zeros.
 */
import { alignDown, alignUp } from '../../base/bits.ts';
import { type Addr, type ByteCount, PAGE } from '../../base/units.ts';
import type { Place } from '../../place/place.ts';
import type { Contents } from './contents.ts';

/** A mapped file, as /proc/self/maps shows it. */
export interface MappedFile {
  readonly path: string;
  readonly ino: number;
  /** Undefined for the executable, which is as long as its segments. */
  readonly contents?: Contents;
}

/** Private guest pages that hold a part of a file. */
export interface Backed {
  readonly address: Addr;
  readonly length: ByteCount;
  readonly file: MappedFile;
  /** File offset of the first page. */
  readonly offset: ByteCount;
  /** Fills the target with the file's bytes at an offset, zeros behind the end of the file. */
  readonly read: (at: ByteCount, target: Uint8Array) => void;
}

/** The part of a file that each page holds, as one number a page: look-ups do not depend on the number of mappings. */
export class BackedPages {
  readonly #pages: number;
  /** By page: the number of its part, 0 for none. Made with the first part. */
  #numbers: Uint32Array | undefined;
  /** Part n at index n - 1, with its number of pages left; and the free numbers. */
  readonly #parts: { readonly part: Backed; pages: number }[] = [];
  readonly #free: number[] = [];

  /** @param size of guest memory */
  constructor(size: ByteCount) {
    this.#pages = size / PAGE;
  }

  push(...parts: readonly Backed[]): void {
    this.#numbers ??= new Uint32Array(this.#pages);
    for (const part of parts) {
      const number = this.#free.pop() ?? this.#parts.length + 1;
      const pages = alignUp(part.length, PAGE) / PAGE;
      this.#parts[number - 1] = { part, pages };
      this.#numbers.fill(number, part.address / PAGE, part.address / PAGE + pages);
    }
  }

  /** Detaches a range of pages from files. */
  release(address: Addr, length: ByteCount): void {
    if (this.#numbers === undefined || this.#parts.length === this.#free.length) return;
    const [first, last] = [address / PAGE, (address + length) / PAGE];
    for (let page = first; page < last; page++) {
      const number = this.#numbers[page]!;
      if (number !== 0 && --this.#parts[number - 1]!.pages === 0) this.#free.push(number);
    }
    this.#numbers.fill(0, first, last);
  }

  /** All parts with pages left, some of them perhaps in pieces. */
  parts(): Backed[] {
    return this.#parts.filter(({ pages }) => pages > 0).map(({ part }) => part);
  }

  /** The part that an address is in. */
  at(address: Addr): Backed | undefined {
    const number = this.#numbers?.[Math.floor(address / PAGE)] ?? 0;
    return number === 0 ? undefined : this.#parts[number - 1]!.part;
  }

  /** The parts in a range of pages, clipped to the range and shifted to another address. */
  moved(address: Addr, length: ByteCount, to: Addr): Backed[] {
    const parts: Backed[] = [];
    for (let from = address; from < address + length; ) {
      const part = this.at(from);
      let end = from + PAGE;
      while (end < address + length && this.at(end) === part) end += PAGE;
      if (part)
        parts.push({
          ...part,
          address: to + from - address,
          length: end - from,
          offset: part.offset + from - part.address,
        });
      from = end;
    }
    return parts;
  }
}

/** The executable's segments, as far as its file holds them. */
export function backedBy({ image, areas }: Place, file: MappedFile): Backed[] {
  return areas
    .filter(({ segment }) => segment.bytes.length > 0)
    .map(({ start, segment }) => {
      const address = alignDown(start, PAGE);
      const before = start - address;
      const length = alignUp(before + segment.bytes.length, PAGE);
      const read = (at: ByteCount, target: Uint8Array) => {
        target.fill(0).set(image.bytes.subarray(at, at + target.length));
      };
      return { address, length, file, offset: Math.max(0, segment.offset - before), read };
    });
}
