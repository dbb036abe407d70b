import { expect, test } from 'vitest';
import { runCost } from '../../src/superblock/run-cost.ts';
import { parseSuperblock } from '../../src/superblock/text.ts';

const costOf = (...lines: string[]) =>
  runCost(parseSuperblock(['superblock 0x1000 x100', 'path 0x1000', ...lines].join('\n')));

test('an inverted branch saves the turns of the hot way, and no instruction', () => {
  const rest = 'live none {}';
  const before = costOf(
    `%0 = beq a0, a1, .+16 @0x1000 leaves untaken -> 0x1004 x1 ${rest}`,
    `goto -> 0x1010 x99 ${rest}`,
  );
  const after = costOf(`%0 = bne a0, a1, .+16 @0x1000 leaves taken -> 0x1004 x1 ${rest}`, `goto -> 0x1010 x99 ${rest}`);
  expect(before).toEqual({ instructions: 100, taken: 99, cycles: 199 });
  expect(after).toEqual({ instructions: 100, taken: 1, cycles: 101 });
});

test('a jump along the line is an instruction and a turn', () => {
  const goto = 'goto -> 0x1010 x100 live a0 {a0=%1}';
  const add = '%1:a0 = addi a0, 1 @0x1010';
  expect(costOf('%0 = jal .+16 @0x1000', add, goto)).toEqual({ instructions: 200, taken: 100, cycles: 200 });
  expect(costOf(add, goto)).toEqual({ instructions: 100, taken: 0, cycles: 100 });
});

test('what waits for an address that is loaded costs cycles until something is put between', () => {
  const pointer = '%0:a0 = ld 0(a0) @0x1000';
  const value = '%1:a1 = ld 0(%0) @0x1004';
  const others = ['%2:a2 = addi a2, 1 @0x1008', '%3:a3 = addi a3, 1 @0x100c', '%4:a4 = addi a4, 1 @0x1010'];
  const goto = 'goto -> 0x1014 x100 live a0,a1,a2,a3,a4 {a0=%0 a1=%1 a2=%2 a3=%3 a4=%4}';
  const waiting = costOf(pointer, value, ...others, goto);
  const filled = costOf(pointer, ...others, value, goto);
  expect(waiting.instructions).toBe(500);
  expect(filled.instructions).toBe(500);
  expect(waiting.cycles).toBeGreaterThan(filled.cycles);
});
