/** Patches that no evidence holds back: the proof sees for itself that something enters their middle. */
import { describe, expect, test, vi } from 'vitest';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { enteredProgram, WAYS } from '../support/entered.ts';
import { needs } from '../support/tools.ts';

vi.mock('../../src/emit/evidence.ts', async (load) => ({
  ...(await load<object>()),
  gatherEvidence: () => ({ into: () => undefined }),
}));

describe.runIf(needs('forged patches', 'gcc'))('a patch whose middle is entered is not proved', () => {
  test.each(Object.entries(WAYS))('%s', (_, way) => {
    const original = readImage(enteredProgram(way));
    const { profile } = profileRun({ image: original, input: {} });
    const made = optimize(original, profileOf(profile, original));
    const hot = original.symbols.find(({ name }) => name === 'hot')!.address;
    expect(made.map.patches.map(([address]) => address)).toContain(hot);
    const optimized = parseImage(made.bytes, 'forged');
    const { file } = prove(original, optimized, mapOf(original, optimized));
    expect(file.flatMap(({ places }) => places)).toContain(hot);
  });
});
