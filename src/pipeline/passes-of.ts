/** The passes' statistics for a finished file, found by optimizing its original again. */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { ImageProfile } from '../profile/profile.ts';
import type { PassReport } from '../report/model.ts';
import { mapOf } from '../verify/prove/prove.ts';
import { emitWithout, type Failure, type Rejection } from './failures.ts';
import { formSuperblocks } from './optimize.ts';
import { makeCountingFuel, passReports } from './rewrites.ts';

/**
 * Optimization is deterministic: default options give the same bytes again, without the superblocks and patches that the file lacks because
 * they were not proved. Undefined if the bytes differ (other options or profile).
 */
export function passesOf(original: Image, profile: ImageProfile, optimized: Image): PassReport[] | undefined {
  const fuel = makeCountingFuel();
  const { data } = mapOf(original, optimized);
  const heads = new Set(data.superblocks.map(({ head }) => head));
  const patched = new Set(data.patches.map(([address]) => address));
  const rejected = new Map<Addr, Rejection>();
  const untouched = new Set<Addr>();
  const onFailure = ({ head, form, reason }: Failure): void => {
    rejected.set(head, { form, reason });
  };
  const formed = formSuperblocks(original, profile, { fuel, onFailure });
  for (const { head, rejected: reason } of data.superblocks)
    if (reason !== undefined) rejected.set(head, { form: 'identity', reason });
  // Each round leaves out something more, so the loop ends.
  for (;;) {
    const { bytes, map, passes } = emitWithout(formed, formed.heads, rejected, untouched, onFailure);
    if (Buffer.compare(bytes, optimized.bytes) === 0) return passReports(passes, fuel);
    const before = rejected.size + untouched.size;
    for (const { head } of map.superblocks) if (!heads.has(head)) rejected.set(head, { form: 'none', reason: '' });
    for (const [address] of map.patches) if (!patched.has(address)) untouched.add(address);
    if (rejected.size + untouched.size === before) return undefined;
  }
}
