/** The growth budget. */
import { describe, expect, test } from 'vitest';
import { parseImage } from '../../src/elf/read.ts';
import { defaultGrowth, expectedGrowth, selectWithin } from '../../src/pipeline/budget.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { DEFAULT_SELECT, type Selection, selectTraces } from '../../src/superblock/select.ts';
import { weightOf } from '../../src/superblock/weight.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { rerun } from '../../src/verify/rerun.ts';
import { sample, sampleSuperblocks } from '../support/samples.ts';

test('96 KB or 8 %, whichever is more', () => {
  expect([0, 1_000_000, 1_228_800, 2_000_000].map(defaultGrowth)).toEqual([98_304, 98_304, 98_304, 160_000]);
});

describe('copies', () => {
  const { flow } = sampleSuperblocks('bytecode');
  const select = (copyShare: number) => selectTraces(flow, { ...DEFAULT_SELECT, copyShare });
  const growth = ({ traces }: Selection) => expectedGrowth(traces);
  const all = selectWithin(2 ** 20, select);
  test('as many as there is room for', () => {
    expect(growth(all)).toBeGreaterThan(growth(select(1)));
    expect(growth(selectWithin(Math.ceil(growth(all)), select))).toBe(growth(all));
  });
  test('fewer where there is none', () => {
    let least = 1;
    selectWithin(1000, (copyShare) => {
      least = copyShare;
      return all;
    });
    let most = 0;
    selectWithin(2 ** 20, (copyShare) => {
      most = copyShare;
      return all;
    });
    expect(least).toBeGreaterThan(most);
  });
});

describe('bytecode', () => {
  const { image, profile, input } = sample('bytecode');
  const free = optimize(image, profile);
  const weight = (made: typeof free) => made.superblocks.reduce((sum, superblock) => sum + weightOf(superblock), 0);

  test('everything fits by default', () => expect(free.dropped).toEqual([]));

  test.each([0.9, 0.75])('with %d of the bytes: what runs most stays, and all is as it should be', (share) => {
    const maxGrowth = Math.floor(free.bytesAdded * share);
    const made = optimize(image, profile, { maxGrowth });
    expect(made.bytesAdded).toBeLessThanOrEqual(maxGrowth);
    expect(made.superblocks.length + made.dropped.length).toBe(free.superblocks.length);
    expect(weight(made)).toBeGreaterThan(0.95 * weight(free));
    const form = parseImage(made.bytes, 'form');
    expect(rerun({ original: image, optimized: form, input }).differences).toEqual([]);
    const { superblocks, file } = prove(image, form, mapOf(image, form));
    expect(superblocks.filter(({ verdict }) => verdict !== 'proved')).toEqual([]);
    expect(file.flatMap(({ problems }) => problems)).toEqual([]);
  });

  test('with no bytes at all nothing is left, and the file still runs', () => {
    const made = optimize(image, profile, { maxGrowth: 1 });
    expect(made.superblocks).toEqual([]);
    const form = parseImage(made.bytes, 'form');
    expect(rerun({ original: image, optimized: form, input }).differences).toEqual([]);
  });
});
