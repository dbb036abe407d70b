import { describe, expect, it } from 'vitest';
import { makeCounts } from '../../src/report/counts.ts';
import { dynamicStatistics } from '../../src/report/statistics.ts';
import { exampleInput } from './example.ts';

// Two functions, 10 rounds, counted by hand: f0 loops 4 times a call, never odd, never zero; f1 twice, half of them odd, one call in two
// meets a zero byte (10 calls, 20 loops, 5 zeros, 15 bodies, 7 odd).
const input = exampleInput(
  [
    { name: 'a', length: 4, odd: 0, zero: 0 },
    { name: 'b', length: 2, odd: 0.5, zero: 0.5 },
  ],
  10,
);

describe('dynamic statistics', () => {
  it('counts the original run', () => {
    const { image, profile } = input.original;
    // main: 1 + 10 * (2 + 2 + 2) + 2; f0: 10 * 4 + 40 * (3 + 4 + 2 + 2) + 10 * 4; f1: 10 * 4 + 20 * 3 + 15 * 4 + 15 * 2 + 15 * 2 + 10 * 4.
    expect(dynamicStatistics(profile, image)).toEqual({
      instructions: 63 + 520 + 260,
      takenBranches: 9 + 20 + 40 + 30 + 8 + 5 + 7 + 10 + 20,
      // again; f0's loop 30; f1: 5 zeros, 7 odd, loop 10.
      branchesTaken: 9 + 30 + 5 + 7 + 10,
      // again once; f0: 40 not zero, 40 even, 10 ends; f1: 15, 8, 5.
      branchesNotTaken: 1 + 40 + 40 + 10 + 15 + 8 + 5,
      jumps: 40 + 8,
      calls: 20,
      indirectCalls: 0,
      returns: 20,
      indirectJumps: 0,
      loads: 40 + 10 + 20 + 10,
      stores: 20,
      syscalls: 1,
    });
  });

  it.each(['original', 'optimized'] as const)(
    '%s: taken branches are the sum of their kinds, instructions the sum of all counts',
    (side) => {
      const { image, profile } = input[side];
      const counted = dynamicStatistics(profile, image);
      const { branchesTaken, jumps, calls, indirectCalls, returns, indirectJumps } = counted;
      expect(counted.takenBranches).toBe(branchesTaken + jumps + calls + indirectCalls + returns + indirectJumps);
      const counts = makeCounts(input[side]);
      expect(counted.instructions).toBe(counts.executed.reduce((sum, { count }) => sum + count, 0));
      expect(counts.within(0, image.end)).toBe(counts.total);
    },
  );

  it('does not count what a run that stops in mid-block left undone', () => {
    const { image, profile } = input.original;
    const start = image.entry;
    const counts = makeCounts({
      image,
      profile: { ...profile, starts: [{ at: start, count: 3 }], stops: [{ at: start + 8, count: 3 }], transfers: [] },
    });
    expect([0, 4, 8].map((offset) => counts.at(start + offset))).toEqual([3, 3, 0]);
    expect(counts.total).toBe(6);
  });
});
