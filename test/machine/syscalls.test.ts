/** A few of the random sequences of system calls that `campaign/syscalls` runs by the thousand: each answer as qemu gives it, or the host's Linux. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseImage } from '../../src/elf/read.ts';
import { Blocked } from '../../src/machine/linux/errno.ts';
import { SYSCALL_NAMES } from '../../src/machine/linux/names.ts';
import type { SyscallRow } from '../../src/machine/linux/row.ts';
import { SYSCALLS } from '../../src/machine/linux/table.ts';
import { createProcess } from '../../src/machine/process.ts';
import { makeSequences } from '../campaign/syscalls/compare.ts';
import { bareElf } from '../support/bare-elf.ts';
import { needs, run, temporary, tool } from '../support/tools.ts';

/** Those in which qemu does nothing otherwise than Linux, so that it has the last word. */
const SEEDS = [3, 7, 8, 13, 14, 20, 25, 26, 29, 30, 33, 34, 39, 44, 51, 55, 58, 69, 72, 81, 90];

test('each row has the name that its number has in the list of names', () => {
  const wrong = [...SYSCALLS.values()].filter(({ number, name }) => SYSCALL_NAMES.get(number) !== name);
  expect(wrong.map(({ number, name }) => `${number} is ${SYSCALL_NAMES.get(number)}, not ${name}`)).toEqual([]);
});

describe.runIf(needs('the names of system calls', 'gcc'))('the list of names', () => {
  test("is the kernel's, as far as its headers go", () => {
    const header = run(tool('gcc'), ['-E', '-dM', '-'], { stdin: Buffer.from('#include <asm/unistd.h>\n') });
    const defined = new Map(
      [...header.stdout.toString().matchAll(/^#define __NR(3264)?_(\w+) (\S+)$/gm)].map(
        ([, old = '', name, value]) => [old + name, value!] as const,
      ),
    );
    // Numbers of calls that other machines have in two sizes are given by way of another name.
    const numbers = [...defined]
      .filter(([name]) => !name.startsWith('3264') && !['syscalls', 'arch_specific_syscall'].includes(name))
      .map(([name, value]) => [Number(defined.get(value.replace('__NR3264_', '3264')) ?? value), name] as const);
    expect(numbers.length).toBeGreaterThan(280);
    const wrong = numbers.filter(([number, name]) => SYSCALL_NAMES.get(number) !== name);
    expect(wrong.map(([number, name]) => `${number} is ${name}, not ${SYSCALL_NAMES.get(number)}`)).toEqual([]);
  });
});

test('what a call does not look at is nothing that two forms of a program must agree on', () => {
  // glibc's pause is a ppoll without a mask; the size of the mask is whatever was in the register.
  expect(SYSCALLS.get(73)!.unused!(0, 0, 0, 0, 99)).toEqual([4]);
  expect(SYSCALLS.get(73)!.unused!(0, 0, 0, 4096, 8)).toEqual([]);
});

test('a call that cannot go on although its event has come is looked at each time', () => {
  const code = bareElf([{ address: 0x10000, bytes: Uint8Array.of(0x73, 0, 0, 0), execute: true }], 0x10000);
  const process = createProcess({ image: parseImage(code, 'guest') });
  let made = 0;
  const run = () => {
    made++;
    throw new Blocked('nothing', () => true);
  };
  const rows = SYSCALLS as Map<number, SyscallRow>;
  rows.set(5000, { number: 5000, name: 'never', arguments: [], run });
  process.hart.setNumber(17, 5000);
  const steps = process.beginSyscall()!;
  expect([steps.next().value, steps.next().value, steps.next().value, made]).toEqual(['look', 'look', 'look', 3]);
  rows.delete(5000);
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
