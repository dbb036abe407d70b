/**
 * Reading and writing the numbers of DWARF unwind tables: LEB128 and encoded pointers (LSB Core, "DWARF Extensions", section
 * 10.5: DW_EH_PE_*). All addresses are as linked.
 */
import type { Addr } from '../../base/units.ts';
import type { Image } from '../image.ts';

/** Pointer encodings: the low four bits give the storage format, the next three the base, the highest that the pointer is indirect. */
export const PE = {
  OMIT: 0xff,
  INDIRECT: 0x80,
  PCREL: 0x10,
  DATAREL: 0x30,
  UDATA4: 0x03,
  SDATA4: 0x0b,
  ULEB: 0x01,
} as const;
/** The encoding in all new tables: relative to the field itself, signed 32 bits. Such a pointer needs no relocation in a static PIE. */
export const RELATIVE = PE.PCREL | PE.SDATA4;

/** A table that is not as the format says. Callers catch the error and do without the table. */
export class Malformed extends Error {}

/** An address that a table mentions; `indirect`: the address of the word that holds it. */
export interface Pointer {
  readonly address: Addr;
  readonly indirect: boolean;
}

/** Seven bytes of LEB128 hold 49 bits. */
const MAX_SCALE = 2 ** 42;

/** Refuses numbers so large that their sums could be inexact or come near to where addresses wrap. */
function safe(value: number): number {
  if (Math.abs(value) > 2 ** 48) throw new Malformed('a number is too large');
  return value;
}

/** Reads from an address in the file's loaded bytes on. Throws Malformed when the bytes run out. */
export class Cursor {
  readonly #image: Image;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #base: Addr;
  #at: number;

  constructor(image: Image, address: Addr) {
    const segment = image.segments.find((s) => address >= s.address && address < s.address + s.bytes.length);
    if (!segment) throw new Malformed(`nothing in the file at ${address}`);
    this.#image = image;
    this.#bytes = segment.bytes;
    this.#view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.byteLength);
    this.#base = segment.address;
    this.#at = address - segment.address;
  }

  get address(): Addr {
    return this.#base + this.#at;
  }
  set address(value: Addr) {
    if (value < this.#base || value > this.#base + this.#bytes.length) throw new Malformed('beyond the segment');
    this.#at = value - this.#base;
  }
  #take(size: number): number {
    const at = this.#at;
    if (at + size > this.#bytes.length) throw new Malformed('the table is cut off');
    this.#at += size;
    return at;
  }
  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  take(size: number): Uint8Array {
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }
  text(): string {
    let text = '';
    for (let c = this.u8(); c !== 0; c = this.u8()) text += String.fromCharCode(c);
    return text;
  }
  /** Multiplication, not shifts: values above 2^31 are legal. A number longer than any value needs is refused: unwinders differ on it. */
  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (scale > MAX_SCALE) throw new Malformed('a number is too long');
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return safe(value);
    }
  }
  sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (scale > MAX_SCALE) throw new Malformed('a number is too long');
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return safe(byte & 64 ? value - scale * 128 : value);
    }
  }
  /** The stored number of an encoding, without its base. */
  stored(encoding: number): number {
    switch (encoding & 15) {
      // Only 64-bit numbers that an address or a size can be: a larger number would wrap.
      case 0:
        return safe(Number(this.#view.getBigUint64(this.#take(8), true)));
      case 1:
        return this.uleb();
      case 2:
        return this.u16();
      case PE.UDATA4:
        return this.u32();
      case 4:
        return safe(Number(this.#view.getBigUint64(this.#take(8), true)));
      case 9:
        return this.sleb();
      case 10:
        return this.#view.getInt16(this.#take(2), true);
      case PE.SDATA4:
        return this.#view.getInt32(this.#take(4), true);
      case 12:
        return safe(Number(this.#view.getBigInt64(this.#take(8), true)));
      default:
        throw new Malformed(`pointer encoding ${encoding}`);
    }
  }
  /** An encoded pointer; undefined if the pointer is null (the stored number is 0, whatever the base). */
  pointer(encoding: number, dataBase?: Addr): Pointer | undefined {
    const at = this.address;
    // A distance may be negative, also in an unsigned 64-bit encoding.
    const whole = (encoding & 15) === 0 || (encoding & 15) === 4;
    const stored = this.stored(whole && (encoding & 0x70) !== 0 ? 12 : encoding);
    if (stored === 0) return undefined;
    const indirect = (encoding & PE.INDIRECT) !== 0;
    switch (encoding & 0x70) {
      case 0:
        // In a PIE a relocation fills in an absolute pointer; the stored number says nothing.
        if (this.#image.relocatable) throw new Malformed('an absolute pointer in a relocatable image');
        return { address: stored, indirect };
      case PE.PCREL:
        return { address: at + stored, indirect };
      case PE.DATAREL:
        if (dataBase === undefined) throw new Malformed('a pointer relative to an unknown base');
        return { address: dataBase + stored, indirect };
      default:
        throw new Malformed(`pointer encoding ${encoding}`);
    }
  }
}

/** Size in bytes of a fixed-size encoding. */
export function sizeOfEncoding(encoding: number): number {
  const size = { 0: 8, 2: 2, 3: 4, 4: 8, 10: 2, 11: 4, 12: 8 }[encoding & 15];
  if (size === undefined) throw new Malformed(`pointer encoding ${encoding} has no fixed size`);
  return size;
}

/** Bytes under construction that know their address. */
export class Writer {
  readonly start: Addr;
  readonly #out: number[] = [];

  constructor(start: Addr) {
    this.start = start;
  }
  get address(): Addr {
    return this.start + this.#out.length;
  }
  get bytes(): Uint8Array {
    return Uint8Array.from(this.#out);
  }
  put(...bytes: readonly number[]): this {
    for (const byte of bytes) this.#out.push(byte & 255);
    return this;
  }
  append(bytes: Iterable<number>): this {
    for (const byte of bytes) this.#out.push(byte);
    return this;
  }
  u32(value: number): this {
    return this.put(value, value >>> 8, value >>> 16, value >>> 24);
  }
  /** Writes over a number that was put before. */
  setU32(address: Addr, value: number): void {
    for (let i = 0; i < 4; i++) this.#out[address - this.start + i] = (value >>> (8 * i)) & 255;
  }
  uleb(value: number): this {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.put((rest % 128) | 128);
    return this.put(rest);
  }
  sleb(value: number): this {
    let rest = value;
    for (;;) {
      const low = ((rest % 128) + 128) % 128;
      rest = Math.floor(rest / 128);
      if ((rest === 0 && low < 64) || (rest === -1 && low >= 64)) return this.put(low);
      this.put(low | 128);
    }
  }
  /** A RELATIVE pointer; null is 0. */
  relative(target: Addr | undefined): this {
    const distance = target === undefined ? 0 : target - this.address;
    if (distance !== (distance | 0)) throw new Malformed('the tables are too far from the code');
    return this.u32(distance);
  }
  align(alignment: number, filler = 0): this {
    while (this.address % alignment !== 0) this.put(filler);
    return this;
  }
}
