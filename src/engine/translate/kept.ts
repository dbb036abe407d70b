/**
 * The translated code that one run of a program keeps for the next: its compiled regions and all facts that their code relies on, above all
 * places in the host area. All places are restored before the next run allocates any of its own; the code is then valid as it is. A region
 * is taken only where the guest's code is the same, byte for byte.
 *
 * As a file: numbers of 32 bits in the host's order, lists with their lengths before them, bytes padded to whole numbers.
 */
import { crc32 } from 'node:zlib';
import type { Addr } from '../../base/units.ts';
import type { Table } from './compile.ts';

export interface KeptRegion {
  readonly head: Addr;
  /** By instruction: address, bytes (their lower half for two), and the address that was accessed last, or 0. */
  readonly pcs: Uint32Array;
  readonly code: Uint32Array;
  readonly accessed: Uint32Array;
  readonly leaves: Uint32Array;
  readonly switches: Uint32Array;
  readonly ways: Uint32Array;
  readonly links: Uint32Array;
  /** See EdgeCounts.numbers. */
  readonly counts: Uint32Array;
}
export interface KeptModule {
  readonly bytes: Uint8Array;
  readonly native: ArrayBuffer | undefined;
  readonly tables: readonly Table[];
  readonly regions: readonly KeptRegion[];
}
/** Each list of numbers has the form in which its class writes and reads it. */
export interface Kept {
  /** First free address of the host area when the translator was made, and at the end of the run. */
  readonly from: number;
  readonly to: number;
  /** 1 if the code relies on the host's fused multiply-add (domain/wasm-fused.ts). */
  readonly fused: number;
  readonly records: Uint32Array;
  readonly ranges: Uint32Array;
  readonly returns: Uint32Array;
  /** Addresses that have slots in the table of regions, in this order. */
  readonly slots: Uint32Array;
  readonly functions: Uint32Array;
  /** Pairs: an indirect jump, and a target of it. */
  readonly targets: Uint32Array;
  /** Pairs: the head of a region, and how often it has been made again. */
  readonly renewals: Uint32Array;
  readonly modules: readonly KeptModule[];
}

const MAGIC = 0x6f_73_69_31;
/** Bytes of magic number, file length, and checksum of all that follows: V8 trusts the code that it is given. */
const HEADER_SIZE = 12;
const PLACES = ['records', 'ranges', 'returns', 'slots', 'functions', 'targets', 'renewals'] as const;
const REGION_LISTS = ['pcs', 'code', 'accessed', 'leaves', 'switches', 'ways', 'links', 'counts'] as const;

/** @returns undefined if one of the numbers does not fit 32 bits */
export function numbersOf(list: Iterable<number>): Uint32Array | undefined {
  const all = Array.isArray(list) ? list : [...list];
  const made = Uint32Array.from(all);
  for (let i = 0; i < made.length; i++) if (made[i] !== all[i]) return undefined;
  return made;
}

/** @param identity text that must be the same for the file to be of use */
export function encodeKept(kept: Kept, identity: string): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  const put = (list: Uint8Array | Uint32Array) => {
    parts.push(new Uint8Array(list.buffer, list.byteOffset, list.byteLength));
    length += list.byteLength;
  };
  const number = (...values: number[]) => put(Uint32Array.from(values));
  const numbers = (list: Uint32Array) => {
    number(list.length);
    put(list);
  };
  const bytes = (list: Uint8Array) => {
    number(list.length);
    put(list);
    put(new Uint8Array(-list.length & 3));
  };
  bytes(new TextEncoder().encode(identity));
  number(kept.from, kept.to, kept.fused, kept.modules.length);
  for (const place of PLACES) numbers(kept[place]);
  for (const { bytes: wasm, native, tables, regions } of kept.modules) {
    bytes(wasm);
    bytes(native === undefined ? new Uint8Array(0) : new Uint8Array(native));
    number(tables.length, regions.length);
    for (const { at, halves } of tables) {
      number(at);
      numbers(Uint32Array.from(halves));
    }
    for (const region of regions) {
      number(region.head);
      for (const what of REGION_LISTS) numbers(region[what]);
    }
  }
  const file = new Uint8Array(length + HEADER_SIZE);
  let at = HEADER_SIZE;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  new Uint32Array(file.buffer, 0, 3).set([MAGIC, file.length, crc32(file.subarray(HEADER_SIZE))]);
  return file;
}

/** @returns undefined if the file is no such file, is damaged, or has another identity */
export function decodeKept(file: Uint8Array, identity: string): Kept | undefined {
  const own = file.byteOffset % 4 === 0 ? file : Uint8Array.from(file);
  const words = new Uint32Array(own.buffer, own.byteOffset, own.length >>> 2);
  if (words[0] !== MAGIC || words[1] !== file.length || words[2] !== crc32(own.subarray(HEADER_SIZE))) return undefined;
  try {
    return decode(own, words, identity);
  } catch (error) {
    if (error instanceof MalformedFile) return undefined;
    throw error;
  }
}

/** The file has not the form that it should have. */
class MalformedFile extends Error {}

function decode(own: Uint8Array, words: Uint32Array, identity: string): Kept | undefined {
  let at = HEADER_SIZE / 4;
  /** Skips so many words. @returns the index of the first */
  const pass = (count: number): number => {
    if (count > words.length - at) throw new MalformedFile();
    at += count;
    return at - count;
  };
  const number = () => words[pass(1)]!;
  /** The number of items that follow, each of at least one word. */
  const length = () => {
    const count = number();
    if (count > words.length - at) throw new MalformedFile();
    return count;
  };
  const numbers = () => {
    const start = pass(length());
    return words.subarray(start, at);
  };
  const bytes = () => {
    const size = number();
    const start = pass(Math.ceil(size / 4)) * 4;
    return own.subarray(start, start + size);
  };
  if (new TextDecoder().decode(bytes()) !== identity) return undefined;
  const [from, to, fused, count] = [number(), number(), number(), length()];
  const lists = <Name extends string>(names: readonly Name[]) =>
    Object.fromEntries(names.map((name) => [name, numbers()])) as Record<Name, Uint32Array>;
  const places = lists(PLACES);
  const modules = Array.from({ length: count }, (): KeptModule => {
    const wasm = bytes();
    const native = bytes();
    const [tables, regions] = [length(), length()];
    return {
      bytes: wasm,
      native: native.length === 0 ? undefined : native.slice().buffer,
      tables: Array.from({ length: tables }, () => ({ at: number(), halves: Uint16Array.from(numbers()) })),
      regions: Array.from({ length: regions }, () => ({ head: number(), ...lists(REGION_LISTS) })),
    };
  });
  return at === words.length && from <= to ? { from, to, fused, ...places, modules } : undefined;
}
