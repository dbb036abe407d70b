/** From the counts of an engine, at run-time addresses, to a profile, at each image's linked addresses. */
import type { Addr, InsnCount, RunAddr } from '../base/units.ts';
import type { Other } from '../machine/others.ts';
import type { LinkMap } from '../place/link-map.ts';
import type { Place } from '../place/place.ts';
import { compareDestinations, type ImageProfile, OUTSIDE, type Profile, type TransferCount } from './profile.ts';

export interface Counted {
  readonly at: Addr;
  readonly count: InsnCount;
}

/** The counts of one run, by run-time addresses. */
export interface Collected {
  readonly transfers: readonly { readonly from: RunAddr; readonly to: RunAddr; readonly count: InsnCount }[];
  readonly starts: readonly { readonly at: RunAddr; readonly count: InsnCount }[];
  readonly stops: readonly { readonly at: RunAddr; readonly count: InsnCount }[];
  /** The images in memory. */
  readonly links: LinkMap;
  readonly instructions: InsnCount;
  /** Other parties with access to the program's memory; default: none. */
  readonly others?: readonly Other[];
}

/**
 * One run's profile. Transfers within code outside all images are left out (code that the guest wrote itself, be it into its own data);
 * control that comes from there is a start, control that goes there is a transfer to OUTSIDE.
 */
export function collect(run: Collected): Profile {
  const counts = new Map(
    run.links.places.map((place) => [
      place,
      { starts: [] as Counted[], stops: [] as Counted[], transfers: [] as TransferCount[] },
    ]),
  );
  const start = (place: Place | undefined, at: RunAddr, count: InsnCount) => {
    if (place !== undefined) counts.get(place)!.starts.push({ at: place.toLinked(at), count });
  };
  for (const { at, count } of run.starts) start(run.links.codeAt(at), at, count);
  for (const { at, count } of run.stops) {
    const place = run.links.codeAt(at);
    if (place !== undefined) counts.get(place)!.stops.push({ at: place.toLinked(at), count });
  }
  for (const { from, to, count } of run.transfers) {
    const source = run.links.codeAt(from);
    const target = run.links.codeAt(to);
    if (target !== source) start(target, to, count);
    if (source === undefined) continue;
    const destination = target === source ? source.toLinked(to) : OUTSIDE;
    counts.get(source)!.transfers.push({ from: source.toLinked(from), to: destination, count });
  }
  const images = [...counts].map(
    ([{ image }, { starts, stops, transfers }]): ImageProfile => ({
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
  for (const next of [...transfers].sort((a, b) => a.from - b.from || compareDestinations(a.to, b.to))) {
    const last = sums.at(-1);
    if (last !== undefined && last.from === next.from && last.to === next.to)
      sums[sums.length - 1] = { from: last.from, to: last.to, count: last.count + next.count };
    else sums.push({ from: next.from, to: next.to, count: next.count });
  }
  return sums.filter(({ count }) => count !== 0);
}
