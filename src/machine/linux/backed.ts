/**
 * Private pages of files, the executable's own among them. The guest has a copy of its own, made when it was mapped; when it gives the
 * copy up (MADV_DONTNEED) the page holds what the file holds then. Every other private page is zeros again.
 */
import { alignDown, alignUp } from '../../base/bits.ts';
import type { Addr, ByteCount } from '../../base/units.ts';
import type { Image } from '../../elf/image.ts';
import { PAGE } from '../memory.ts';
import type { Contents } from './contents.ts';

/** A file that pages come from, as /proc/self/maps tells of it. */
export interface MappedFile {
  readonly path: string;
  readonly ino: number;
  /** Undefined: the executable's own, which is as long as its segments. */
  readonly contents?: Contents;
}

/** Private guest pages that hold a part of a file. */
export interface Backed {
  readonly address: Addr;
  readonly length: ByteCount;
  readonly file: MappedFile;
  /** Where the first of them begins in the file. */
  readonly offset: ByteCount;
  /** Puts there what the file holds at a place, zeros behind its end. */
  readonly read: (at: ByteCount, target: Uint8Array) => void;
}

/** What pages hold of which file: a number a page, so that it does not matter how many mappings there are. */
export class BackedPages {
  readonly #pages: number;
  /** By page: the number of the part that it is in, 0 for none. Made when there is any. */
  #numbers: Uint32Array | undefined;
  /** By number, with how many pages are left of it; the numbers that are free. */
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

  /** What lies in a range of pages is no file's any more. */
  release(address: Addr, length: ByteCount): void {
    if (this.#numbers === undefined || this.#parts.length === this.#free.length) return;
    const [first, last] = [address / PAGE, (address + length) / PAGE];
    for (let page = first; page < last; page++) {
      const number = this.#numbers[page]!;
      if (number !== 0 && --this.#parts[number - 1]!.pages === 0) this.#free.push(number);
    }
    this.#numbers.fill(0, first, last);
  }

  /** All parts that are left, some of them perhaps in pieces. */
  parts(): Backed[] {
    return this.#parts.filter(({ pages }) => pages > 0).map(({ part }) => part);
  }

  /** The part that an address is in. */
  at(address: Addr): Backed | undefined {
    const number = this.#numbers?.[Math.floor(address / PAGE)] ?? 0;
    return number === 0 ? undefined : this.#parts[number - 1]!.part;
  }

  /** The parts in a range of pages, each as far as it lies there, as they would be elsewhere. */
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
export function backedBy(image: Image, bias: Addr, file: MappedFile): Backed[] {
  return image.segments
    .filter(({ bytes }) => bytes.length > 0)
    .map((segment) => {
      const address = alignDown(segment.address + bias, PAGE);
      const before = segment.address + bias - address;
      const length = alignUp(before + segment.bytes.length, PAGE);
      const read = (at: ByteCount, target: Uint8Array) => {
        target.fill(0).set(image.bytes.subarray(at, at + target.length));
      };
      return { address, length, file, offset: Math.max(0, segment.offset - before), read };
    });
}
