/** Explanations: the superblock that is explained is the one that is optimized. */
import { expect, test } from 'vitest';
import { hex } from '../../src/base/units.ts';
import { explainSuperblock } from '../../src/pipeline/explain.ts';
import { prepare } from '../../src/pipeline/prepare.ts';
import { assumable } from '../../src/pipeline/setting.ts';
import { superblockText } from '../../src/superblock/text.ts';
import { sample } from '../support/samples.ts';

test('within a small growth budget too, for which other traces are selected', () => {
  const { image, profile } = sample('base64');
  const texts = (maxGrowth?: number) => {
    const { superblocks } = prepare(image, profile, assumable(profile), { maxGrowth });
    return new Map(superblocks.map((superblock) => [superblock.head, superblockText(superblock)]));
  };
  const [small, roomy] = [texts(1), texts()];
  const others = [...small].filter(([head, text]) => roomy.get(head) !== text);
  expect(others.length).toBeGreaterThan(0);
  for (const [head, text] of others)
    expect(explainSuperblock(image, profile, { maxGrowth: 1 }, hex(head)).text()).toContain(text);
});

test('why the trace ends, in one line before the superblock', () => {
  const { image, profile } = sample('base64');
  const select = { maxInsns: 8 };
  const { superblocks } = prepare(image, profile, assumable(profile), { select });
  const reasons = superblocks.map((superblock) => {
    const { text } = explainSuperblock(image, profile, { select }, hex(superblock.head));
    const [formed, ended, ...rest] = text().split('\n');
    expect(formed).toMatch(/^# as it was formed: \d+ instructions executed in it$/);
    expect(rest.join('\n')).toBe(superblockText(superblock));
    return ended;
  });
  expect(reasons).toContain('# its trace ends because the next block would bring it above 8 instructions');
  expect(reasons).toContain('# its trace ends because the function returns to its caller');
});
