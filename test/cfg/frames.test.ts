import { describe, expect, test } from 'vitest';
import { buildCfg } from '../../src/cfg/build.ts';
import { framesOf } from '../../src/cfg/frames.ts';
import { assemble } from './assembly.ts';

/** Is what the instruction at the label `at` accesses in a private frame? */
function isPrivate(text: string): boolean {
  const program = assemble(text);
  return framesOf(buildCfg(program.image)).accesses(program.at('at'));
}

describe('a private frame', () => {
  const frame = (body: string) => `Main:\n  addi sp,sp,-32\n${body}\n  addi sp,sp,32\n  jalr zero,0(ra)`;
  test('is only accessed at constant distances', () => {
    expect(isPrivate(frame('at:\n  sd a0,8(sp)\n  ld a1,8(sp)'))).toBe(true);
    expect(isPrivate(frame('  sd a0,8(sp)\nat:\n  ld a1,0(a0)'))).toBe(false);
  });

  test('has no address that is computed, stored or moved to', () => {
    for (const taken of ['addi a5,sp,8', 'add a5,a4,sp', 'sd sp,0(a0)', 'sub sp,sp,a0', 'addi sp,a0,0', 'ld sp,0(a0)'])
      expect(isPrivate(frame(`at:\n  sd a0,8(sp)\n  ld a0,8(sp)\n  ${taken}`)), taken).toBe(false);
  });

  test('holds no arguments on the stack, which who is called may reach through a pointer', () => {
    // Written for a callee, and read by one.
    expect(isPrivate(`${frame('at:\n  sd a0,0(sp)\n  jal ra,@Callee')}\nCallee:\n  jalr zero,0(ra)`)).toBe(false);
    expect(isPrivate(frame('at:\n  ld a0,32(sp)'))).toBe(false);
    expect(isPrivate(frame('at:\n  sd a0,8(sp)\n  lw a1,8(sp)'))).toBe(false);
  });

  test('may have a frame pointer, which is saved, set and restored', () => {
    const pointed = (body: string) =>
      frame(`  sd s0,24(sp)\n  addi s0,sp,32\nat:\n  sw a0,-24(s0)\n${body}\n  ld s0,24(sp)`);
    expect(isPrivate(pointed('  lw a1,-24(s0)'))).toBe(true);
    expect(isPrivate(pointed('  lw a1,-24(s0)\n  addi a1,s0,-24'))).toBe(false);
    expect(isPrivate(pointed('  lw a1,-24(s0)\n  addi s0,a0,0'))).toBe(false);
    // It is no base where it is something else.
    expect(isPrivate(frame('  sd s0,24(sp)\n  addi s0,a0,0\nat:\n  sd a0,8(s0)\n  ld a1,8(s0)\n  ld s0,24(sp)'))).toBe(
      false,
    );
  });

  test('is one of all that is jumped to and never called', () => {
    const split = (cold: string) =>
      `Main:\n  addi sp,sp,-32\nat:\n  sd a0,8(sp)\n  ld a2,8(sp)\n  beq a0,zero,@Cold\n  addi sp,sp,32\n  jalr zero,0(ra)\nCold:\n  ${cold}\n  addi sp,sp,32\n  jalr zero,0(ra)`;
    expect(isPrivate(split('ld a1,8(sp)'))).toBe(true);
    expect(isPrivate(split('addi a1,sp,8'))).toBe(false);
  });

  test('is none where code may not have been found', () => {
    expect(isPrivate('main:\nat:\n  sd a0,-8(sp)\n  ld a1,-8(sp)\n  jalr zero,0(a5)')).toBe(false);
  });
});
