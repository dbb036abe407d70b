/**
 * The address map: what in the optimized file stands for what in the original. It is kept in the file's note, so that verification,
 * reports and unwinders of profiles need nothing else at hand. Addresses are as linked.
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
  /** How often it was expected to be entered. */
  readonly count: number;
  /** Emitted as it was, without value passes. */
  readonly identity: boolean;
  /** Why it is: what the passes made of it could not be proved. */
  readonly rejected?: string;
}

export interface AddressMapData {
  readonly version: 1;
  /** SHA-256 of the original file. */
  readonly original: string;
  /** First address behind the original's last segment: where its heap may begin. */
  readonly originalEnd: Addr;
  readonly superblocks: readonly MappedSuperblock[];
  /** Return addresses of calls in optimized code: [optimized, original]. */
  readonly returns: readonly (readonly [Addr, Addr])[];
  /** Bytes of the original that were changed: [address, size]. */
  readonly patches: readonly (readonly [Addr, ByteCount])[];
  /** Heads whose address stands in a jump table. */
  readonly retargeted: readonly Addr[];
  /** Ids of the assumptions made. */
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

export const encodeMap = (data: AddressMapData): Uint8Array => new TextEncoder().encode(JSON.stringify(data));

/** @param file for messages */
export function decodeMap(bytes: Uint8Array, file: string): AddressMap {
  let data: AddressMapData;
  try {
    data = JSON.parse(new TextDecoder().decode(bytes)) as AddressMapData;
  } catch {
    throw badElf(file, 'its address map is damaged');
  }
  const numbers = (list: unknown): boolean => Array.isArray(list) && list.every((entry) => Number.isSafeInteger(entry));
  const pairs = (list: unknown): boolean =>
    Array.isArray(list) && list.every((entry) => numbers(entry) && entry.length === 2);
  const fine =
    data?.version === 1 &&
    typeof data.original === 'string' &&
    Number.isSafeInteger(data.originalEnd) &&
    pairs(data.returns) &&
    pairs(data.patches) &&
    numbers(data.retargeted) &&
    Array.isArray(data.assumptions) &&
    data.assumptions.every((id) => typeof id === 'string') &&
    Array.isArray(data.superblocks) &&
    data.superblocks.every(
      (entry) =>
        numbers([entry?.head, entry?.start, entry?.end, entry?.count]) &&
        pairs(entry.stubs) &&
        numbers(entry.path) &&
        typeof entry.identity === 'boolean' &&
        (entry.rejected === undefined || typeof entry.rejected === 'string'),
    );
  if (!fine) throw badElf(file, 'its address map is damaged');
  return new AddressMap(data);
}
