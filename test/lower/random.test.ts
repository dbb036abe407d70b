import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recipe } from '../support/random-superblock.ts';
import { Bench, checkTogether, type Plan } from '../support/superblock-campaign.ts';

const plan: fc.Arbitrary<Plan> = fc.record({
  // Mostly all passes; sometimes without some of them.
  without: fc.nat(127).map((n) => (n < 64 ? 0 : n - 64)),
  fuel: fc.nat(40).map((n) => (n < 30 ? 1e9 : n - 30)),
  far: fc.boolean(),
  seed: fc.nat(2 ** 30),
});

describe('random superblocks, run as original bytes and as emitted ones', () => {
  const bench = new Bench();

  test('one by one, short: failures come small', () => {
    fc.assert(
      fc.property(recipe(6), plan, (one, how) => checkTogether(bench, [one], how, 3)),
      { numRuns: 900, seed: 1 },
    );
  });

  test('one by one, long', () => {
    fc.assert(
      fc.property(recipe(40), plan, (one, how) => checkTogether(bench, [one], how, 4)),
      { numRuns: 350, seed: 2 },
    );
  });

  test('three together, which lead to one another', () => {
    fc.assert(
      fc.property(fc.array(recipe(12), { minLength: 3, maxLength: 3 }), plan, (three, how) =>
        checkTogether(bench, three, how, 3),
      ),
      { numRuns: 250, seed: 3 },
    );
  });

  test('all ways out were taken, and few cases were left out', () => {
    const { tally } = bench;
    expect(tally.sideExits).toBeGreaterThan(800);
    expect(tally.guardExits).toBeGreaterThan(50);
    expect(tally.finalExits).toBeGreaterThan(800);
    expect(tally.faults).toBeLessThan(tally.runs / 20);
    expect(tally.unlowered + tally.outOfReach).toBeLessThan(tally.cases / 4);
  });
});
