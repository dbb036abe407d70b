/** Whole files proved, and changed ones not: the small form of `node test/run.mjs campaign/mutations`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { AVOIDABLE_ASSUMPTIONS } from '../../src/emit/assumptions.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { Mutations, newScore, scoreText } from '../support/prove-mutations.ts';
import { ROOT } from '../support/tools.ts';

function madeOf(name: string): { original: Image; optimized: Image; strict: Image } {
  const folder = join(ROOT, 'samples', name);
  const original = readImage(join(folder, `${name}.elf`));
  const { profile } = profileRun({ image: original, input: { stdin: readFileSync(join(folder, 'input')) } });
  const form = (without: typeof AVOIDABLE_ASSUMPTIONS) =>
    parseImage(optimize(original, profileOf(profile, original), { without }).bytes, `${name}.isoform`);
  return { original, optimized: form([]), strict: form(AVOIDABLE_ASSUMPTIONS) };
}

describe.each([
  ['sort', 60],
  ['bytecode', 40],
])('%s', (name, changes) => {
  const { original, optimized, strict } = madeOf(name);

  test('all of it is proved, with assumptions and without', () => {
    for (const form of [optimized, strict]) {
      const { superblocks, file, assumptions } = prove(original, form, mapOf(original, form));
      expect(superblocks.length).toBeGreaterThan(20);
      expect(superblocks.filter(({ verdict }) => verdict !== 'proved')).toEqual([]);
      expect(file.flatMap(({ problems }) => problems)).toEqual([]);
      const named = mapOf(original, form).data.assumptions;
      expect(assumptions.filter((id) => !named.includes(id))).toEqual([]);
      if (form === strict)
        expect(assumptions.filter((id) => AVOIDABLE_ASSUMPTIONS.some((each) => each === id))).toEqual([]);
    }
  });

  test('nothing that is wrong is called proved', () => {
    const score = newScore();
    const mutations = new Mutations(name, original, optimized);
    mutations.code(changes, 1, score);
    mutations.mapEntries(changes / 2, 2, score);
    mutations.file(changes / 2, 3, score);
    expect(score.missed, scoreText(score)).toEqual([]);
    // Most changes are known to be wrong: the score says something.
    expect(score.caught, scoreText(score)).toBeGreaterThan(score.made * 0.8);
  });
});
