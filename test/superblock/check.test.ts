import { describe, expect, test } from 'vitest';
import { checkSuperblock } from '../../src/superblock/check.ts';
import { parseSuperblock } from '../../src/superblock/text.ts';

const GOOD = `superblock 0x1000 x100
path 0x1000
%0:a0 = addi a0, 1 @0x1000/2
%1 = sw %0, 0(a1) @0x1002/2
%2 = beq %0, a2, .+20 @0x1006 leaves taken -> 0x101a x2 live a0,a1,a2 {a0=%0 a2=%3}
| %3:a2 = addi a1, 8 @0x1004
%4:a2 = lw 0(a1) @0x100a/2
%5 = sw %4, 4(a1) @0x100c/2
goto -> 0x100e x98 live a0,a2 {a0=%0 a2=%4}
`;

describe('the checker', () => {
  const before = parseSuperblock(GOOD);
  test('has nothing against what is right', () => {
    checkSuperblock(before, 'nobody');
    checkSuperblock(before, 'nobody', before);
  });

  const edits: readonly (readonly [string, string, string])[] = [
    ['a value that is not defined', '%5 = sw %4', '%5 = sw %9'],
    ['a value of later on', '%1 = sw %0', '%1 = sw %4'],
    ['the same id twice', '%4:a2', '%0:a2'],
    [
      'a home that was overwritten',
      'goto -> 0x100e x98 live a0,a2 {a0=%0 a2=%4}',
      'goto -> 0x100e x98 live a0,a2 {a0=a2 a2=%4}',
    ],
    [
      'a live register that was overwritten',
      'goto -> 0x100e x98 live a0,a2 {a0=%0 a2=%4}',
      'goto -> 0x100e x98 live a0,a2 {a0=%0}',
    ],
    ['an impure op that has sunk', '| %3:a2 = addi a1, 8 @0x1004', '| %3:a2 = lw 8(a1) @0x1004'],
    [
      'a branch without an exit',
      ' leaves taken -> 0x101a x2 live a0,a1,a2 {a0=%0 a2=%3}\n| %3:a2 = addi a1, 8 @0x1004',
      '',
    ],
    ['an indirect jump that is no guard', '%1 = sw %0, 0(a1) @0x1002/2', '%1 = jalr 0(a1) @0x1002/2 via a1'],
    ['a constant operand other than 0', '%5 = sw %4', '%5 = sw 7'],
    ['an address as an operand', '%5 = sw %4', '%5 = sw code:0x1000'],
  ];
  test.each(edits)('%s', (_, from, to) => {
    expect(GOOD).toContain(from);
    const wrong = parseSuperblock(GOOD.replace(from, to));
    expect(() => checkSuperblock(wrong, 'the pass')).toThrow('the pass broke superblock 0x1000');
  });

  const losses: readonly (readonly [string, string, string])[] = [
    ['a store', '%1 = sw %0, 0(a1) @0x1002/2\n', '%9 = sw %0, 0(a1) @0x1002/2\n'],
    [
      'what is stored at an exit',
      '| %3:a2 = addi a1, 8 @0x1004\n',
      '| %3:a2 = addi a1, 8 @0x1004\n| %5 = sw %0, 0(a1) @0x100c/2\n',
    ],
    ['the order of stores', '%1 = sw %0, 0(a1) @0x1002/2\n', ''],
    [
      'an exit',
      '%2 = beq %0, a2, .+20 @0x1006 leaves taken -> 0x101a x2 live a0,a1,a2 {a0=%0 a2=%3}\n| %3:a2 = addi a1, 8 @0x1004\n',
      '',
    ],
    ['where an exit leads', '-> 0x101a', '-> 0x101c'],
    ['where the end leads', 'goto -> 0x100e', 'goto -> 0x1010'],
    ['what is live at an exit', 'live a0,a1,a2 {a0=%0 a2=%3}', 'live a0,a2 {a0=%0 a2=%3}'],
  ];
  test.each(losses)('a pass may not lose or change %s', (what, from, to) => {
    expect(GOOD).toContain(from);
    let text = GOOD.replace(from, to);
    if (what === 'the order of stores') text = text.replace('goto', `${from}goto`);
    expect(() => checkSuperblock(parseSuperblock(text), 'the pass', before)).toThrow('the pass broke');
  });
});
