/**
 * Programs that jump into the second half of the first instruction of a hot function, each in another way, and only when run with an argument, which
 * the training run is not.
 */
import { compile } from './tools.ts';

interface Way {
  /** Jumps into the middle; the link is set. */
  readonly enter: string;
  readonly data?: string;
  /** Assembled between other functions. */
  readonly more?: string;
  /** Right before the hot function. */
  readonly before?: string;
  /** The first instruction, and what is entered; by default one of four bytes, and its second half. */
  readonly first?: string;
}

/** addi a0, a1, 1; its second half is a hint. */
const ONE = '.4byte 0x00158513';

/** `hot` is its first instruction, of four bytes, whose second half is an instruction, too. */
const program = ({ enter, data = '', more = '', before = '', first = ONE }: Way): string => `
  .option norelax
  .globl _start
_start:
  ld s3, 0(sp)
  li s0, 3000
  li s1, 0
again:
  lla t1, pointer
  ld t1, 0(t1)
  mv a0, s1
  mv a1, s0
  jalr t1
  add s1, s1, a0
  addi s0, s0, -1
  bnez s0, again
  li t0, 1
  beq s3, t0, done
  li a0, 5
  li a1, 70
  li a6, 1
  call enter
  add s1, s1, a0
done:
  andi a0, s1, 127
  li a7, 93
  ecall
  .balign 4
${before}
  .type hot, @function
hot:
${first}
  slli a2, a0, 1
  xor a0, a0, a2
  addi a2, a2, 100
  mul a2, a2, a0
  srli a2, a2, 7
  add a0, a0, a2
  ret
  .balign 4
enter:
${enter}
  .balign 4
${more}
  .data
  .balign 8
pointer: .dword hot
${data}
`;

export const WAYS: Readonly<Record<string, Way>> = {
  'a jump': { enter: 'j hot + 2' },
  'a branch': { enter: 'bnez a1, hot + 2\n ret' },
  'a far jump': { enter: '1: auipc t1, %pcrel_hi(hot + 2)\n jr %pcrel_lo(1b)(t1)' },
  'an absolute jump': { enter: 'lui t1, %hi(hot + 2)\n jr %lo(hot + 2)(t1)' },
  'a constant': { enter: 'lla t0, hot + 2\n jr t0' },
  'an odd constant, whose lowest bit plays no part': { enter: 'lla t0, hot + 3\n jr t0' },
  'an addition to a constant': { enter: 'lla t0, hot\n addi t0, t0, 2\n jr t0' },
  'a distance in the jump': { enter: 'lla t0, hot\n jr 2(t0)' },
  'a sum of two constants': { enter: 'lla t0, hot\n li t1, 2\n add t0, t0, t1\n jr t0' },
  'an addition behind a jump': { enter: 'lla t0, hot\n j 1f\n ret\n1: addi t0, t0, 2\n jr t0' },
  'an addition behind a branch': { enter: 'lla t0, hot\n bnez a1, 1f\n ret\n1: addi t0, t0, 2\n jr t0' },
  'an addition in a callee': {
    enter: 'lla t0, hot\n mv s5, ra\n call add\n mv ra, s5\n jr t0',
    more: 'add: addi t0, t0, 2\n ret',
  },
  'a code address in the data': { enter: 'lla t0, place\n ld t0, 0(t0)\n jr t0', data: 'place: .dword hot + 2' },
  'a code address of 32 bits': {
    enter: 'lla t0, place\n lwu t0, 0(t0)\n jr t0',
    data: '.4byte 7\nplace: .4byte hot + 2',
  },
  'an addition to what the data holds': {
    enter: '.option pic\n la t0, hot\n .option nopic\n addi t0, t0, 2\n jr t0',
  },
  'a table of distances from its start': {
    enter: 'lla t0, table\n slli a6, a6, 2\n add t1, t0, a6\n lw t1, 0(t1)\n add t0, t0, t1\n jr t0',
    data: 'table: .4byte _start - table, hot + 2 - table',
  },
  'a table of distances from code': {
    enter: 'lla t2, hot\n lla t0, table\n slli a6, a6, 2\n add t1, t0, a6\n lw t1, 0(t1)\n add t0, t1, t2\n jr t0',
    data: 'table: .4byte 0, 2, 4',
  },
  'a table of distances from its start, with constants in it': {
    enter:
      'lla t3, table + 4\n lla t3, table + 6\n lla t0, table\n slli a6, a6, 3\n add t1, t0, a6\n lw t1, 0(t1)\n add t0, t0, t1\n jr t0',
    data: 'table: .4byte _start - table, enter - table, hot + 2 - table',
  },
  'a table of distances from code, with constants in it': {
    enter:
      'lla t3, table + 4\n lla t2, hot\n lla t0, table\n slli a6, a6, 3\n add t1, t0, a6\n lw t1, 0(t1)\n add t0, t1, t2\n jr t0',
    data: 'table: .4byte 0, 4, 2',
  },
  'a table of bytes': {
    enter: 'lla t2, enter\n lla t0, table\n add t0, t0, a6\n lb t1, 0(t0)\n add t0, t2, t1\n jr t0',
    data: 'table: .byte 0, hot + 2 - enter, 0',
  },
  'a table of halves of distances': {
    enter: 'lla t2, hot\n lla t0, table\n add t0, t0, a6\n lbu t1, 0(t0)\n slli t1, t1, 1\n add t0, t2, t1\n jr t0',
    data: 'table: .byte 0, 1, 0',
  },
  'a table of distances back': {
    enter: 'lla t2, enter\n lla t0, table\n add t0, t0, a6\n lbu t1, 0(t0)\n sub t0, t2, t1\n jr t0',
    data: 'table: .byte 0, enter - hot - 2, 0',
  },
  'a packed address': {
    enter: 'lla t0, place\n lwu t1, 1(t0)\n lbu t2, 0(t0)\n slli t1, t1, 8\n or t1, t1, t2\n jr t1',
    data: '.byte 1\nplace: .8byte hot + 2',
  },
  'distances from where they stand': {
    enter: 'lla t0, entries\n addi t0, t0, 8\n lw t1, 0(t0)\n add t0, t0, t1\n jr t0',
    data: 'entries: .4byte 0, 7, hot + 2 - .',
  },
  'a return to behind its return point': {
    enter: 'j caller',
    before: '.option norvc\ncaller: jal t0, skip\n .option rvc',
    more: 'skip: addi t0, t0, 2\n jr t0',
  },
  'a symbol, and a jump that shows nothing': {
    enter: 'lla t0, place\n ld t0, 0(t0)\n not t0, t0\n jr t0',
    data: 'place: .dword ~(0)\n .globl middle\n .set middle, hot + 2',
  },
  'a function that the startup calls': {
    enter: 'lla t0, first\n ld t0, 0(t0)\n jr t0',
    data: '.section .init_array, "aw"\nfirst: .dword hot + 2',
  },
  'a branch to the second of two small instructions': {
    first: 'addi a0, a0, 1\n add a0, a0, a1',
    enter: 'bnez a1, hot + 2\n ret',
  },
  'a stream that overlaps another': {
    // The upper part of a constant whose bits are a jump of its own.
    enter: '.option norvc\n j 1f + 2\n1: .2byte 0x0537\n .option rvc\n j hot + 2\n ret',
  },
};

export const enteredProgram = (way: Way, flags: readonly string[] = ['-static']): string =>
  compile(program(way), ['-nostdlib', '-march=rv64gc', ...flags], 's');
