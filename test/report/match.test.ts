/** Which original an optimized instruction stands for, found from the code alone. */
import { expect, test } from 'vitest';
import { parse } from '../../src/isa/text.ts';
import { originsOf } from '../../src/report/match.ts';

const placed = (base: number, lines: readonly string[]) =>
  lines.map((line, index) => ({ address: base + 4 * index, insn: parse(line, base + 4 * index) }));

test('an instruction that has moved past others keeps its original, in other registers too', () => {
  const path = placed(0x100, [
    'addi s2,s0,16',
    'addi s3,s3,1',
    'lbu a5,8(s0)',
    'slli a5,a5,2',
    'sd s3,0(a0)',
    'add a5,a5,s4',
  ]);
  const line = placed(0x200, [
    'lbu t5,8(s2)',
    'slli t6,t5,2',
    'addi s2,s2,16',
    'add a5,t6,s4',
    'addi s3,s3,1',
    'sd s3,0(a0)',
  ]);
  const stubs = placed(0x300, ['addi s3,s3,1']);
  expect(Object.fromEntries(originsOf(path, line, stubs))).toEqual(
    Object.fromEntries([
      [0x200, 0x108],
      [0x204, 0x10c],
      [0x208, 0x100],
      [0x20c, 0x114],
      [0x210, 0x104],
      [0x214, 0x110],
    ]),
  );
});

test('another immediate is another instruction', () => {
  const path = placed(0x100, ['ld a0,8(sp)', 'mul a1,a1,a2']);
  const line = placed(0x200, ['mul a1,a1,a2', 'ld a0,16(sp)']);
  expect([...originsOf(path, line, [])]).toEqual([[0x200, 0x104]]);
});
