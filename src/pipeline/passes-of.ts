/** What the passes did to make a file: found out by making it again. */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { ImageProfile } from '../profile/profile.ts';
import type { PassReport } from '../report/model.ts';
import { mapOf } from '../verify/prove/prove.ts';
import type { Rejection } from './failures.ts';
import { formSuperblocks } from './optimize.ts';
import { makeCountingFuel, passReports } from './rewrites.ts';

/** Optimization is deterministic: with the same options the same bytes come out. Empty if the file was made with others. */
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
