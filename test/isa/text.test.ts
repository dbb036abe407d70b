import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeInsn } from '../../src/isa/encode.ts';
import { ROWS } from '../../src/isa/table.ts';
import { parse, print } from '../../src/isa/text.ts';
import { insnOf, plain } from '../support/insns.ts';

const PC = 0x10440;

test.each(ROWS.map((row) => [row.name, row] as const))('%s: text parses back to the same instruction', (_, row) => {
  fc.assert(
    fc.property(insnOf(row), (insn) => {
      expect(plain(parse(print(insn)))).toEqual(plain(insn));
      expect(plain(parse(print(insn, PC), PC))).toEqual(plain(insn));
      expect(print(parse(print(insn)))).toBe(print(insn));
    }),
    { numRuns: 50 },
  );
});

describe('canonical text', () => {
  test.each([
    ['addi a0,a1,5'],
    ['addi sp,sp,-64'],
    ['lw a0,8(sp)'],
    ['fsd fs0,-16(s0)'],
    ['lui a0,0xfffff'],
    ['auipc gp,0x5'],
    ['slli a0,a1,0x3f'],
    ['jalr zero,0(ra)'],
    ['jal ra,.+16'],
    ['beq a0,zero,.-8'],
    ['csrrs a0,fflags,zero'],
    ['csrrw zero,0x7c0,a0'],
    ['csrrwi zero,frm,3'],
    ['fadd.d fa0,fa1,fa2'],
    ['fadd.d fa0,fa1,fa2,rtz'],
    ['fcvt.d.w fa0,a0'],
    ['fcvt.d.w fa0,a0,dyn'],
    ['fcvt.w.d a0,fa0,rtz'],
    ['fmadd.s ft0,ft1,ft2,ft3,rup'],
    ['lr.w.aq a0,(a1)'],
    ['sc.d.rl a0,a2,(a1)'],
    ['amoswap.w.aqrl a0,a2,(a1)'],
    ['fence iorw,iorw'],
    ['fence rw,rw,0x8'],
    ['fence w,0'],
    ['fence.i'],
    ['ecall'],
  ])('%s', (text) => {
    expect(print(parse(text))).toBe(text);
  });

  test('targets are absolute where the address is known', () => {
    expect(print(makeInsn('beq', { rs1: 10, imm: -16 }), PC)).toBe('beq a0,zero,0x10430');
    expect(parse('jal ra,0x10450', PC).imm).toBe(16);
    expect(parse('  jal   ra , .+16 ').imm).toBe(16);
  });
});

test.each([
  ['', 'unknown instruction'],
  ['frobnicate a0', 'unknown instruction'],
  ['add.aq a0,a1,a2', 'unknown instruction'],
  ['addi a0,a1', 'too few'],
  ['addi a0,a1,1,2', 'too many'],
  ['addi a0,fa1,1', 'not an integer register'],
  ['addi a0,x99,1', 'not an integer register'],
  ['fadd.d fa0,a0,fa1', 'not a floating-point register'],
  ['fadd.d fa0,fa0,fa1,up', 'not a rounding mode'],
  ['addi a0,a1,4096', 'out of range'],
  ['addi a0,a1,five', 'not a number'],
  ['lw a0,8', 'not a memory operand'],
  ['lr.w a0,8(a1)', 'not a memory operand'],
  ['lui a0,0x100000', 'does not fit'],
  ['jal ra,0x10450', 'needs the address'],
  ['fence rx,w', 'not a set'],
  ['fence rw', 'too few'],
])('%s is refused: %s', (text, why) => {
  expect(() => parse(text)).toThrow(why);
});
