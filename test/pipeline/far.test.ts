/** Optimized code beyond a jump's reach of the original, with no register known to be free (without A1). */
import { describe, expect, test } from 'vitest';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { AVOIDABLE_ASSUMPTIONS } from '../../src/emit/assumptions.ts';
import { formSuperblocks, optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { rerun } from '../../src/verify/rerun.ts';
import { compile, needs } from '../support/tools.ts';

/**
 * `inner` leaves to an ecall, which stays in the original text, and no register is written on the way: it cannot be reached from
 * there, nor can `inner` from `outer`, which leads to it and is reached from it.
 */
const PROGRAM = `
  .globl _start
_start:
  li a0, 1000
  li a7, 93
outer:
  beqz a0, leave
inner:
  blez a0, leave
  addi a0, a0, -1
  andi t0, a0, 7
  beqz t0, outer
  j inner
leave:
  ecall
  .bss
  .globl gap
gap: .skip 4194304
`;

/** A way that is never taken leads to a jump, and that to code from which there is a way back. */
const THROUGH_JUMP = `
  .globl _start
_start:
  li a0, 1000
  lla s1, finish
loop:
  bltz a0, rare
  addi a0, a0, -1
  bnez a0, loop
  jr s1
rare:
  j rarer
  nop
rarer:
  li t0, 1
  j loop
finish:
  li a7, 93
  ecall
  .bss
  .globl gap
gap: .skip 4194304
`;

describe.runIf(needs('superblocks far from the original', 'gcc'))('far', () => {
  test('what cannot be reached is left out once and for all', () => {
    const file = compile(PROGRAM, ['-static', '-nostdlib', '-no-pie'], 's');
    const original = readImage(file);
    const { profile, exit } = profileRun({ image: original, input: {} });
    expect(exit).toEqual({ kind: 'status', status: 0 });
    const options = { without: AVOIDABLE_ASSUMPTIONS, select: { coldShare: 0, closureShare: 0 } };
    const { bytes, leftOut } = optimize(original, profileOf(profile, original), options);
    expect(leftOut.length).toBeGreaterThan(0);
    expect(new Set(leftOut).size).toBe(leftOut.length);
    expect(rerun({ original, optimized: parseImage(bytes, file), input: {} }).verdict).toBe('equivalent');
  });

  test('what is fetched to be reached may be a jump: its superblock is the one it leads to', () => {
    const original = readImage(compile(THROUGH_JUMP, ['-static', '-nostdlib', '-no-pie'], 's'));
    const { profile } = profileRun({ image: original, input: {} });
    const options = { without: AVOIDABLE_ASSUMPTIONS, select: { coldShare: 0, closureShare: 0 } };
    const { bytes, map } = optimize(original, profileOf(profile, original), options);
    const address = (name: string) => original.symbols.find((symbol) => symbol.name === name)!.address;
    expect(map.superblocks.map(({ head }) => head)).toContain(address('rarer'));
    const optimized = parseImage(bytes, 'optimized');
    const { file, superblocks } = prove(original, optimized, mapOf(original, optimized));
    expect(file.flatMap(({ problems }) => problems)).toEqual([]);
    expect(superblocks.filter(({ verdict }) => verdict !== 'proved')).toEqual([]);
    expect(rerun({ original, optimized, input: {} }).verdict).toBe('equivalent');
  });

  test('what is fetched is not dropped for the growth allowed, and nothing that ships counts as dropped', () => {
    const original = readImage(compile(THROUGH_JUMP, ['-static', '-nostdlib', '-no-pie'], 's'));
    const profile = profileOf(profileRun({ image: original, input: {} }).profile, original);
    const options = { without: AVOIDABLE_ASSUMPTIONS, select: { coldShare: 0, closureShare: 0 } };
    const formed = formSuperblocks(original, profile, options).heads;
    const free = optimize(original, profile, options);
    for (let less = 1; ; less += 80) {
      const { dropped, map, bytesAdded } = optimize(original, profile, {
        ...options,
        maxGrowth: free.bytesAdded - less,
      });
      const shipped = map.superblocks.map(({ head }) => head);
      expect(dropped.filter((head) => shipped.includes(head))).toEqual([]);
      expect(dropped.filter((head) => !formed.includes(head))).toEqual([]);
      if (shipped.length === 0) break;
      expect(bytesAdded).toBeLessThanOrEqual(free.bytesAdded - less);
    }
  });
});
