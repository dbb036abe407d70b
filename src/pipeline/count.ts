/** Counts of both forms of a program on one input, for comparison. */
import { overLimit } from '../base/errors.ts';
import type { InsnCount } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { profileOf } from '../profile/store.ts';
import { type GuestInput, profileRun } from './profile-run.ts';

export interface Pair {
  readonly original: Image;
  readonly optimized: Image;
  readonly input: GuestInput;
  readonly engine?: string | undefined;
  /** Of the original. */
  readonly limitInstructions?: InsnCount | undefined;
}

/** The optimized program may take longer than the original, but not for ever: it may be broken. */
const PATIENCE = { factor: 4, extra: 2 ** 22 };

/** Throws limit if the original does not come to its end. */
export function countPair(pair: Pair): { readonly original: ImageProfile; readonly optimized: ImageProfile } {
  const { original, input, engine, limitInstructions } = pair;
  const run = profileRun({ image: original, input, engine, limitInstructions });
  if (run.exit.kind === 'limit') throw overLimit(run.exit.message, 'the program must come to its end');
  return { original: profileOf(run.profile, original), optimized: countOptimized(pair, run.instructions) };
}

/** @param before what the original took on this input */
export function countOptimized({ original, optimized, input, engine }: Pair, before: InsnCount): ImageProfile {
  const { profile } = profileRun({
    image: optimized,
    formOf: original,
    input,
    engine,
    limitInstructions: PATIENCE.factor * before + PATIENCE.extra,
  });
  return profileOf(profile, optimized);
}
