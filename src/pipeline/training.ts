/** Is a run among the runs that a profile sums up? */
import type { ImageProfile, Profile } from '../profile/profile.ts';

/**
 * The answer is certain for a profile of one run. A sum of several runs covers each of them, but may seem to cover other runs too.
 * @param trained the whole profile that `of` is from
 */
export function covers(trained: Profile, of: ImageProfile, run: ImageProfile): boolean {
  const exact = trained.runs === 1;
  const counts = new Map(of.transfers.map(({ from, to, count }) => [`${from},${to}`, count]));
  if (exact && counts.size !== run.transfers.length) return false;
  return run.transfers.every(({ from, to, count }) => {
    const there = counts.get(`${from},${to}`) ?? 0;
    return exact ? there === count : there >= count;
  });
}
