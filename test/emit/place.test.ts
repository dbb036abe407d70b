import { describe, expect, test } from 'vitest';
import type { Addr } from '../../src/base/units.ts';
import { layOut } from '../../src/emit/layout.ts';
import { type Group, isStub, place } from '../../src/emit/place.ts';
import { makeInsn } from '../../src/isa/encode.ts';
import type { Item, LoweredSuperblock, Stub } from '../../src/lower/item.ts';

const op: Item = { kind: 'insn', insn: makeInsn('addi', { rd: 10, rs1: 11, imm: 100 }) };
const branch = (stub: number): Item => ({ kind: 'branch', insn: makeInsn('beq', { rs1: 20, rs2: 21 }), stub });
const stub = (to: Addr, count: number, items: Item[] = []): Stub => ({ to, count, items, scratch: undefined });
const line = (
  head: Addr,
  count: number,
  to: Addr,
  taken: number,
  rest: Partial<LoweredSuperblock> & { kind?: 'goto' | 'call'; flippable?: boolean } = {},
): LoweredSuperblock => ({
  head,
  count,
  line: rest.line ?? [op],
  stubs: rest.stubs ?? [],
  final: { kind: rest.kind ?? 'goto', to, count: taken, scratch: 5, flippable: rest.flippable ?? false },
});

/** Heads of lines, and `head.stub` of stubs, in order. */
const order = (groups: readonly Group[]): (number | string)[] =>
  groups.flatMap(({ pieces }) =>
    pieces.map((piece) => (isStub(piece) ? `${piece.of.head}.${piece.stub}` : piece.head)),
  );

describe('chains', () => {
  test('of two that lead to one line, the hotter stands before it', () => {
    expect(order(place([line(1, 10, 3, 10), line(2, 90, 3, 90), line(3, 100, 4, 100)]))).toEqual([2, 3, 1]);
  });
  test('so does a stub that is hotter than the lines are', () => {
    const hot = line(1, 100, 9, 20, { line: [branch(0), op], stubs: [stub(3, 80, [op])] });
    expect(order(place([hot, line(2, 10, 3, 10), line(3, 90, 9, 90)]))).toEqual([1, '1.0', 3, 2]);
  });
  test('a stub with nothing to do is none, nor is one that is cold', () => {
    const lines = (made: Stub) => [line(1, 100, 9, 20, { line: [branch(0), op], stubs: [made] }), line(3, 90, 9, 90)];
    expect(order(place(lines(stub(3, 80))))).toEqual([1, 3]);
    expect(order(place(lines(stub(3, 1, [op]))))).toEqual([1, 3]);
  });
  test('a loop falls out into its exit, by way of its stub if there is one', () => {
    const loop = (items: Item[]) =>
      line(1, 100, 1, 90, { line: [op, branch(0)], stubs: [stub(3, 10, items)], flippable: true });
    expect(order(place([loop([]), line(3, 10, 9, 10)]))).toEqual([1, 3]);
    expect(order(place([loop([op]), line(3, 10, 9, 10)]))).toEqual([1, '1.0', 3]);
  });
  test('the return point stands behind the call, however hot another way to it is', () => {
    expect(order(place([line(1, 5, 3, 5, { kind: 'call' }), line(2, 90, 3, 90), line(3, 95, 9, 95)]))).toEqual([
      1, 3, 2,
    ]);
  });
  test('ways to another name of a head count for that head', () => {
    expect(order(place([line(1, 10, 7, 10), line(3, 10, 9, 10)], new Map([[7, 3]])))).toEqual([1, 3]);
  });
});

describe('groups', () => {
  test('what a hot line branches to stands near it, before what is hotter', () => {
    const from = line(1, 100, 91, 50, { line: [branch(0), op], stubs: [stub(4, 50)] });
    expect(order(place([from, line(2, 90, 92, 90), line(3, 80, 93, 80), line(4, 50, 94, 50)]))).toEqual([1, 4, 2, 3]);
  });
  test('every branch reaches its stub, however long a chain of calls is', () => {
    const lines = Array.from({ length: 60 }, (_, index) =>
      line(index, 100 + (index % 7), index === 59 ? 0xf0000 : index + 1, 100, {
        kind: 'call',
        line: [
          ...Array.from({ length: 30 }, (_, number) => [op, branch(number)]).flat(),
          { kind: 'call', to: 0xf0000, link: 1 },
        ],
        stubs: Array.from({ length: 30 }, () => stub(0xf0000, 0, [op, op, op])),
      }),
    );
    const groups = place(lines);
    expect(groups.length).toBeGreaterThan(2);
    expect(order(groups).sort((a, b) => Number(a) - Number(b))).toEqual(lines.map(({ head }) => head));
    // A branch over a jump would take eight bytes. The call may be followed by a jump to its return point.
    for (const { start, end } of layOut(groups, 0x100000).superblocks)
      expect(end - start).toBeLessThanOrEqual(30 * 8 + 4 + 4);
  });
});
