/** The passes' statistics of a finished file. */
import { expect, test } from 'vitest';
import { parseImage } from '../../src/elf/read.ts';
import { formSuperblocks, optimize } from '../../src/pipeline/optimize.ts';
import { passesOf } from '../../src/pipeline/passes-of.ts';
import { sample } from '../support/samples.ts';

const { image, profile } = sample('queens');
const passesIn = (bytes: Uint8Array) => passesOf(image, profile, parseImage(bytes, 'form'));
const all = passesIn(optimize(image, profile).bytes)!;

test('of a file made with default options', () => {
  expect(all.length).toBeGreaterThan(2);
  expect(all.some(({ removed }) => removed > 0)).toBe(true);
});

test('of a file with superblocks in their identity form or left out, and with fewer patches', () => {
  const formed = formSuperblocks(image, profile);
  const { map } = formed.emit();
  const [one, two, three] = map.superblocks.map(({ head }) => head);
  const made = formed.emit(
    new Map([
      [one!, { form: 'identity', reason: 'not proved' }],
      [two!, { form: 'none', reason: 'not proved' }],
      [three!, { form: 'none', reason: 'not proved' }],
    ]),
    new Set([map.patches.at(-1)![0]]),
  );
  expect(passesIn(made.bytes)!.map(({ name }) => name)).toEqual(all.map(({ name }) => name));
});

test('not known of a file made with other options', () => {
  for (const options of [{ passes: 'none' }, { without: ['A1'] as const }, { maxGrowth: 3000 }])
    expect(passesIn(optimize(image, profile, options).bytes)).toBe(undefined);
});
