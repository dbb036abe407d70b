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
  /** Limit of the original's run. */
  readonly limitInstructions?: InsnCount | undefined;
}

/** The optimized program may take more instructions than the original, but only so many: a broken one might run for ever. */
const PATIENCE = { factor: 4, extra: 2 ** 22 };

/** @throws limit if the original does not come to its end */
export function countPair(pair: Pair): { readonly original: ImageProfile; readonly optimized: ImageProfile } {
  const { original, input, engine, limitInstructions } = pair;
  const run = profileRun({ image: original, input, engine, limitInstructions });
  if (run.exit.kind === 'limit') throw overLimit(run.exit.message, 'the program must come to its end');
  return { original: profileOf(run.profile, original), optimized: countOptimized(pair, run.instructions) };
}

/** @param before instructions of the original on this input */
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
