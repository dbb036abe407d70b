/** A small run of the campaign of test/campaign/elf-mutations.ts. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mutationRounds } from '../support/elf-mutations.ts';
import { sample } from './support.ts';

const COUNT = 200;
const SEED = 4;

test(`${COUNT} damaged executables the whole way (seed ${SEED})`, { timeout: 240_000 }, () => {
  const { elf, input } = sample('base64');
  const seen = new Set<string>();
  let slowest = 0;
  for (const { round, fate, milliseconds } of mutationRounds(
    { bytes: readFileSync(elf), stdin: readFileSync(input) },
    SEED,
    0,
    COUNT,
  )) {
    expect(fate.crash, `round ${round}`).toBeUndefined();
    seen.add(fate.reached);
    slowest = Math.max(slowest, milliseconds);
  }
  expect(seen).toContain('nothing');
  expect(seen).toContain('optimized');
  // No hang: on a busy machine a round takes a second.
  expect(slowest).toBeLessThan(60_000);
});
