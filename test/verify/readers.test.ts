/** A small run of test/campaign/readers.ts: files of our own that somebody has damaged. */
import { expect, test } from 'vitest';
import { makeRandom } from '../support/random.ts';
import { makeReaders } from '../support/reader-mutations.ts';

const readers = makeReaders();
const ROUNDS = { map: 12, case: 150, profile: 30, cache: 15 };

test.each(Object.entries(ROUNDS))('%s, %i damaged forms', (name, rounds) => {
  const taken = new Set<string>();
  for (let round = 0; round < rounds; round++) taken.add(readers[name]!(makeRandom(7_000_021 + round)));
  expect([...taken].sort()).toEqual(['read', 'refused']);
});

test('a map whose superblocks lie over what is no code is not reported on', () => {
  expect(readers.map!(makeRandom(9 * 1_000_003 + 238))).toBe('refused');
});
