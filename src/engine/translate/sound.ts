/**
 * Checks kept code of an earlier run before it is restored. A file may have been written by anybody, with a checksum that fits. Places must
 * lie where the host area was taken, none over another, and numbers must name things that exist. Compiled code is trusted.
 */

import { PAGE } from '../../base/units.ts';
import { type Memory, PERMISSION } from '../../machine/memory.ts';
import { RECORD, Records, recordBytes } from '../records.ts';
import type { Kept, KeptRegion } from './kept.ts';
import { LIMITS_SIZE } from './ranges.ts';
import { MOST_BLOCKS } from './region.ts';
import { CELL } from './support.ts';

/** Alignment of all places, in bytes. */
const ALIGNMENT = 8;
const ANY_PERMISSION = PERMISSION.READ | PERMISSION.WRITE | PERMISSION.EXECUTE;

/** The part of the host area that was taken, with a mark for each place in it. */
class Area {
  readonly #from: number;
  readonly #taken: Uint8Array;
  constructor(from: number, to: number) {
    this.#from = from;
    this.#taken = new Uint8Array(Math.ceil((to - from) / ALIGNMENT));
  }
  /** @returns false if the place does not lie in the part, or lies over another */
  take(at: number, bytes: number): boolean {
    const [first, end] = [(at - this.#from) / ALIGNMENT, Math.ceil((at - this.#from + bytes) / ALIGNMENT)];
    if (first < 0 || !Number.isInteger(first) || end > this.#taken.length) return false;
    const part = this.#taken.subarray(first, end);
    if (part.includes(1)) return false;
    part.fill(1);
    return true;
  }
}

function* tuples(numbers: Uint32Array, size: number, from = 0): Generator<Uint32Array> {
  for (let i = from; i < numbers.length; i += size) yield numbers.subarray(i, i + size);
}

const areDistinct = (numbers: Uint32Array): boolean => new Set(numbers).size === numbers.length;

/** @param memory the memory to restore places in, whose host area is free from `kept.from` */
export function isSound(kept: Kept, memory: Memory): boolean {
  const { records, ranges, returns, slots, targets, renewals, modules } = kept;
  const area = new Area(kept.from, kept.to);
  // Records are allocated from the end of the host area.
  const { length } = memory.bytes;
  const end = new Area(Math.min(Records.lowest(records), length), length);
  const stubs = records[0] ?? 0;
  const isPage = (at: number) => at % PAGE === 0 && at <= memory.size;
  const cells = new Set([...tuples(returns, 3)].map(([, , cell]) => cell!));
  return (
    (records.length === 0 || (records.length - 1 - stubs * 2) % 3 === 0) &&
    records.length >= Math.sign(records.length) + stubs * 2 &&
    [...tuples(records.subarray(0, 1 + stubs * 2), 2, 1)].every(([at]) => end.take(at!, RECORD.SIZE)) &&
    [...tuples(records, 3, 1 + stubs * 2)].every(
      ([first, behind, at]) =>
        first! < behind! && isPage(first!) && isPage(behind!) && end.take(at!, recordBytes(first!, behind!)),
    ) &&
    ranges.length % 3 === 0 &&
    [...tuples(ranges, 3)].every(
      // A range without permissions would be all of memory.
      ([low, permission, at]) => isPage(low!) && (permission! & ANY_PERMISSION) !== 0 && area.take(at!, LIMITS_SIZE),
    ) &&
    returns.length % 3 === 0 &&
    [...tuples(returns, 3)].every(([, , cell]) => area.take(cell!, CELL.SIZE)) &&
    areDistinct(slots) &&
    targets.length % 2 === 0 &&
    renewals.length % 2 === 0 &&
    modules.every(
      ({ tables, regions }) =>
        tables.every(({ at, halves }) => area.take(at, halves.length * 2)) &&
        areDistinct(Uint32Array.from(regions, ({ head }) => head)) &&
        regions.every((region) => isRegion(region, memory) && areCounts(region, area, cells)),
    )
  );
}

function isRegion({ head, pcs, code, accessed, ways, switches }: KeptRegion, memory: Memory): boolean {
  const held = new Set(pcs);
  return (
    code.length === pcs.length &&
    accessed.length === pcs.length &&
    pcs.every((pc) => pc % 2 === 0 && pc < memory.size - 2) &&
    [head, ...ways, ...switches].every((pc) => held.has(pc))
  );
}

/** Are the counts such as EdgeCounts.of reads? Counters must lie where counters can be, and the edges without counters must be a forest. */
function areCounts({ pcs, counts }: KeptRegion, area: Area, returnCells: ReadonlySet<number>): boolean {
  const [outside = 0, left = 0, edges = 0] = counts;
  if (counts.length !== 3 + 2 * left + 6 * edges || outside > MOST_BLOCKS) return false;
  const held = new Set(pcs);
  const parent = Int32Array.from({ length: outside + 1 }, (_, node) => node);
  const root = (node: number): number => {
    let at = node;
    while (parent[at] !== at) at = parent[at]!;
    return at;
  };
  for (const [block, cell] of tuples(counts.subarray(0, 3 + 2 * left), 2, 3))
    if (block! >= outside || !area.take(cell!, 8)) return false;
  for (const [from, to, cell, returnCell, site] of tuples(counts, 6, 3 + 2 * left)) {
    if (from! > outside || to! > outside || (site !== 0 && !held.has(site!))) return false;
    if (returnCell !== 0 && !returnCells.has(returnCell!)) return false;
    if (cell !== 0) {
      if (!area.take(cell!, 8)) return false;
      continue;
    }
    const [a, b] = [root(from!), root(to!)];
    if (a === b) return false;
    parent[a] = b;
  }
  return true;
}
