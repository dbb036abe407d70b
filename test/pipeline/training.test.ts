import { expect, test } from 'vitest';
import { covers } from '../../src/pipeline/training.ts';
import type { ImageProfile, Profile } from '../../src/profile/profile.ts';

const image = (counts: readonly number[]): ImageProfile => ({
  hash: 'a',
  name: 'a',
  starts: [],
  stops: [],
  others: [],
  transfers: counts.map((count, index) => ({ from: index * 4, to: 64, count })),
});
const profile = (runs: number, of: ImageProfile): Profile => ({ runs, instructions: 1, images: [of] });

test('a profile of one run is that run and no other', () => {
  const of = image([3, 5]);
  expect(covers(profile(1, of), of, image([3, 5]))).toBe(true);
  expect(covers(profile(1, of), of, image([3, 4]))).toBe(false);
  expect(covers(profile(1, of), of, image([3]))).toBe(false);
  expect(covers(profile(1, of), of, image([3, 5, 1]))).toBe(false);
});

test('a sum holds its parts', () => {
  const of = image([3, 5]);
  expect(covers(profile(2, of), of, image([1, 5]))).toBe(true);
  expect(covers(profile(2, of), of, image([3]))).toBe(true);
  expect(covers(profile(2, of), of, image([4, 5]))).toBe(false);
  expect(covers(profile(2, of), of, image([0, 0, 1]))).toBe(false);
});
