/**
 * Ranges of pages with a common permission, without a gap: a program's data with its heap, its stack, its mappings. An access is permitted
 * if its distance from the start of the range is below a limit that lies in memory, so that a range may grow and shrink under code that
 * uses it. The range for an access is a guess from the address that the access went to last; where the guess is wrong, the pages'
 * permissions decide as everywhere else.
 */
import { type Addr, type ByteCount, PAGE } from '../../base/units.ts';
import { type Memory, PERMISSION } from '../../machine/memory.ts';

export interface Range {
  readonly low: Addr;
  readonly permission: number;
  /** First address behind the last page. */
  end: Addr;
  /** Address of the limits: an i64 each for accesses of 1, 2, 4 ... bytes, which the distance of the access must be below. */
  readonly limits: number;
}

/** Sizes that have a limit: powers of two up to a page. */
const SIZES = 13;
/** Bytes of the limits of a range. */
export const LIMITS_SIZE: ByteCount = SIZES * 8;

export class Ranges {
  readonly #memory: Memory;
  readonly #allocate: (bytes: ByteCount) => number;
  readonly #known: Range[] = [];

  constructor(memory: Memory, allocate: (bytes: ByteCount) => number) {
    this.#memory = memory;
    this.#allocate = allocate;
    memory.watch((from, to) => {
      for (const range of this.#known) if (from <= range.end && to > range.low) this.#measure(range, from, to);
    });
  }

  /** The range around an address in which all pages have a permission; undefined if the address itself does not have it. */
  around(address: Addr, permissionAsked: number): Range | undefined {
    const { checked: permissions } = this.#memory;
    // Pages that may be written may be read.
    const permission = permissionAsked & PERMISSION.WRITE || permissionAsked;
    const has = (page: number) => page > 0 && (permissions[page]! & permission) === permission;
    let page = Math.floor(address / PAGE);
    if (!has(page)) return undefined;
    const known = this.#known.find(
      (range) => range.permission === permission && range.low <= address && address < range.end,
    );
    if (known !== undefined) return known;
    while (has(page - 1)) page--;
    return this.#add(page * PAGE, permission, this.#allocate(LIMITS_SIZE));
  }
  #add(low: Addr, permission: number, limits: number): Range {
    const range: Range = { low, permission, end: low, limits };
    this.#measure(range, low, low + PAGE);
    this.#known.push(range);
    return range;
  }
  /** As numbers, for another run: three a range. */
  *numbers(): Generator<number> {
    for (const { low, permission, limits } of this.#known) yield* [low, permission, limits];
  }
  restore(numbers: Uint32Array): void {
    for (let i = 0; i < numbers.length; i += 3) this.#add(numbers[i]!, numbers[i + 1]!, numbers[i + 2]!);
  }
  /** Address of the limit for accesses of so many bytes, at most a page. */
  limit({ limits }: Range, bytes: ByteCount): number {
    return limits + Math.ceil(Math.log2(bytes)) * 8;
  }

  /** Finds a range's end anew. @param from, to the addresses between which permissions may have changed; elsewhere none has */
  #measure(range: Range, from: Addr, to: Addr): void {
    const { checked: permissions, view } = this.#memory;
    const has = (page: number) => (permissions[page]! & range.permission) === range.permission;
    let page = Math.floor(Math.max(range.low, Math.min(from, range.end)) / PAGE);
    while (page * PAGE < to && has(page)) page++;
    if (page * PAGE < to || range.end < to) {
      if (page * PAGE >= to) while (page < permissions.length && has(page)) page++;
      range.end = page * PAGE;
    }
    const length = range.end - range.low;
    for (let i = 0; i < SIZES; i++)
      view.setBigInt64(range.limits + i * 8, BigInt(Math.max(0, length - 2 ** i + 1)), true);
  }
}
