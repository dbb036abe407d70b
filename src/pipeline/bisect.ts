/** Finds the first rewrite that breaks a program, by fuel (base/fuel.ts). */
import { internal } from '../base/errors.ts';
import { type Fuel, makeFuel } from '../base/fuel.ts';
import type { Image } from '../elf/image.ts';
import { parseImage } from '../elf/read.ts';
import type { ImageProfile } from '../profile/profile.ts';
import type { Superblock } from '../superblock/form.ts';
import { optimize } from './optimize.ts';
import type { OptimizeOptions } from './setting.ts';

/**
 * The smallest number for which `bad` holds, given that `bad` does not hold for `good` and holds for `limit`. If `bad` comes and goes
 * in between, the result is a number at which `bad` begins to hold.
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
  /** At most so many rewrites are made; default: all. */
  readonly limit?: number | undefined;
  /** Called before each trial with its fuel; undefined means all rewrites. */
  readonly trying?: (fuel: number | undefined) => void;
  /** Called after each trial. */
  readonly tried?: (rewrites: number, equivalent: boolean) => void;
  /** Replaces the optimizer in tests. */
  readonly optimize?: typeof optimize;
}

export type BisectResult =
  /** The program is equivalent with all rewrites. */
  | { readonly kind: 'equivalent'; readonly rewrites: number }
  /** The program is different without any rewrite: no pass is at fault. */
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
  const broken = observedAt(request, make, found, ({ spent }) => spent === found);
  const without = observedAt(request, make, found - 1, (_, index) => index === broken.index);
  return {
    kind: 'found',
    fuel: found,
    rewrites,
    rewrite: broken.rewrite,
    before: without.after,
    after: broken.after,
  };
}

interface Observed {
  /** Number of passes over superblocks before this one: runs are the same up to the first rewrite that one of them lacks. */
  readonly index: number;
  readonly after: Superblock;
  /** The last rewrite, as `pass@address`. */
  readonly rewrite: string;
}

/** A superblock after the first pass that meets a condition, with the given fuel. */
function observedAt(
  { image, profile, options }: BisectRequest,
  make: typeof optimize,
  limit: number,
  wanted: (fuel: Fuel, index: number) => boolean,
): Observed {
  const fuel = makeFuel(limit);
  let index = 0;
  let found: Observed | undefined;
  make(image, profile, {
    ...options,
    fuel,
    observe(_pass, _before, after) {
      if (found === undefined && wanted(fuel, index)) found = { index, after, rewrite: fuel.last ?? '' };
      index++;
    },
  });
  if (found === undefined) throw internal('the rewrite was not seen again');
  return found;
}
