/** A few of the random sequences of system calls that `campaign/syscalls` runs by the thousand: each answer as qemu gives it, or the host's Linux. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OTHER_NAMES } from '../../src/machine/linux/names.ts';
import { SYSCALLS } from '../../src/machine/linux/table.ts';
import { makeSequences } from '../campaign/syscalls/compare.ts';
import { needs, temporary } from '../support/tools.ts';

/** Those in which qemu does nothing otherwise than Linux, so that it has the last word. */
const SEEDS = [3, 7, 8, 13, 14, 20, 25, 26, 29, 30, 33, 34, 39, 44, 51, 55, 58, 69, 72, 90];

test('each system call is in one of the lists: those that are there, and the names of the others', () => {
  expect([...OTHER_NAMES.keys()].filter((number) => SYSCALLS.has(number))).toEqual([]);
  expect(OTHER_NAMES.get(26)).toBe('inotify_init1');
});

test('what a call does not look at is nothing that two forms of a program must agree on', () => {
  // glibc's pause is a ppoll without a mask; the size of the mask is whatever was in the register.
  expect(SYSCALLS.get(73)!.unused!(0, 0, 0, 0, 99)).toEqual([4]);
  expect(SYSCALLS.get(73)!.unused!(0, 0, 0, 4096, 8)).toEqual([]);
});

describe.runIf(needs('sequences of system calls', 'gcc', 'qemu'))('sequences of system calls', () => {
  const folder = temporary('syscalls');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let sequences: ReturnType<typeof makeSequences>;
  beforeAll(() => {
    sequences = makeSequences(folder, false);
  });

  test.each(SEEDS)('seed %i', (seed) => {
    const { difference, waits } = sequences.run(seed);
    expect(waits).toBeUndefined();
    expect(difference).toBeUndefined();
  });
});
