/**
 * A decoded view of an image's executable bytes. Decoding is lazy and kept: each address once, equal words share one Insn (so that
 * facts, which are memoised by instruction, are derived once a word and not once an address).
 */
import { derived } from '../base/derived.ts';
import type { Addr, ByteCount } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { decode, encodedLength } from '../isa/decode.ts';
import type { Insn } from '../isa/row.ts';

/** Executable bytes from `start` up to `end`. */
export interface CodeRange {
  readonly start: Addr;
  readonly end: Addr;
}

interface Area extends CodeRange {
  readonly bytes: Uint8Array;
  /** By halfword: the instruction, null where the bytes are none, undefined where nothing has been decoded yet. */
  readonly decoded: (Insn | null | undefined)[];
}

export class Code {
  readonly image: Image;
  /** By rising address. Only bytes of the file: the zeros that follow them in memory are no instructions. */
  readonly ranges: readonly CodeRange[];
  readonly #areas: readonly Area[];
  readonly #byWord = new Map<number, Insn | null>();
  #last: Area | undefined;

  /** Use codeOf, which makes one Code an image. */
  constructor(image: Image) {
    this.image = image;
    this.#areas = image.segments
      .filter((segment) => segment.flags.execute && segment.bytes.length > 0)
      .map((segment) => ({
        start: segment.address,
        end: segment.address + segment.bytes.length,
        bytes: segment.bytes,
        decoded: new Array((segment.bytes.length + 1) >> 1),
      }));
    this.ranges = this.#areas.map(({ start, end }) => ({ start, end }));
  }

  #areaAt(address: Addr): Area | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.start && address < last.end) return last;
    const found = this.#areas.find((area) => address >= area.start && address < area.end);
    if (found !== undefined) this.#last = found;
    return found;
  }

  /** Is the byte at this address in an executable segment? */
  isExecutable(address: Addr): boolean {
    return this.#areaAt(address) !== undefined;
  }

  /** The instruction at an address; undefined at an odd address, outside the code, or where the bytes are none. */
  insnAt(address: Addr): Insn | undefined {
    const area = this.#areaAt(address);
    if (area === undefined || (address & 1) !== 0) return undefined;
    // A segment may begin at an odd address (only in a strange file): then halfwords of the cache are counted from the even one below.
    const at = address - area.start;
    const slot = (at + 1) >> 1;
    const known = area.decoded[slot];
    if (known !== undefined) return known ?? undefined;
    const insn = this.#decode(area.bytes, at);
    area.decoded[slot] = insn;
    return insn ?? undefined;
  }

  /** The length that the encoding at an address announces, of a known instruction or not; 0 where no instruction can be. */
  lengthAt(address: Addr): ByteCount {
    const area = this.#areaAt(address);
    const at = address - (area?.start ?? 0);
    if (area === undefined || at + 2 > area.bytes.length) return 0;
    return encodedLength(area.bytes[at]! | (area.bytes[at + 1]! << 8));
  }

  #decode(bytes: Uint8Array, at: number): Insn | null {
    if (at + 2 > bytes.length) return null;
    let word = bytes[at]! | (bytes[at + 1]! << 8);
    if ((word & 3) === 3) {
      if (at + 4 > bytes.length) return null;
      word |= (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    }
    let insn = this.#byWord.get(word);
    if (insn === undefined) {
      insn = decode(word) ?? null;
      this.#byWord.set(word, insn);
    }
    return insn;
  }
}

/** The decoded view of an image; all users share one cache. */
export const codeOf = derived('code', (image: Image): Code => new Code(image));
