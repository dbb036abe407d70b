import { describe, expect, test } from 'vitest';
import { print } from '../../src/isa/text.ts';
import type { Item } from '../../src/lower/item.ts';
import { lowerSuperblock } from '../../src/lower/lower.ts';
import { parseSuperblock } from '../../src/superblock/text.ts';

const lower = (...lines: readonly string[]) =>
  lowerSuperblock(parseSuperblock(['superblock 0x1000 x100', 'path 0x1000', ...lines].join('\n')))!;
const text = (items: readonly Item[]): string[] =>
  items.map((item) =>
    'insn' in item ? `${item.kind === 'insn' ? '' : `${item.kind} `}${print(item.insn)}` : item.kind,
  );

describe('bases of pc-relative addresses', () => {
  const base = '%0:a5 = auipc 4096 @0x1000';
  const end = 'goto -> 0x1010 x100 live a0 {a0=%1}';
  test.each([
    ['a load', '%1:a0 = ld 8(%0) @0x1004'],
    ['an addition of an immediate', '%1:a0 = addi %0, 8 @0x1004'],
  ])('%s reads it with an offset', (_, op) => {
    const { line } = lower(base, op, end);
    expect(line.map(({ kind }) => kind)).toEqual(['high', 'low']);
    expect(line[1]).toMatchObject({ base: 0, address: 0x2008 });
  });
  test.each([
    ['an or of 0', '%1:a0 = ori %0, 0 @0x1004'],
    ['an exclusive or of 0', '%1:a0 = xori %0, 0 @0x1004'],
    ['a shift by 0', '%1:a0 = slli %0, 0 @0x1004'],
    ['an addition of words', '%1:a0 = addiw %0, 8 @0x1004'],
    ['an addition of a register', '%1:a0 = add %0, 0 @0x1004'],
  ])('%s does not: it needs the address itself', (_, op) => {
    const { line } = lower(base, op, end);
    expect(line[0]).toMatchObject({ kind: 'address', address: 0x2000 });
    expect(line[1]!.kind).toBe('insn');
  });
  test('nor does a move into the other file, or storing it', () => {
    expect(lower(base, '%1:fa0 = fmv.d.x %0 @0x1004', 'goto -> 0x1010 x100 live fa0 {fa0=%1}').line[0]!.kind).toBe(
      'address',
    );
    expect(lower(base, '%1 = sd %0, 8(%0) @0x1004', 'goto -> 0x1010 x100 live a0 {}').line[0]!.kind).toBe('address');
  });
});

describe('what an exit wants', () => {
  const moves = (live: string, snapshot: string, ...ops: string[]) =>
    text(lower(...ops, `goto -> 0x1010 x100 live ${live} {${snapshot}}`).line.slice(ops.length));
  test('nothing, where registers hold it', () => expect(moves('a0,a1', '')).toEqual([]));
  test('a chain of moves, last reader first', () =>
    expect(moves('a0,a1,a2', 'a0=a1 a1=a2')).toEqual(['add a0,zero,a1', 'add a1,zero,a2']));
  test('two registers exchanged through a dead one', () => expect(moves('a0,a1', 'a0=a1 a1=a0')).toHaveLength(3));
  test('or by themselves, where all are live', () =>
    expect(text(lower('goto -> 0x1010 x100 live all {a0=a1 a1=a0}').line).slice(0, 3)).toEqual([
      'xor a0,a0,a1',
      'xor a1,a1,a0',
      'xor a0,a0,a1',
    ]));
  test('floating-point registers need one: else the superblock is not lowered', () => {
    expect(moves('fa0,fa1', 'fa0=fa1 fa1=fa0')).toHaveLength(3);
    expect(
      lowerSuperblock(
        parseSuperblock('superblock 0x1000 x1\npath 0x1000\ngoto -> 0x1010 x1 live all {fa0=fa1 fa1=fa0}'),
      ),
    ).toBeUndefined();
  });
  test('constants', () => expect(moves('a0', 'a0=74565')).toEqual(['lui a0,0x12', 'addiw a0,a0,837']));
  test('in a floating-point register 0 alone', () => {
    expect(moves('fa0', 'fa0=0')).toEqual(['fmv.d.x fa0,zero']);
    for (const value of ['1', 'code:0x2000', 'link:0x2000'])
      expect(() => moves('fa0', `fa0=${value}`), value).toThrow(/internal error/);
  });
  test('a chain of sunk ops runs in one register, where all are live, and before it what reads what that held', () => {
    const { stubs } = lower(
      '%9 = beq a0, 0, .+64 @0x1000 leaves taken -> 0x1040 x2 live all {a4=a5 a5=%2}',
      '| %0:a5 = slli a1, 3 @0x1004',
      '| %1:a3 = add %0, a2 @0x1006',
      '| %2:a3 = xor %1, %1 @0x1008',
      'goto -> 0x1010 x98 live a0 {}',
    );
    expect(text(stubs[0]!.items)).toEqual(['add a4,zero,a5', 'slli a5,a1,0x3', 'add a5,a5,a2', 'xor a5,a5,a5']);
  });
  test('sunk ops compute straight into the register, in order', () => {
    const { stubs } = lower(
      '%2 = beq a0, 0, .+64 @0x1000 leaves taken -> 0x1040 x2 live a4,a5 {a4=%1 a5=%0}',
      '| %0:a5 = slli a1, 3 @0x1004',
      '| %1:a3 = add %0, a2 @0x1006',
      'goto -> 0x1010 x98 live a0 {}',
    );
    expect(text(stubs[0]!.items)).toEqual(['slli a5,a1,0x3', 'add a4,a5,a2']);
    expect(stubs[0]!.to).toBe(0x1040);
  });
});

test('a guard compares with what is expected, and jumps itself where it fails', () => {
  const { line, stubs } = lower(
    '%0 = jalr 0(a5) @0x1000/2 expect 0x2000 via a5 -> computed x3 live a0,a5 {}',
    'goto -> 0x2000 x97 live a0 {}',
  );
  expect(line[0]).toMatchObject({ kind: 'target', address: 0x2000 });
  expect(line[1]).toMatchObject({ kind: 'branch', stub: 0 });
  expect(text(stubs[0]!.items)).toEqual(['jalr zero,0(a5)']);
  expect(stubs[0]!.to).toBeUndefined();
});
