/** Strict mode, and determinism. */
import { describe, expect, test } from 'vitest';
import { parseImage } from '../../src/elf/read.ts';
import { AVOIDABLE_ASSUMPTIONS } from '../../src/emit/assumptions.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { rerun } from '../../src/verify/rerun.ts';
import { SAMPLES, sample } from '../support/samples.ts';

const ALL = Array.from({ length: 63 }, (_, i) => i + 1);

describe('without any assumption that can be avoided', () => {
  test.each(['base64', 'words'])('%s: equivalent in every register at every syscall', (name) => {
    const { image, profile, input } = sample(name);
    const made = optimize(image, profile, { without: AVOIDABLE_ASSUMPTIONS, narrow: true });
    expect(made.map.assumptions.filter((id) => (AVOIDABLE_ASSUMPTIONS as readonly string[]).includes(id))).toEqual([]);
    expect(made.superblocks.length).toBeGreaterThan(10);
    // One instruction of four bytes each, and that nothing enters their second halves is assumed, as far as it cannot be seen.
    expect(made.map.assumptions).toContain('A2');
    for (const [, size] of made.map.patches) expect(size).toBe(4);
    const form = parseImage(made.bytes, 'form');
    // Return addresses in optimized code stand for the original ones; all else must be equal.
    const result = rerun({ original: image, optimized: form, input, liveAt: () => ALL });
    expect(result.differences).toEqual([]);
  });
});

test.each(SAMPLES.slice(0, 4))('%s: the same in, the same out, byte for byte', (name) => {
  const { image, profile } = sample(name);
  const one = optimize(image, profile).bytes;
  expect(Buffer.compare(one, optimize(image, structuredClone(profile)).bytes)).toBe(0);
});
