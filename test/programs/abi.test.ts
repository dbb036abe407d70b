/** Some programs of corners of the ABI through the whole way; test/campaign/abi.ts runs as many as wanted. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build, buildName, buildsFor } from '../campaign/abi/builds.ts';
import { generate, PIECES } from '../campaign/abi/generate.ts';
import { check } from '../campaign/optimized/check.ts';
import { needs } from '../support/tools.ts';

/** Seeds, which of their builds, and of which piece alone. All gave something else once. */
const PROGRAMS: readonly (readonly [number, number, string?])[] = [
  [1, 3],
  [2, 2],
  [4, 3],
  [5, 0],
  [7, 3],
  [9, 2],
  [10, 3],
  [11, 1],
  [6, 0, 'streams'],
  [10193, 0],
];

test('each piece is made the same every time, and by some seed', () => {
  const made = new Set<string>();
  for (let seed = 1; seed <= 400; seed++) {
    const program = generate(seed);
    expect(generate(seed).text).toBe(program.text);
    for (const name of program.pieces) made.add(name);
  }
  expect([...made].sort()).toEqual(PIECES.map(({ name }) => name).sort());
});

describe.runIf(needs('programs of corners of the ABI', 'gcc', 'clang', 'qemu'))('corners of the ABI', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'isoform-abi-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const programs = PROGRAMS.map(([seed, index, piece]) => {
    const how = buildsFor(seed)[index]!;
    return { seed, name: buildName(how), how, only: piece === undefined ? undefined : [piece] };
  });
  test.each(programs)('seed $seed, $name', ({ seed, how, only }) => {
    const program = generate(seed, only);
    const file = join(folder, 'program');
    build(program, how, file);
    const { runs } = program;
    const checked = check({ file, runs, forms: ['default'], limit: 20_000_000, folder });
    expect(checked.found).toEqual([]);
    // It ran to its end, and something was done to it.
    expect(checked.skipped).toBeUndefined();
    for (const outcome of checked.expected) expect(outcome).toMatch(/\[status \d+\]$/);
    expect(checked.superblocks).toBeGreaterThan(10);
  });
});
