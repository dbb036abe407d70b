/** From the counts of an engine (run-time addresses) to a profile (addresses within each image). */
import type { Addr, InsnCount } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { Other } from '../machine/others.ts';
import { type ImageProfile, OUTSIDE, type Profile, type TransferCount } from './profile.ts';

export interface Counted {
  readonly at: Addr;
  readonly count: InsnCount;
}

/** The counts of one run. All addresses are run-time addresses. */
export interface Collected {
  readonly transfers: readonly TransferCount[];
  readonly starts: readonly Counted[];
  readonly stops: readonly Counted[];
  /** The images in memory and the bias that loading added to their addresses. They do not overlap. */
  readonly images: readonly { readonly image: Image; readonly bias: number }[];
  readonly instructions: InsnCount;
  /** Other parties with access to the program's memory; default: none. */
  readonly others?: readonly Other[];
}

/**
 * One run's profile. Transfers within code outside all images are left out (code that the guest wrote itself, be it into its own data);
 * control that comes from there is a start, control that goes there is a transfer to OUTSIDE.
 */
export function collect(run: Collected): Profile {
  const places = run.images.map(({ image, bias }) => ({
    image,
    bias,
    code: image.segments
      .filter(({ flags }) => flags.execute)
      .map(({ address, size }) => ({ low: address + bias, high: address + size + bias })),
    starts: [] as Counted[],
    stops: [] as Counted[],
    transfers: [] as TransferCount[],
  }));
  const placeOf = (at: Addr) => places.find(({ code }) => code.some(({ low, high }) => at >= low && at < high));
  for (const { at, count } of run.starts) {
    const place = placeOf(at);
    place?.starts.push({ at: at - place.bias, count });
  }
  for (const { at, count } of run.stops) {
    const place = placeOf(at);
    place?.stops.push({ at: at - place.bias, count });
  }
  for (const { from, to, count } of run.transfers) {
    const source = placeOf(from);
    const target = placeOf(to);
    if (target !== undefined && target !== source) target.starts.push({ at: to - target.bias, count });
    source?.transfers.push({
      from: from - source.bias,
      to: target === source ? to - source.bias : OUTSIDE,
      count,
    });
  }
  const images = places.map(
    ({ image, starts, stops, transfers }): ImageProfile => ({
      hash: image.hash,
      name: image.file.slice(image.file.lastIndexOf('/') + 1),
      starts: sumCounted(starts),
      stops: sumCounted(stops),
      transfers: sumTransfers(transfers),
      others: run.others ?? [],
    }),
  );
  return { runs: 1, instructions: run.instructions, images: images.sort((a, b) => (a.hash < b.hash ? -1 : 1)) };
}

/** Sorted by address, one entry each, zeros dropped. */
export function sumCounted(counted: readonly Counted[]): Counted[] {
  const sums = new Map<Addr, InsnCount>();
  for (const { at, count } of counted) sums.set(at, (sums.get(at) ?? 0) + count);
  return [...sums]
    .map(([at, count]) => ({ at, count }))
    .filter(({ count }) => count !== 0)
    .sort((a, b) => a.at - b.at);
}

/** Sorted by from, then to, one entry each, zeros dropped. */
export function sumTransfers(transfers: readonly TransferCount[]): TransferCount[] {
  const sums: TransferCount[] = [];
  for (const next of [...transfers].sort((a, b) => a.from - b.from || a.to - b.to)) {
    const last = sums.at(-1);
    if (last !== undefined && last.from === next.from && last.to === next.to)
      sums[sums.length - 1] = { from: last.from, to: last.to, count: last.count + next.count };
    else sums.push({ from: next.from, to: next.to, count: next.count });
  }
  return sums.filter(({ count }) => count !== 0);
}
