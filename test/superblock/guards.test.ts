/** Guards on indirect jumps, switched on: they are off by default, since they cost more than they save without more passes. */
import { describe, expect, test } from 'vitest';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
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
