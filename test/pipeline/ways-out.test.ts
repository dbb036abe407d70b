/** Loops that original code gets into, of which no superblock begins at the header. */
import { expect, test } from 'vitest';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { blocksOf } from '../../src/profile/blocks.ts';
import { profileOf } from '../../src/profile/store.ts';
import { compile, needs } from '../support/tools.ts';

/** The hottest trace begins at the loop's latch and comes to its header only from there. */
const PROGRAM = `
  .globl _start
  .type _start, @function
_start:
  li a0, 1
  li a1, 0
  li a2, 0
  j top
skip:
  addi a2, a2, 3
tail:
  addi a1, a1, 1
  li t0, 9000
  bgeu a1, t0, done
top:
  slli a0, a0, 1
  xor a0, a0, a1
  andi t1, a0, 6
  beqz t1, skip
  andi t2, a1, 1
  add a2, a2, t2
  bnez t2, odd
  xori a2, a2, 5
  j tail
odd:
  addi a2, a2, 7
  j tail
done:
  andi a0, a2, 63
  li a7, 93
  ecall
  .size _start, .-_start
`;

test.runIf(needs('ways out of loops', 'gcc'))('what gets into a loop gets out of the original text', () => {
  const image = readImage(compile(PROGRAM, ['-static', '-nostdlib', '-no-pie'], 's'));
  const first = profileRun({ image, input: {} });
  // What leads into the loop is too cold for a superblock of its own, as it is in large programs.
  const select = { coldShare: 0.01, closureShare: 0.01 };
  const made = optimize(image, profileOf(first.profile, image), { select });
  const header = image.symbols.find(({ name }) => name === 'top')!.address;
  expect(made.superblocks.length).toBeGreaterThan(0);
  expect(made.superblocks.map(({ head }) => head)).not.toContain(header);
  const form = parseImage(made.bytes, 'form');
  const run = profileRun({ image: form, formOf: image, input: {} });
  expect(run.exit).toEqual(first.exit);
  const { blocks } = blocksOf(profileOf(run.profile, form), form);
  const inOriginal = blocks.filter(({ start }) => start < image.end).reduce((sum, { count }) => sum + count, 0);
  expect(inOriginal).toBeLessThan(20);
});
