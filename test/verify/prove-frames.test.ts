/** Random pieces of code with frames, changed rightly and wrongly: what is called proved does the same on all states that are tried. */
import { describe, expect, test } from 'vitest';
import { findingText, makeOf, minimised, proved, randomPairs, search } from '../campaign/frames/pairs.ts';

const PAIRS = 600;

describe('pieces of code that make frames and give them back', () => {
  test.each([1, 41])('are not called proved where they differ, seed %i', (seed) => {
    let [tried, right] = [0, 0];
    const count = { states: 0, useless: 0 };
    for (const { pair, random } of randomPairs(seed)) {
      if (tried++ === PAIRS) break;
      const made = makeOf(pair);
      const result = proved(made);
      if (result instanceof Error) throw new Error(findingText(...minimised(pair, result)));
      if (result.verdict !== 'proved') continue;
      right++;
      const found = search(pair, made, random, 40, [], count);
      if (found !== undefined) throw new Error(findingText(...minimised(pair, found)));
    }
    // Enough is proved, and run on states that count.
    expect(right).toBeGreaterThan(PAIRS / 8);
    expect(count.states - count.useless).toBeGreaterThan(10 * right);
  });
});
