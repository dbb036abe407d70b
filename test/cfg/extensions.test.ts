/** What an image's machines have for certain, and outputs that ask no more of them. */
import { describe, expect, test } from 'vitest';
import { imageExtensions } from '../../src/cfg/extensions.ts';
import { readImage } from '../../src/elf/read.ts';
import { readOptimizedCode } from '../../src/elf/write.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { extensionNames, needsOf } from '../../src/isa/extensions.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { optimizeProved } from '../../src/pipeline/proved.ts';
import { profileOf } from '../../src/profile/store.ts';
import { compile, needs } from '../support/tools.ts';

const PROGRAM = `
static long call(long n, long a) {
  register long a0 asm("a0") = a, a7 asm("a7") = n;
  asm volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
  return a0;
}
static unsigned long table[64];
__attribute__((noinline)) static unsigned long step(unsigned long x) { return (x ^ (x << 13)) + table[x % 64]++; }
void _start(void) {
  unsigned long x = 1;
  for (int i = 0; i < 3000; i++) x = step(x) + (x >> 7);
  call(93, x & 63);
}`;

/** Uses Zbb where its argument says that it is there. */
const CHOOSING = `
  .globl _start
_start:
  ld s2, 0(sp)
  li s0, 3000
  li s1, 0
  li s3, 1
again:
  bgt s2, s3, plain
  .option push
  .option arch, +zbb
  clz a0, s0
  rev8 a1, a0
  xor a0, a0, a1
  .option pop
  j both
plain:
  li a0, 3
both:
  add s1, s1, a0
  addi s0, s0, -1
  bnez s0, again
  andi a0, s1, 63
  li a7, 93
  ecall
`;

/** Finds out by SIGILL whether there is Zbb: nothing needs the result. */
const PROBING = `
  .globl _start
_start:
  li s0, 3000
  li s1, 0
again:
  .option push
  .option arch, +zbb
  orc.b a0, s0
  .option pop
  li a0, 3
  add s1, s1, a0
  addi s0, s0, -1
  bnez s0, again
  andi a0, s1, 63
  li a7, 93
  ecall
`;

describe.runIf(needs('extensions', 'gcc'))('extensions', () => {
  const optimized = (file: string) => {
    const image = readImage(file);
    const { profile } = profileRun({ image, input: {} });
    const made = optimizeProved(image, profileOf(profile, image));
    const { bytes } = readOptimizedCode(made.image)!;
    let set = 0n;
    for (let at = 0; at < bytes.length; ) {
      const insn = decodeAt(bytes, at);
      if (insn !== undefined) set |= needsOf(insn);
      at += insn?.size ?? 2;
    }
    return { has: extensionNames(imageExtensions(image)), uses: extensionNames(set), made };
  };
  const built = (arch: string, abi = 'lp64') =>
    compile(PROGRAM, ['-O2', '-nostdlib', '-static', '-ffreestanding', `-march=${arch}`, `-mabi=${abi}`]);

  test.each([
    ['rv64i', 'lp64', ['I']],
    ['rv64im', 'lp64', ['I']],
    ['rv64imac', 'lp64', ['C', 'I']],
    ['rv64imafd', 'lp64d', ['D', 'F', 'I', 'Zicsr']],
    ['rv64imafdc', 'lp64d', ['C', 'D', 'F', 'I', 'Zicsr']],
  ])('%s, %s: the output has instructions of no other', (arch, abi, has) => {
    const result = optimized(built(arch, abi));
    expect(result.has).toEqual(has);
    expect(has).toEqual(expect.arrayContaining(result.uses));
    expect(result.made.superblocks.length).toBeGreaterThan(0);
    expect(result.made.rejected).toEqual([]);
    expect(result.made.proof.extensions).toEqual([]);
  });

  test('a program that asks for an extension before it uses it is not made to use it before', () => {
    const { has, uses, made } = optimized(compile(CHOOSING, ['-nostdlib', '-static', '-march=rv64gc'], 's'));
    expect(has).not.toContain('Zbb');
    expect(uses).toContain('Zbb');
    expect(made.rejected).toEqual([]);
    expect(made.proof.extensions).toEqual([]);
    expect(made.proof.assumptions).not.toContain('A9');
  });

  test('a program that tries whether an extension is there goes on trying, if it was not built for it', () => {
    const code = (arch: string) => compile(PROBING, ['-nostdlib', '-static', `-march=${arch}`], 's');
    const trying = optimized(code('rv64gc'));
    expect(trying.uses).toContain('Zbb');
    expect(trying.made.rejected.length).toBeGreaterThan(0);
    const built = optimized(code('rv64gc_zbb'));
    expect(built.uses).not.toContain('Zbb');
    expect(built.made.rejected).toEqual([]);
  });
});
