/** Guards on indirect jumps: by default in calls that are inlined, everywhere if they are switched on. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import type { Profile } from '../../src/profile/profile.ts';
import { profileOf } from '../../src/profile/store.ts';
import { dynamicStatistics } from '../../src/report/statistics.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { rerun } from '../../src/verify/rerun.ts';
import { compile, needs } from '../support/tools.ts';

/** An indirect call, always of the same function; an indirect jump that mostly goes one way; a result that depends on all of it. */
const PROGRAM = `
  .globl _start
_start:
  li s0, 3000
  li s1, 0
  la s2, add
  la s3, often
  la s4, seldom
loop:
  mv a0, s0
  jalr s2
  andi t0, s0, 15
  mv t1, s3
  bnez t0, 1f
  mv t1, s4
1:
  jr t1
often:
  addi s1, s1, 1
  j next
seldom:
  slli s1, s1, 1
next:
  addi s0, s0, -1
  bnez s0, loop
  andi a0, s1, 127
  li a7, 93
  ecall
add:
  xor s1, s1, a0
  ret
`;

/** A function with a switch that nearly always goes one way, and then now and then into a loop before it returns. */
const SWITCH = `
  .globl _start
_start:
  li s0, 4000
  li s1, 0
loop:
  andi a0, s0, 127
  snez a0, a0
  jal f
  addi s0, s0, -1
  bnez s0, loop
  andi a0, s1, 127
  li a7, 93
  ecall
  .type f, @function
f:
  addi sp, sp, -16
  sd ra, 8(sp)
  li a5, 1
  bgtu a0, a5, other
  lla a4, table
  slli a0, a0, 2
  add a0, a0, a4
  lw a0, 0(a0)
  add a0, a0, a4
  jr a0
  .balign 4
often:
  addi s1, s1, 3
  andi a1, s0, 31
  beqz a1, more
  j done
  .balign 4
seldom:
  slli s1, s1, 1
  j done
more:
  addi s1, s1, 5
  addi a1, a1, 1
  li a2, 8
  bltu a1, a2, more
done:
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
other:
  j done
  .size f, .-f
  .section .rodata
  .balign 4
table:
  .word seldom - table
  .word often - table
`;

describe.runIf(needs('guards in inlined calls', 'gcc'))('in an inlined call', () => {
  let original: Image;
  let first: ReturnType<typeof profileRun>;
  let made: ReturnType<typeof optimize>;
  let form: Image;
  beforeAll(() => {
    const file = compile(SWITCH, ['-static', '-nostdlib', '-no-pie'], 's');
    original = readImage(file);
    first = profileRun({ image: original, input: {} });
    made = optimize(original, profileOf(first.profile, original));
    form = parseImage(made.bytes, file);
  });
  const statistics = (image: Image, profile: Profile) => dynamicStatistics(profileOf(profile, image), image);

  test('the jump is guarded, and the guard holds where the table leads to superblocks', () => {
    const before = statistics(original, first.profile);
    const after = statistics(form, profileRun({ image: form, formOf: original, input: {} }).profile);
    expect(made.map.assumptions).toContain('A4');
    expect(before.indirectJumps).toBe(4000);
    expect(after.indirectJumps).toBeLessThan(200);
    expect(after.calls).toBeLessThan(200);
  });
  test('what leaves it returns to the superblock of its return point', () => {
    const calls = new Set(made.superblocks.filter(({ final }) => final.kind === 'call').map(({ final }) => final.link));
    const links = made.map.returns.filter(([, link]) => !calls.has(link));
    expect(links.length).toBeGreaterThan(0);
    for (const [at, link] of links) expect(made.map.superblocks.find(({ start }) => start === at)?.head).toBe(link);
  });
  test('all of it is proved, and does the same', () => {
    const { superblocks, file: checks } = prove(original, form, mapOf(original, form));
    expect(superblocks.filter(({ verdict }) => verdict !== 'proved')).toEqual([]);
    expect(checks.flatMap(({ problems }) => problems)).toEqual([]);
    expect(rerun({ original, optimized: form, input: {} }).verdict).toBe('equivalent');
  });
});

describe.runIf(needs('guards on indirect jumps', 'gcc'))('guards', () => {
  test('indirect jumps are guarded, indirect calls stay calls', () => {
    const file = compile(PROGRAM, ['-static', '-nostdlib', '-no-pie'], 's');
    const original = readImage(file);
    const { profile, exit } = profileRun({ image: original, input: {} });
    expect(exit.kind).toBe('status');
    const select = { guardShare: 0.3, unroll: 1 };
    const { bytes, superblocks } = optimize(original, profileOf(profile, original), { select });
    expect(superblocks.some(({ ops }) => ops.some((op) => op.expect !== undefined))).toBe(true);
    expect(superblocks.some(({ final }) => final.kind === 'call' && final.exit.target === undefined)).toBe(true);
    expect(rerun({ original, optimized: parseImage(bytes, file), input: {} }).verdict).toBe('equivalent');
  });
});
