/** Jump tables of each form compilers make, and what only looks like one. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/base/units.ts';
import { codeOf } from '../../src/code/code.ts';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { findTables } from '../../src/emit/tables.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { blocksOf } from '../../src/profile/blocks.ts';
import { OUTSIDE } from '../../src/profile/profile.ts';
import { profileOf } from '../../src/profile/store.ts';
import { makeFlow } from '../../src/superblock/flow.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { compile, needs } from '../support/tools.ts';

interface Shape {
  readonly entry: string;
  readonly shift: number;
  readonly load: string;
  /** Made once before the loop. */
  readonly hoisted?: boolean;
  readonly relative: boolean;
  readonly section?: string;
  /** Before the loop. */
  readonly setup?: string;
  /** Instead of load and addition. */
  readonly target?: string;
}

const program = ({ entry, shift, load, hoisted, relative, section = '.rodata', setup = '', target }: Shape): string => `
  .globl _start
  .type _start, @function
_start:
  li s0, 0
  li s1, 1
  ${setup}
  ${hoisted ? 'lla s2, table' : ''}
loop:
  andi a5, s0, 7
  ${hoisted ? '' : 'lla s2, table'}
  slli a5, a5, ${shift}
  add a5, a5, s2
  ${target ?? `${load} a5, 0(a5)\n  ${relative ? 'add a5, a5, s2' : ''}`}
  jr a5
  .balign 8
c0: slli s1, s1, 1
  j next
  .balign 8
c1: addi s1, s1, 3
  j next
  .balign 8
c2: xori s1, s1, 85
  j next
  .balign 8
c3: addi s1, s1, -1
  j next
  .balign 8
c4: slli s1, s1, 3
  j next
  .balign 8
c5: srli s1, s1, 1
  j next
  .balign 8
c6: addi s1, s1, 77
  j next
  .balign 8
c7: add s1, s1, s0
next:
  addi s0, s0, 1
  li t2, 4000
  bltu s0, t2, loop
  andi a0, s1, 127
  li a7, 93
  ecall
  .size _start, .-_start
  .section ${section}
  .balign 8
  .globl table
table:
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `  ${entry.replaceAll('C', `c${i}`)}`).join('\n')}
`;

const load = (shape: Shape) => loadSource(program(shape));

function loadSource(source: string) {
  const image = readImage(compile(source, ['-nostdlib', '-static'], 's'));
  const { profile, exit, instructions } = profileRun({ image, input: {} });
  const own = profileOf(profile, image);
  const flow = makeFlow(blocksOf(own, image), codeOf(image));
  const address = (name: string) => image.symbols.find((symbol) => symbol.name === name)!.address;
  return { image, own, exit, instructions, address, tables: findTables(image, flow) };
}

function optimized(image: Image, own: ReturnType<typeof load>['own']) {
  const made = optimize(image, own);
  const form = parseImage(made.bytes, 'form');
  const run = profileRun({ image: form, formOf: image, input: {} });
  return { made, ...run };
}

const RELATIVE: Shape = { entry: '.word C - table', shift: 2, load: 'lw', relative: true };
const WORDS: Shape = { entry: '.word C', shift: 2, load: 'lw', relative: false };
const POINTERS: Shape = { entry: '.dword C', shift: 3, load: 'ld', relative: false };

/**
 * Two tables of distances, one right behind the other. The second's places lie as far behind the first's as it does itself, so that its
 * distances lead to the first's places if they are added to the first's address.
 */
const NEIGHBOURS = `
  .globl _start
  .type _start, @function
_start:
  li s0, 0
  li s1, 1
loop:
  andi a5, s0, 7
  lla s2, table
  slli a5, a5, 2
  add a5, a5, s2
  lw a5, 0(a5)
  add a5, a5, s2
  jr a5
${[0, 1, 2, 3, 4, 5, 6, 7]
  .map(
    (i) => `
  .balign 64
c${i}: addi s1, s1, ${i}
  j again
  .balign 32
d${i}: xori s1, s1, ${i + 8}
  j next`,
  )
  .join('')}
again:
  srli a5, s0, 3
  andi a5, a5, 7
  lla s2, second
  slli a5, a5, 2
  add a5, a5, s2
  lw a5, 0(a5)
  add a5, a5, s2
  jr a5
next:
  addi s0, s0, 1
  li t2, 4000
  bltu s0, t2, loop
  andi a0, s1, 127
  li a7, 93
  ecall
  .size _start, .-_start
  .section .rodata
  .balign 8
  .globl table, second
table:
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `  .word c${i} - table`).join('\n')}
second:
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `  .word d${i} - second`).join('\n')}
`;

/** A table in a loop, its base made before the loop; on one of its ways another one, while the register holds something else. */
const NESTED = `
  .globl _start
  .type _start, @function
_start:
  li s0, 0
  li s1, 1
  lla s2, table
loop:
  andi a5, s0, 3
  slli a5, a5, 2
  add a5, a5, s2
  lw a5, 0(a5)
  add a5, a5, s2
  jr a5
  .balign 8
c0: addi s1, s1, 3
  j next
  .balign 8
c1: slli s1, s1, 1
  j next
  .balign 8
c2: xori s1, s1, 21
  j next
  .balign 8
c3: lla s2, other
  lla s3, second
  li s4, 4
inner:
  andi a5, s4, 3
  slli a5, a5, 2
  add a5, a5, s3
  lw a5, 0(a5)
  add a5, a5, s3
  jr a5
  .balign 8
d0: addi s1, s1, 1
  j again
  .balign 8
d1: addi s1, s1, -5
  j again
  .balign 8
d2: srli s1, s1, 1
  j again
  .balign 8
d3: xori s1, s1, 9
again:
  addi s4, s4, -1
  bnez s4, inner
  ld a5, 0(s2)
  add s1, s1, a5
  lla s2, table
next:
  addi s0, s0, 1
  li t2, 4000
  bltu s0, t2, loop
  andi a0, s1, 127
  li a7, 93
  ecall
  .size _start, .-_start
  .section .rodata
  .balign 8
  .globl table, second
table:
${[0, 1, 2, 3].map((i) => `  .word c${i} - table`).join('\n')}
second:
${[0, 1, 2, 3].map((i) => `  .word d${i} - second`).join('\n')}
other: .dword 7
`;

describe.runIf(needs('jump tables', 'gcc'))('jump tables', () => {
  test('one on a way of the other, both by registers', () => {
    const { image, own, exit, address, tables } = loadSource(NESTED);
    expect(tables.map(({ at, targets }) => [at, targets.length])).toEqual([
      [address('table'), 4],
      [address('second'), 4],
    ]);
    const { exit: end } = optimized(image, own);
    expect(end).toEqual(exit);
  });

  test('a table ends where the next one begins', () => {
    const { image, own, exit, address, tables } = loadSource(NEIGHBOURS);
    const [at, second] = [address('table'), address('second')];
    expect(second - at).toBe(32);
    expect(address('d3') - address('c3')).toBe(32);
    expect(tables.map((table) => [table.at, table.targets.length])).toEqual([
      [at, 8],
      [second, expect.any(Number)],
    ]);
    const { made, exit: end } = optimized(image, own);
    expect(end).toEqual(exit);

    const form = parseImage(made.bytes, 'form');
    const problems = (optimized: Image) =>
      prove(image, optimized, mapOf(image, optimized)).file.flatMap((check) => check.problems);
    expect(problems(form)).toEqual([]);
    // An entry of the second that is changed as if it were the first's is not proved.
    const { superblocks } = mapOf(image, form).data;
    const start = superblocks.find(({ head }) => head === address('c3'))!.start;
    const entry = second + 4 * 3;
    const segment = form.segments.find((s) => entry >= s.address && entry < s.address + s.bytes.length)!;
    const bytes = Uint8Array.from(made.bytes);
    new DataView(bytes.buffer).setInt32(segment.offset + entry - segment.address, start - at, true);
    expect(problems(parseImage(bytes, 'wrong'))).toEqual([expect.stringContaining(`the patch at ${hex(entry)}`)]);
  });

  test.each([
    ['distances of 4 bytes', RELATIVE],
    ['distances, their base hoisted out of the loop', { ...RELATIVE, hoisted: true }],
    ['addresses of 4 bytes', WORDS],
    ['addresses of 8 bytes', POINTERS],
    ['addresses of 8 bytes, hoisted', { ...POINTERS, hoisted: true }],
    ['addresses in writable data', { ...POINTERS, section: '.data' }],
  ] as const)('%s', (_, shape) => {
    const { image, own, exit, instructions, address, tables } = load(shape);
    const [table] = tables;
    expect(tables).toHaveLength(1);
    expect(table).toMatchObject({ at: address('table'), base: shape.relative ? address('table') : 0 });
    const targets = ['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7'].map(address);
    expect(table!.targets.slice(0, 8)).toEqual(targets);
    expect([...table!.profiled].sort()).toEqual(targets);
    // The jump finds the superblocks at once, and the program does what it did.
    const { made, exit: end, instructions: count, profile } = optimized(image, own);
    expect(end).toEqual(exit);
    expect(made.assumptions).toContain('A4');
    expect(count).toBeLessThanOrEqual(instructions * 1.01);
    const hits = profile.images[0]!.transfers.filter(({ to }) => to !== OUTSIDE && targets.includes(to));
    expect(hits.reduce((sum, hit) => sum + hit.count, 0)).toBeLessThan(10);
  });

  test.each([
    [
      'a jump that is computed without a table',
      { ...RELATIVE, shift: 3, target: 'lla s3, c0\n  sub a5, a5, s2\n  add a5, a5, s3' },
    ],
    [
      'a table that the program changes',
      {
        ...POINTERS,
        section: '.data',
        setup:
          'lla a5, other\n  lla t1, c7\n  lla t2, table\n  sd a5, 16(t2)\n  j loop0\nother: addi s1, s1, 9\n  j next\nloop0:',
      },
    ],
    [
      'a table whose entries are compared as well',
      { ...POINTERS, target: 'ld a5, 0(a5)\n  lla s4, c3\n  beq a5, s4, c4' },
    ],
    [
      'a table that a pointer leads into',
      { ...RELATIVE, setup: '.section .data\n  .balign 8\n  .dword table + 8\n  .text' },
    ],
    [
      'a table that is handed to a function',
      { ...POINTERS, setup: 'lla a0, table\n  jal f\n  j loop0\nf: ret\nloop0:' },
    ],
    [
      'a table that is also read from another place',
      { ...RELATIVE, setup: 'lla a4, table\n  slli a5, s0, 2\n  add a5, a5, a4\n  lw s4, 4(a5)' },
    ],
    ['no target but the one', { ...POINTERS, entry: '.dword c5' }],
  ] as const)('not: %s', (name, shape) => {
    const { image, own, exit, tables } = load(shape);
    if (!name.startsWith('no target')) expect(tables).toEqual([]);
    const { exit: end, made } = optimized(image, own);
    expect(end).toEqual(exit);
    if (!name.startsWith('no target')) expect(made.assumptions).not.toContain('A4');
  });
});
