/** Some random C programs through the whole way; test/campaign/csmith.ts runs as many as wanted. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { check, formsFor } from '../campaign/csmith/check.ts';
import { build, canGenerate, FLAG_SETS, generate } from '../campaign/csmith/programs.ts';
import { leaveOut, needs } from '../support/tools.ts';

const PROGRAMS = [
  { seed: 3, level: 'O0', set: 'plain' },
  { seed: 1, level: 'O1', set: 'static-pie' },
  { seed: 5, level: 'O2', set: 'no-c' },
  { seed: 4, level: 'O2', set: 'far' },
  { seed: 9, level: 'O3', set: 'plain' },
  { seed: 7, level: 'Os', set: 'save-restore' },
];

const suite = 'random C programs';
const ready = needs(suite, 'csmith', 'gcc', 'qemu');
if (ready && !canGenerate()) leaveOut(suite, 'needs the headers of libcsmith-dev, not installed');

describe.runIf(ready && canGenerate())(suite, () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'isoform-csmith-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(PROGRAMS)('seed $seed, -$level, $set', ({ seed, level, set }) => {
    // What a seed gives depends on csmith's version: too long a program, or one that does next to nothing, is passed over.
    for (let next = seed; next < seed + 1000; next += 100) {
      const source = generate(next);
      if (source === undefined) continue;
      const file = join(folder, `${next}`);
      build(source, level, FLAG_SETS[set]!, file);
      const args = seed % 2 === 0 ? ['1'] : [];
      const { found, skipped, instructions, ratio } = check(file, {
        args,
        forms: formsFor(seed),
        limit: 500_000,
        seed,
        folder,
      });
      expect(found).toEqual([]);
      if (skipped !== undefined || instructions < 5000) continue;
      // Something was done to it.
      expect(ratio).not.toBe(1);
      return;
    }
    expect.fail('no program of use');
  });
});
