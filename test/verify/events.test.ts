/** What two forms of a program ask of the kernel: arguments that play no part may be anything. */
import { describe, expect, test } from 'vitest';
import type { Comparison } from '../../src/verify/compare.ts';
import { eventDifference } from '../../src/verify/events.ts';

const comparison = { same: (a: bigint, b: bigint) => a === b } as Comparison;
const differs = (number: number, expected: readonly bigint[], found: readonly bigint[]): string | undefined => {
  const event = (args: readonly bigint[]) => ({ kind: 'syscall', call: { number, name: undefined, args } }) as const;
  return eventDifference(event(expected), event(found), comparison)?.[1];
};

describe('arguments', () => {
  test.each([
    ['clone, as fork: no thread pointer, no places for numbers', 220, [17n, 0n], [1n, 2n, 3n]],
    ['fcntl(F_GETFL)', 25, [0n, 3n], [1n]],
    ['openat without O_CREAT', 56, [0n, 64n, 0n], [1n]],
    ['mremap without MREMAP_FIXED', 216, [4096n, 4096n, 8192n, 1n], [1n]],
    ['futex(FUTEX_WAKE_PRIVATE)', 98, [64n, 129n, 1n], [1n, 2n, 3n]],
  ] as const)('%s: the last ones play no part', (_, number, given, left) => {
    expect(differs(number, [...given, ...left], [...given, ...left.map((value) => value + 9n)])).toBeUndefined();
    expect(differs(number, [...given, ...left], [given[0] + 1n, ...given.slice(1), ...left])).toMatch(/^argument 1/);
  });

  test.each([
    ['clone(CLONE_CHILD_SETTID)', 220, [0x1000011n, 0n, 0n, 0n, 1n], [0x1000011n, 0n, 7n, 7n, 2n], /^argument 5/],
    ['fcntl(F_SETFL)', 25, [0n, 4n, 0n], [0n, 4n, 1n], /^argument 3/],
    ['openat(O_CREAT)', 56, [0n, 64n, 64n, 0n], [0n, 64n, 64n, 1n], /^argument 4/],
    ['futex(FUTEX_WAIT)', 98, [64n, 0n, 1n, 1n, 0n, 0n], [64n, 0n, 1n, 2n, 5n, 5n], /^argument 4/],
  ] as const)('%s: this one does', (_, number, expected, found, what) => {
    expect(differs(number, expected, found)).toMatch(what);
  });
});
