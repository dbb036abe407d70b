/** The passes' statistics for a finished file, found by optimizing its original again. */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { ImageProfile } from '../profile/profile.ts';
import type { PassReport } from '../report/model.ts';
import { mapOf } from '../verify/prove/prove.ts';
import type { Rejection } from './failures.ts';
import { formSuperblocks } from './optimize.ts';
import { makeCountingFuel, passReports } from './rewrites.ts';

/** Optimization is deterministic: default options give the same bytes again. Empty if the bytes differ (other options or profile). */
export function passesOf(original: Image, profile: ImageProfile, optimized: Image): PassReport[] {
  const fuel = makeCountingFuel();
  const { data } = mapOf(original, optimized);
  const rejected = new Map(
    data.superblocks.flatMap(({ head, rejected: reason }): [Addr, Rejection][] =>
      reason === undefined ? [] : [[head, { form: 'identity', reason }]],
    ),
  );
  const again = formSuperblocks(original, profile, { fuel, onFailure: () => {} }).emit(rejected);
  return Buffer.compare(again.bytes, optimized.bytes) === 0 ? passReports(again.passes, fuel) : [];
}
