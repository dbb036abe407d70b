/** Where others may look at any time, as a signal handler does: what they find is what they could have found in the original. */
import { describe, expect, test } from 'vitest';
import { HEAD, proof, why } from '../support/prove-pieces.ts';

const lines = (text: string) => text.split(';').map((line) => line.trim());
/** The optimized code goes on behind the original. */
const pieces = (original: string, optimized: string): [string, string] => [
  lines(original).join('\n'),
  [...lines(optimized), `jal zero,0x${(HEAD + 4 * lines(original).length).toString(16)}`].join('\n'),
];
const proved = (original: string, optimized: string, watched = true) =>
  proof(...pieces(original, optimized), { watched }).verdict === 'proved';
const refusal = (original: string, optimized: string) => why(...pieces(original, optimized), { watched: true });

describe('fences stay between the accesses that they are between', () => {
  const original = 'sw a1,0(a0); fence rw,rw; lw a2,0(a3)';
  test('where it was', () => {
    expect(proved(original, original)).toBe(true);
    expect(proved(original, 'sw a1,0(a0); addi zero,zero,0; fence rw,rw; lw a2,0(a3)')).toBe(true);
  });
  test.each([
    'fence rw,rw; sw a1,0(a0); lw a2,0(a3)',
    'sw a1,0(a0); lw a2,0(a3); fence rw,rw',
    'sw a1,0(a0); lw a2,0(a3)',
    'sw a1,0(a0); fence w,w; lw a2,0(a3)',
    'sw a1,0(a0); fence rw,rw; fence rw,rw; lw a2,0(a3)',
  ])('not %s', (optimized) => {
    expect(refusal(original, optimized)).toMatch(/memory differs|the order of events differs/);
  });
  test('atomic accesses, too', () => {
    const atomic = 'lw a2,0(a3); amoadd.w a4,a1,(a0); lw a5,0(a6)';
    expect(proved(atomic, atomic)).toBe(true);
    expect(proved(atomic, 'amoadd.w a4,a1,(a0); lw a2,0(a3); lw a5,0(a6)')).toBe(false);
    expect(proved(atomic, 'lw a2,0(a3); lw a5,0(a6); amoadd.w a4,a1,(a0)')).toBe(false);
  });
});

describe('stack, global and thread pointer are at any time what they were', () => {
  const original = 'sd a1,0(a0); addi a4,a4,1; ld a2,0(a3)';
  test.each(['sp', 'gp', 'tp'])('%s is not used for something else meanwhile', (reg) => {
    const between = `sd a1,0(a0); add a5,zero,${reg}; addi ${reg},zero,0; add ${reg},zero,a5; addi a4,a4,1; ld a2,0(a3)`;
    const save = (text: string) => text.replace('addi a4,a4,1', `addi a4,a4,1; add a5,zero,${reg}`);
    expect(refusal(save(original), between)).toMatch(/pointer is another at an access or between two/);
    // Nobody looks: it is the same again.
    expect(proved(save(original), between, false)).toBe(true);
    expect(proved(save(original), save(original))).toBe(true);
    // Neither before the first access nor behind the last one.
    for (const text of [
      `add a5,zero,${reg}; addi ${reg},zero,0; add ${reg},zero,a5; sd a1,0(a0); addi a4,a4,1; ld a2,0(a3)`,
      `sd a1,0(a0); addi a4,a4,1; ld a2,0(a3); add a5,zero,${reg}; addi ${reg},zero,0; add ${reg},zero,a5`,
      `add a5,zero,${reg}; addi ${reg},zero,0; sd a1,0(a0); add ${reg},zero,a5; addi a4,a4,1; ld a2,0(a3)`,
    ])
      expect(refusal(save(original), text)).toMatch(/pointer is another at an access or between two/);
  });
  test('while an address is put into it in two parts, the first one is anything', () => {
    const original = 'sd a1,0(a0); auipc gp,0x5; addi gp,gp,-1000; ld a2,0(a3)';
    // 0x9004 + 0xffffd000 - 1000, where the original has 0x1004 + 0x5000 - 1000.
    expect(proved(original, 'sd a1,0(a0); auipc gp,0xffffd; addi gp,gp,-1000; ld a2,0(a3)')).toBe(true);
    expect(proved(original, 'sd a1,0(a0); addi gp,zero,9; auipc gp,0xffffd; addi gp,gp,-1000; ld a2,0(a3)')).toBe(
      false,
    );
  });
  test('in two parts only where the original has two parts, and near it is not there', () => {
    const original = 'lui a4,0x12; addi a4,a4,256; addi gp,a4,0; ld a2,0(a3)';
    expect(proved(original, original)).toBe(true);
    expect(proved(original, 'lui a4,0x12; addi a4,a4,256; addi gp,a4,8; addi gp,a4,0; ld a2,0(a3)')).toBe(false);
    expect(proved(original, 'lui gp,0x12; addi gp,gp,256; add a4,gp,zero; ld a2,0(a3)')).toBe(false);
  });
  test('all together: no two of them meet that have not met', () => {
    const original = 'addi gp,zero,1; addi tp,zero,1; addi tp,zero,2; addi gp,zero,2; ld a2,0(a3)';
    expect(proved(original, original)).toBe(true);
    expect(proved(original, 'addi gp,zero,1; addi tp,zero,2; addi gp,zero,2; ld a2,0(a3)')).toBe(true);
    expect(proved(original, 'addi tp,zero,1; addi gp,zero,1; addi tp,zero,2; addi gp,zero,2; ld a2,0(a3)')).toBe(false);
    expect(proved(original, 'addi gp,zero,1; addi tp,zero,1; addi gp,zero,2; addi tp,zero,2; ld a2,0(a3)')).toBe(false);
  });
  test('it may go from one of its values to the next, or past one', () => {
    const frames = 'addi sp,sp,-16; sd a1,8(sp); addi sp,sp,-16; addi sp,sp,-32; sd a2,8(sp)';
    expect(proved(frames, 'addi sp,sp,-16; sd a1,8(sp); addi sp,sp,-48; sd a2,8(sp)')).toBe(true);
    expect(proved(frames, 'addi sp,sp,-16; sd a1,8(sp); addi sp,sp,-32; addi sp,sp,-16; sd a2,8(sp)')).toBe(false);
    // Below the stack pointer a handler writes.
    expect(proved(frames, 'sd a1,-8(sp); addi sp,sp,-64; sd a2,8(sp)')).toBe(false);
  });
});
