/** Hot functions before and after: where the instructions were executed and where they were saved. */
import { type Addr, hex, type InsnCount } from '../base/units.ts';
import { type Counts, firstIndex } from './counts.ts';
import type { FunctionReport } from './model.ts';
import type { Names, Place } from './names.ts';
import type { SuperblockSummary } from './superblocks.ts';

/**
 * Instructions executed in each function. An optimized instruction counts for the function of its original instruction (a new
 * instruction: of the nearest original before it), so that inlining along a trace moves no counts between functions.
 *
 * @param limit how many functions are reported, by falling count in the original
 */
export function reportFunctions(
  summaries: readonly SuperblockSummary[],
  original: Counts,
  optimized: Counts,
  names: Names,
  limit: number,
): FunctionReport[] {
  const sums = new Map<Addr, { place: Place; before: InsnCount; after: InsnCount }>();
  const sumOf = (place: Place) => {
    let sum = sums.get(place.start);
    if (sum === undefined) sums.set(place.start, (sum = { place, before: 0, after: 0 }));
    return sum;
  };
  for (const { address, count } of original.executed) sumOf(names.at(address)).before += count;

  const origin = originFinder(summaries);
  const added: Place = { name: '(jumps added between old and new code)', start: original.image.end };
  for (const { address, count } of optimized.executed) {
    const from = origin(address);
    const place = from !== undefined ? names.at(from) : address >= added.start ? added : names.at(address);
    sumOf(place).after += count;
  }
  return [...sums.values()]
    .sort((a, b) => b.before - a.before || b.after - a.after || a.place.start - b.place.start)
    .filter(({ before, after }) => before + after > 0)
    .slice(0, limit)
    .map(({ place, before, after }) => ({ name: place.name, address: hex(place.start), before, after }));
}

/** Finds the original address of an optimized instruction; undefined outside of superblocks. */
function originFinder(summaries: readonly SuperblockSummary[]): (address: Addr) => Addr | undefined {
  const ranges = summaries
    .flatMap((summary) => summary.ranges.map(({ start, end }) => ({ start, end, summary })))
    .sort((a, b) => a.start - b.start);
  return (address) => {
    const range = ranges[firstIndex(ranges, ({ end }) => end > address)];
    if (range === undefined || range.start > address) return undefined;
    // Instructions are 2 or 4 bytes: step back to the nearest one that has an original.
    for (let at = address; at >= range.start; at -= 2) {
      const found = range.summary.addresses.get(at);
      if (found !== undefined) return found;
    }
    return range.summary.head;
  };
}
