/** Patches that are wrong: the file is made without them. */
import { expect, test, vi } from 'vitest';
import type { Patches } from '../../src/emit/patch.ts';
import { encodeBytes } from '../../src/isa/encode.ts';
import { jumpInsn } from '../../src/isa/idioms.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { optimizeProved } from '../../src/pipeline/proved.ts';
import { rerun } from '../../src/verify/rerun.ts';
import { sample } from '../support/samples.ts';

const planted = vi.hoisted(() => ({ wrong: false, at: 0 }));

/** The second patch leads back to its own place. */
vi.mock('../../src/emit/patch.ts', async (original) => {
  const real = await original<typeof import('../../src/emit/patch.ts')>();
  return {
    makePatches(...args: Parameters<typeof real.makePatches>): Patches {
      const made = real.makePatches(...args);
      if (!planted.wrong) return made;
      planted.at ||= made.patches[1]!.address;
      const patches = made.patches.map((patch) =>
        patch.address === planted.at ? { ...patch, bytes: encodeBytes(jumpInsn(0), false) } : patch,
      );
      return { ...made, patches };
    },
  };
});

test('a patch that is not proved is not made', () => {
  const { image, profile, input } = sample('base64');
  const right = optimize(image, profile);
  planted.wrong = true;
  const made = optimizeProved(image, profile);
  const patches = right.map.patches.map(([address]) => address);
  expect(patches).toContain(planted.at);
  expect(made.map.patches.map(([address]) => address)).toEqual(patches.filter((address) => address !== planted.at));
  expect(made.rejected).toEqual([]);
  expect(made.proof.file.flatMap(({ problems }) => problems)).toEqual([]);
  expect(rerun({ original: image, optimized: made.image, input }).differences).toEqual([]);
});
