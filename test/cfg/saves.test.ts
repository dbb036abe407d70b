import { describe, expect, test } from 'vitest';
import { imageSaves } from '../../src/cfg/image-saves.ts';
import { assemble } from './assembly.ts';

/** Does the instruction at the label `at` save a register? */
function isSave(text: string): boolean {
  const program = assemble(text);
  return imageSaves(program.image).savesAt(program.at('at'));
}

describe('a save', () => {
  /** A function with a frame of 32 bytes; it saves s0 at 16(sp), and changes it. */
  const frame = (body: string, restore = 'ld s0,16(sp)', save = 'sd s0,16(sp)') =>
    `Main:\n  addi sp,sp,-32\nat:\n  ${save}\n  addi s0,a0,1\n${body}\n  ${restore}\n  addi sp,sp,32\n  jalr zero,0(ra)`;

  test('is what the function gives back', () => {
    expect(isSave(frame('  sd s0,0(a1)'))).toBe(true);
    // Not at all, in another register, from another slot, too narrow, not on every way, and changed again.
    expect(isSave(frame('', 'addi s0,zero,0'))).toBe(false);
    expect(isSave(frame('', 'ld s1,16(sp)'))).toBe(false);
    expect(isSave(frame('', 'ld s0,8(sp)'))).toBe(false);
    expect(isSave(frame('', 'lw s0,16(sp)'))).toBe(false);
    expect(isSave(frame('  beq a0,zero,@Out', 'ld s0,16(sp)\nOut:'))).toBe(false);
    expect(isSave(frame('', 'ld s0,16(sp)\n  addi s0,s0,1'))).toBe(false);
  });

  test('is got back by the stack pointer: of a frame pointer a proof may not know where it leads', () => {
    const framed = (restore: string) =>
      `Main:\n  addi sp,sp,-32\n  sd s0,24(sp)\n  addi s0,sp,32\nat:\n  sd s1,8(sp)\n  addi s1,a0,1\n  ${restore}\n  ld s0,24(sp)\n  addi sp,sp,32\n  jalr zero,0(ra)`;
    expect(isSave(framed('ld s1,8(sp)'))).toBe(true);
    expect(isSave(framed('ld s1,-24(s0)'))).toBe(false);
    const below = 'Main:\nat:\n  sd s1,-8(sp)\n  addi s1,a0,1\n  ld s1,-8(sp)\n  jalr zero,0(ra)';
    expect(isSave(below)).toBe(false);
  });

  test('is of a preserved register that still holds what it held', () => {
    expect(
      isSave(
        frame('', 'ld s0,16(sp)', 'addi s0,s0,1\n  sd s0,16(sp)')
          .replace('at:\n', '')
          .replace('  sd s0', 'at:\n  sd s0'),
      ),
    ).toBe(false);
    expect(isSave(frame('', 'ld t0,16(sp)', 'sd t0,16(sp)').replaceAll('s0,a0', 't0,a0'))).toBe(false);
    expect(isSave(frame('', 'lw s0,16(sp)', 'sw s0,16(sp)'))).toBe(false);
    // In the caller's frame.
    expect(isSave(frame('', 'ld s0,32(sp)', 'sd s0,32(sp)'))).toBe(false);
  });

  test('is of a register that the function changes: what it only stores and loads may be a variable', () => {
    expect(isSave(frame('').replace('addi s0,a0,1', 'addi a2,a0,1'))).toBe(false);
  });

  test('is in a slot of its own', () => {
    expect(isSave(frame('  sd a0,16(sp)'))).toBe(false);
    expect(isSave(frame('  sb a0,19(sp)'))).toBe(false);
    expect(isSave(frame('  ld a0,16(sp)'))).toBe(false);
    expect(isSave(frame('  sd a0,8(sp)\n  ld a0,24(sp)'))).toBe(true);
  });

  test('is none, but of a return address, where the frame has an address and a function does not give the register back', () => {
    const taken = ['addi a1,sp,8', 'add a1,a2,sp', 'sd sp,0(a0)', 'addi s0,sp,8\n  sd zero,0(s0)'];
    const careless = '\nSets:\n  addi s0,a0,0\n  jalr zero,0(ra)';
    for (const address of taken) {
      expect(isSave(frame(`  ${address}`) + careless), address).toBe(false);
      expect(isSave(frame(`  ${address}`)), address).toBe(true);
    }
    expect(isSave(frame('') + careless)).toBe(true);
    // Nor does one that never comes back, one that passes what it has made of it, or one that sets many.
    const exposed = frame('  addi a1,sp,8');
    const calls = '  jal ra,@Callee\n  ebreak\nCallee:\n  jalr zero,0(ra)';
    const sets = [1, 2, 3, 4, 5, 6, 7, 8].map((k) => `  addi s${k},zero,${k}\n`).join('');
    expect(isSave(`${exposed}\nStarts:\n  addi s0,a0,0\n${calls}`)).toBe(false);
    expect(isSave(`${exposed}\nPasses:\n  addi s0,a0,0\n  addi sp,sp,-16\n  sd s0,0(sp)\n${calls}`)).toBe(false);
    expect(isSave(`${exposed}\nMany:\n  addi s0,a0,0\n${sets}${calls}`)).toBe(false);
    // What loads all of them, and the stack pointer, sets up another context.
    const loads = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => `  ld s${k},${8 * k}(a0)\n`).join('');
    expect(isSave(`${exposed}\nJumps:\n${loads}  ld sp,96(a0)\n  ld ra,104(a0)\n  jalr zero,0(ra)`)).toBe(true);
    const linked =
      'Main:\n  addi sp,sp,-32\nat:\n  sd ra,24(sp)\n  addi a0,sp,8\n  jal ra,@Callee\n  ld ra,24(sp)\n  addi sp,sp,32\n  jalr zero,0(ra)\nCallee:\n  jalr zero,0(ra)';
    expect(isSave(linked)).toBe(true);
    expect(isSave(linked.replace('  ld ra,24(sp)\n', ''))).toBe(false);
  });

  test('may be where a frame pointer is, which leads to where the stack pointer stood', () => {
    const pointed = (body: string) => frame(`  addi s0,sp,32\n${body}`);
    expect(isSave(pointed('  sw a0,-32(s0)'))).toBe(true);
    expect(isSave(pointed('  sd a0,-24(s0)\n  addi a1,s0,-32'))).toBe(true);
    expect(isSave(pointed('  sd a0,-16(s0)'))).toBe(false);
  });

  test('belongs to a function with all its parts, and to no other', () => {
    const split = (cold: string) =>
      `${frame('  beq a0,zero,@cold')}\ncold:\n  ${cold}\n  addi sp,sp,32\n  jalr zero,0(ra)`;
    expect(isSave(split('ld s0,16(sp)'))).toBe(true);
    expect(isSave(split('addi a3,a3,1'))).toBe(false);
    // What a symbol names is a function of its own: to jump there is a way out.
    const tail = (restore: string) =>
      `Main:\n  addi sp,sp,-32\nat:\n  sd s0,16(sp)\n  addi s0,a0,1\n  ${restore}\n  addi sp,sp,32\n  jal zero,@Other\nOther:\n  jalr zero,0(ra)`;
    expect(isSave(tail('ld s0,16(sp)'))).toBe(true);
    expect(isSave(tail('ld a1,16(sp)'))).toBe(false);
    // A call gives back what it must; millicode, which is called by another link, may move the stack.
    const call = (link: string) =>
      `${frame(`  addi a7,ra,0\n  jal ${link},@Callee\n  addi ra,a7,0`)}\nCallee:\n  jalr zero,0(${link})`;
    expect(isSave(call('ra'))).toBe(true);
    expect(isSave(call('t0'))).toBe(false);
  });
});
