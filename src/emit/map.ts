/**
 * The address map: which addresses of the optimized file stand for which of the original. The map is kept in the file's note, so that
 * verification, reports and unwinders of profiles need no other file. Addresses are as linked.
 */
import { badElf } from '../base/errors.ts';
import type { Addr, ByteCount } from '../base/units.ts';

export interface MappedSuperblock {
  readonly head: Addr;
  /** The hot line: [start, end). */
  readonly start: Addr;
  readonly end: Addr;
  /** Stubs that were emitted: [start, end) each. */
  readonly stubs: readonly (readonly [Addr, Addr])[];
  /** Original addresses of the path's blocks. */
  readonly path: readonly Addr[];
  /** Expected number of entries. */
  readonly count: number;
  /** Emitted in its identity form, without value passes. */
  readonly identity: boolean;
  /** Why the form that the passes made was not emitted. */
  readonly rejected?: string;
}

export interface AddressMapData {
  readonly version: 1;
  /** SHA-256 of the original file. */
  readonly original: string;
  /** First address behind the original's last segment: its heap may begin there. */
  readonly originalEnd: Addr;
  readonly superblocks: readonly MappedSuperblock[];
  /** Return addresses of calls in optimized code: [optimized, original]. */
  readonly returns: readonly (readonly [Addr, Addr])[];
  /** Bytes of the original that were changed: [address, size]. */
  readonly patches: readonly (readonly [Addr, ByteCount])[];
  /** Ids of the assumptions made; of a map that was read, whatever stands there. */
  readonly assumptions: readonly string[];
}

export class AddressMap {
  readonly data: AddressMapData;
  readonly #returns: ReadonlyMap<Addr, Addr>;
  readonly #starts: ReadonlyMap<Addr, Addr>;
  /** Ranges of lines and stubs by start. */
  readonly #ranges: readonly { start: Addr; end: Addr; superblock: MappedSuperblock }[];

  constructor(data: AddressMapData) {
    this.data = data;
    this.#returns = new Map(data.returns.map(([optimized, original]) => [optimized, original]));
    this.#starts = new Map(data.superblocks.map((superblock) => [superblock.start, superblock.head]));
    this.#ranges = data.superblocks
      .flatMap((superblock) => [
        { start: superblock.start, end: superblock.end, superblock },
        ...superblock.stubs.map(([start, end]) => ({ start, end, superblock })),
      ])
      .sort((a, b) => a.start - b.start);
  }

  /** The original address that an optimized return address or superblock start stands for; undefined for other addresses. */
  toOriginal(optimized: Addr): Addr | undefined {
    return this.#returns.get(optimized) ?? this.#starts.get(optimized);
  }

  /** The superblock whose line or stub an address of the optimized file lies in. */
  superblockAt(address: Addr): MappedSuperblock | undefined {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]!.start <= address) low = middle + 1;
      else high = middle;
    }
    const range = this.#ranges[low - 1];
    return range !== undefined && address < range.end ? range.superblock : undefined;
  }

  /** May `optimized` stand where the original program has `original`? */
  isPair(original: Addr, optimized: Addr): boolean {
    return this.toOriginal(optimized) === original;
  }
}

/**
 * The map as bytes: a version byte, then unsigned LEB128 numbers. Lists begin with their length. An address is written as its
 * zigzag-coded distance from an earlier one: a head from the last superblock's head, a start from the last superblock's end, a path's
 * block from the block before (the first from the head), a stub from the last stub's end. Most distances fit in a byte or two.
 */
const VERSION = 1;
const FLAG = { IDENTITY: 1, REJECTED: 2 } as const;

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

export function encodeMap(data: AddressMapData): Uint8Array {
  const out: number[] = [VERSION];
  const number = (value: number) => {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
    out.push(rest);
  };
  const text = (value: string) => {
    const bytes = new TextEncoder().encode(value);
    number(bytes.length);
    for (const byte of bytes) out.push(byte);
  };
  const list = <T>(entries: readonly T[], write: (entry: T) => void) => {
    number(entries.length);
    entries.forEach(write);
  };
  /** Addresses of one kind, each written as its distance from the last. */
  const addresses =
    (last = 0) =>
    (address: Addr) => {
      number(zigzag(address - last));
      last = address;
    };
  const [head, line, stub] = [addresses(), addresses(), addresses()];
  text(data.original);
  number(data.originalEnd);
  list(data.superblocks, (superblock) => {
    const { identity, rejected } = superblock;
    number((identity ? FLAG.IDENTITY : 0) | (rejected === undefined ? 0 : FLAG.REJECTED));
    head(superblock.head);
    line(superblock.start);
    line(superblock.end);
    list(superblock.stubs, (range) => range.forEach(stub));
    list(superblock.path, addresses(superblock.head));
    number(superblock.count);
    if (rejected !== undefined) text(rejected);
  });
  const [optimized, original, patch] = [addresses(), addresses(), addresses()];
  list(data.returns, ([from, to]) => {
    optimized(from);
    original(to);
  });
  list(data.patches, ([address, size]) => {
    patch(address);
    number(size);
  });
  list(data.assumptions, text);
  return Uint8Array.from(out);
}

/**
 * @param file for messages
 * @throws bad-elf if the map is damaged
 */
export function decodeMap(bytes: Uint8Array, file: string): AddressMap {
  const wrong = (): never => {
    throw badElf(file, 'its address map is damaged');
  };
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? wrong();
      value += (byte % 128) * scale;
      if (value > Number.MAX_SAFE_INTEGER) wrong();
      if (byte < 128) return value;
      if (scale > 2 ** 49) wrong();
    }
  };
  const text = (): string => {
    const length = number();
    if (length > bytes.length - at) wrong();
    at += length;
    return new TextDecoder().decode(bytes.subarray(at - length, at));
  };
  // An entry takes a byte at least: a length beyond the end is refused before anything is built.
  const list = <T>(read: () => T): T[] => {
    const length = number();
    return length > bytes.length - at ? wrong() : Array.from({ length }, read);
  };
  const addresses =
    (last = 0) =>
    (): Addr => {
      last += unzigzag(number());
      return Number.isSafeInteger(last) && last >= 0 ? last : wrong();
    };
  const [head, line, stub] = [addresses(), addresses(), addresses()];
  if (number() !== VERSION) wrong();
  const original = text();
  const originalEnd = number();
  const superblocks = list((): MappedSuperblock => {
    const flags = number();
    const entry = {
      head: head(),
      start: line(),
      end: line(),
      stubs: list(() => [stub(), stub()] as const),
    };
    const path = list(addresses(entry.head));
    const count = number();
    const rejected = (flags & FLAG.REJECTED) !== 0 ? text() : undefined;
    return {
      ...entry,
      path,
      count,
      identity: (flags & FLAG.IDENTITY) !== 0,
      ...(rejected !== undefined && { rejected }),
    };
  });
  const [optimizedReturn, originalReturn, patch] = [addresses(), addresses(), addresses()];
  const returns = list(() => [optimizedReturn(), originalReturn()] as const);
  const patches = list(() => [patch(), number()] as const);
  const assumptions = list(text);
  if (at !== bytes.length) wrong();
  return new AddressMap({ version: 1, original, originalEnd, superblocks, returns, patches, assumptions });
}
