/** Decoding and printing of all code of the real programs against objdump. Smaller texts are in test/isa. */
import { describe, expect, test } from 'vitest';
import { compareWithObjdump, differenceLines } from '../support/objdump.ts';
import { has, PROGRAMS, program } from '../support/programs.ts';
import { needs } from '../support/tools.ts';

// Building them takes minutes the first time.
const MINUTES = 20 * 60_000;

describe.runIf(needs('decoding of the real programs against objdump', 'objdump'))('over the real programs', () => {
  const seen = new Set<string>();
  test.for(PROGRAMS)('%s', { timeout: MINUTES }, async (name, { skip }) => {
    if (!(await has(name))) return skip();
    const { file } = await program(name);
    // Two programs may be one file with other arguments.
    if (seen.has(file)) return;
    seen.add(file);
    const result = await compareWithObjdump(file);
    expect(differenceLines(result.differences)).toEqual([]);
    expect(result.compared).toBeGreaterThan(50_000);
  });
});
