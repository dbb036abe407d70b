/** What the passes did to make a file: found out by making it again. */
import type { Image } from '../elf/image.ts';
import type { ImageProfile } from '../profile/profile.ts';
import type { PassReport } from '../report/model.ts';
import { optimize } from './optimize.ts';
import { makeCountingFuel, passReports } from './rewrites.ts';

/** Optimization is deterministic: with the same options the same bytes come out. Empty if the file was made with others. */
export function passesOf(original: Image, profile: ImageProfile, optimized: Image): PassReport[] {
  const fuel = makeCountingFuel();
  const again = optimize(original, profile, { fuel });
  return Buffer.compare(again.bytes, optimized.bytes) === 0 ? passReports(again.passes, fuel) : [];
}
