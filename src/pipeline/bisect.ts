/** Finds the first rewrite that breaks a program, by fuel (base/fuel.ts). */
import { type Fuel, makeFuel } from '../base/fuel.ts';
import type { Image } from '../elf/image.ts';
import { parseImage } from '../elf/read.ts';
import type { ImageProfile } from '../profile/profile.ts';
import type { Superblock } from '../superblock/form.ts';
import { type OptimizeOptions, optimize } from './optimize.ts';

/**
 * The smallest number for which `bad` holds, given that it does not hold for `good` and holds for `limit`. If it comes and goes in
 * between: one where it begins to hold.
 */
export function firstBad(good: number, limit: number, bad: (number: number) => boolean): number {
  let [low, high] = [good, limit];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (bad(middle)) high = middle;
    else low = middle;
  }
  return high;
}

export interface BisectRequest {
  readonly image: Image;
  readonly profile: ImageProfile;
  readonly options: Omit<OptimizeOptions, 'fuel' | 'observe'>;
  /** Is this form of the program equivalent? */
  readonly equivalent: (optimized: Image) => boolean;
  /** At most so many rewrites are looked at; default: all there are. */
  readonly limit?: number | undefined;
  /** Told before each trial; undefined: as many rewrites as there are. */
  readonly trying?: (fuel: number | undefined) => void;
  /** Told after each trial. */
  readonly tried?: (rewrites: number, equivalent: boolean) => void;
  /** Stands in for the optimizer, in tests. */
  readonly optimize?: typeof optimize;
}

export type BisectResult =
  /** Nothing is wrong with all the rewrites there are. */
  | { readonly kind: 'equivalent'; readonly rewrites: number }
  /** Something is wrong without any rewrite: it is not a pass. */
  | { readonly kind: 'without-rewrites'; readonly rewrites: number }
  | {
      readonly kind: 'found';
      /** The smallest fuel with which the program is different. */
      readonly fuel: number;
      readonly rewrites: number;
      /** The rewrite, as `pass@address`. */
      readonly rewrite: string;
      /** The superblock after that pass, without the rewrite and with it. */
      readonly before: Superblock;
      readonly after: Superblock;
    };

export function bisect(request: BisectRequest): BisectResult {
  const { image, profile, options } = request;
  const make = request.optimize ?? optimize;
  const attempt = (limit?: number): { fuel: Fuel; bad: boolean } => {
    const fuel = makeFuel(limit);
    request.trying?.(limit);
    const { bytes } = make(image, profile, { ...options, fuel });
    const equivalent = request.equivalent(parseImage(bytes, image.file));
    request.tried?.(fuel.spent, equivalent);
    return { fuel, bad: !equivalent };
  };
  const all = attempt(request.limit);
  const rewrites = all.fuel.spent;
  if (!all.bad) return { kind: 'equivalent', rewrites };
  if (rewrites === 0 || attempt(0).bad) return { kind: 'without-rewrites', rewrites };
  const found = firstBad(0, rewrites, (limit) => attempt(limit).bad);
  const { after, pass, fuel } = lastRewritten(request, make, found);
  const before = lastRewritten(request, make, found - 1, { pass, head: after.head }).after;
  return { kind: 'found', fuel: found, rewrites, rewrite: fuel.last ?? '', before, after };
}

/** What a pass made of a superblock with so much fuel: the pass and superblock of the last rewrite, or the ones named. */
function lastRewritten(
  { image, profile, options }: BisectRequest,
  make: typeof optimize,
  limit: number,
  wanted?: { readonly pass: string; readonly head: number },
): { readonly pass: string; readonly after: Superblock; readonly fuel: Fuel } {
  const fuel = makeFuel(limit);
  let found: { pass: string; after: Superblock } | undefined;
  make(image, profile, {
    ...options,
    fuel,
    observe(pass, _before, after) {
      if (found !== undefined) return;
      const here =
        wanted === undefined ? fuel.spent === limit : pass.name === wanted.pass && after.head === wanted.head;
      if (here) found = { pass: pass.name, after };
    },
  });
  const result = found!;
  return { ...result, fuel };
}
