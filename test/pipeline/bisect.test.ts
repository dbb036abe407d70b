import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { IDENTITY_PASSES } from '../../passes/index.ts';
import type { Fuel } from '../../src/base/fuel.ts';
import { readImage } from '../../src/elf/read.ts';
import { bisect, firstBad } from '../../src/pipeline/bisect.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import type { Pass } from '../../src/superblock/pass.ts';
import { superblockText } from '../../src/superblock/text.ts';
import { ROOT } from '../support/tools.ts';

test('firstBad: the smallest of all, in few steps', () => {
  for (let limit = 1; limit < 40; limit++)
    for (let first = 1; first <= limit; first++) {
      let steps = 0;
      const found = firstBad(0, limit, (number) => {
        steps++;
        return number >= first;
      });
      expect(found).toBe(first);
      expect(steps).toBeLessThanOrEqual(Math.ceil(Math.log2(limit)));
    }
});

describe('bisect', () => {
  const folder = join(ROOT, 'samples/queens');
  const image = readImage(join(folder, 'queens.elf'));
  const input = { stdin: readFileSync(join(folder, 'input')), grants: [] };
  const run = profileRun({ image, input, limitInstructions: 200_000 });
  const profile = profileOf(run.profile, image);
  /** A byte of the ELF header that has no meaning stands for a wrong rewrite: set from the `wrong`th on. */
  const MARK = 15;
  const faulty =
    (wrong: number): typeof optimize =>
    (...args) => {
      const result = optimize(...args);
      const bytes = Uint8Array.from(result.bytes);
      bytes[MARK] = args[2]!.fuel!.spent >= wrong ? 1 : 0;
      return { ...result, bytes };
    };
  const search = (wrong: number, limit?: number, passes?: readonly Pass[]) =>
    bisect({
      image,
      profile,
      options: { passes },
      limit,
      equivalent: ({ bytes }) => bytes[MARK] === 0,
      optimize: faulty(wrong),
    });
  /** What the optimizer itself says the nth rewrite is. */
  const nth = (number: number, passes?: readonly Pass[]): string => {
    const names: string[] = [];
    const fuel: Fuel = {
      spend(pass, address) {
        names.push(`${pass}@0x${address.toString(16)}`);
        return true;
      },
      spent: 0,
      last: undefined,
    };
    optimize(image, profile, { fuel, passes });
    return names[number - 1]!;
  };

  test('names the rewrite, and shows the superblock without it and with it', () => {
    for (const wrong of [1, 7, 20]) {
      const found = search(wrong);
      if (found.kind !== 'found') throw new Error(found.kind);
      expect([found.fuel, found.rewrite]).toEqual([wrong, nth(wrong)]);
      expect(found.before.head).toBe(found.after.head);
      expect(found.rewrite).toContain(`@0x${found.after.head.toString(16)}`);
      expect(superblockText(found.before)).not.toBe(superblockText(found.after));
    }
  });

  test('names a rewrite of an identity form too', () => {
    /** Makes every superblock dearer than the original, so that each ships in its identity form. */
    const dear: Pass = {
      name: 'dear',
      description: 'adds to the count',
      run: (superblock) => ({ ...superblock, count: superblock.count + 1 }),
    };
    const passes = [...IDENTITY_PASSES, dear];
    for (const wrong of [1, 2, 5]) {
      const found = search(wrong, undefined, passes);
      if (found.kind !== 'found') throw new Error(found.kind);
      expect([found.fuel, found.rewrite]).toEqual([wrong, nth(wrong, passes)]);
      expect(found.before.head).toBe(found.after.head);
      expect(found.rewrite).toContain(`@0x${found.after.head.toString(16)}`);
      expect(superblockText(found.before)).not.toBe(superblockText(found.after));
    }
  });

  test('nothing to find, and nothing that a rewrite has done', () => {
    expect(search(Number.POSITIVE_INFINITY)).toMatchObject({ kind: 'equivalent', rewrites: expect.any(Number) });
    expect(search(0).kind).toBe('without-rewrites');
    expect(search(10, 9)).toEqual({ kind: 'equivalent', rewrites: 9 });
  });
});
