/** How far traces go: past joins and round loops where that runs often, not where it does not. */
import { describe, expect, test } from 'vitest';
import type { Addr } from '../../src/base/units.ts';
import type { EdgeKind } from '../../src/code/endings.ts';
import { makeFlow } from '../../src/superblock/flow.ts';
import { DEFAULT_SELECT, growTrace, type SelectOptions } from '../../src/superblock/select.ts';
import { assemble } from '../support/prove-pieces.ts';

/** A loop with two sides that join before its end. */
const [LOOP, ONE, OTHER, JOIN, AFTER] = [0x1000, 0x1004, 0x100c, 0x1010, 0x1018];
const CODE = assemble(
  [
    'beq a0,zero,0x100c',
    'addi a1,a1,100',
    'jal zero,0x1010',
    'addi a2,a2,100',
    'addi a3,a3,100',
    'bne a0,a4,0x1000',
    'jalr zero,0(ra)',
  ].join('\n'),
  LOOP,
);

/** @param round how often it goes round, @param one how often of that by the first side, @param times how often it is entered */
function flowOf(round: number, one: number, times: number) {
  const blocks: [Addr, Addr, number][] = [
    [LOOP, ONE, round],
    [ONE, OTHER, one],
    [OTHER, JOIN, round - one],
    [JOIN, AFTER, round],
    [AFTER, AFTER + 4, times],
  ];
  const edges: [Addr, Addr, EdgeKind, number][] = [
    [LOOP, ONE, 'fall', one],
    [LOOP, OTHER, 'taken', round - one],
    [ONE, JOIN, 'jump', one],
    [OTHER, JOIN, 'fall', round - one],
    [JOIN, LOOP, 'taken', round - times],
    [JOIN, AFTER, 'fall', times],
  ];
  return makeFlow(
    {
      blocks: blocks.map(([start, end, count]) => ({ start, end, count, insns: (end - start) / 4 })),
      edges: edges.map(([from, to, kind, count]) => ({
        from,
        to,
        kind,
        count,
        site: blocks.find(([at]) => at === from)![1] - 4,
      })),
    },
    { insnAt: (address) => CODE.get(address) },
  );
}

const grown = (
  flow: ReturnType<typeof flowOf>,
  head: Addr,
  heads: readonly Addr[],
  options: Partial<SelectOptions> = {},
) => {
  const trace = growTrace(flow, head, new Set(heads), { ...DEFAULT_SELECT, ...options })!;
  return { path: trace.steps.map(({ block }) => block.start), end: trace.end };
};

describe('joins', () => {
  const flow = flowOf(1000, 700, 1);
  const stopped = { path: [OTHER, JOIN], end: { kind: 'goto', target: LOOP } };
  test('a trace goes on behind the head of another, until it comes where it has been', () => {
    expect(grown(flow, OTHER, [LOOP])).toEqual({
      path: [OTHER, JOIN, LOOP, ONE],
      end: { kind: 'goto', target: JOIN },
    });
  });
  test('not where the copy would run seldom', () =>
    expect(grown(flow, OTHER, [LOOP], { copyShare: 0.1 })).toEqual(stopped));
  test('not where little of its flow arrives', () =>
    expect(grown(flow, OTHER, [JOIN], { copyArrival: 0.9 })).toEqual({
      path: [OTHER, JOIN, LOOP],
      end: { kind: 'goto', target: ONE },
    }));
  test('only so far', () => {
    expect(grown(flow, OTHER, [LOOP], { maxCopied: 0 })).toEqual(stopped);
    expect(grown(flow, OTHER, [LOOP], { maxCopied: 1 }).path).toEqual([OTHER, JOIN, LOOP]);
  });
});

describe('loops', () => {
  const around = [LOOP, ONE, JOIN];
  const times = (count: number) => Array.from({ length: count }, () => around).flat();
  test('are unrolled as long as one in ten gets so far', () => {
    expect(grown(flowOf(1000, 990, 1), LOOP, [])).toEqual({ path: times(8), end: { kind: 'goto', target: LOOP } });
    expect(grown(flowOf(1000, 600, 1), LOOP, []).path).toEqual([...times(4), LOOP]);
  });
  test('up to a size', () => {
    expect(grown(flowOf(1000, 990, 1), LOOP, [], { maxUnrolled: 18 }).path).toEqual(times(3));
  });
  test('more than twice only where the copies run often', () => {
    expect(grown(flowOf(1000, 990, 1), LOOP, [], { copyShare: 0.9 }).path).toEqual(times(2));
  });
});

describe('why a trace ends', () => {
  const often = flowOf(1000, 990, 1);
  const evenly = flowOf(1000, 600, 1);
  test.each<[string, ReturnType<typeof flowOf>, Addr, readonly Addr[], Partial<SelectOptions>]>([
    ['control is not known to have gone on behind it', often, AFTER, [], {}],
    ['it goes round its loop 8 times already', often, LOOP, [], {}],
    ['another round of its loop would bring it above 18 instructions', often, LOOP, [], { maxUnrolled: 18 }],
    ['another round of its loop would run too seldom for its bytes', often, LOOP, [], { copyShare: 0.9 }],
    ['less than 10 % of its entries arrive at the next block', evenly, LOOP, [], {}],
    ['the next block would bring it above 3 instructions', often, LOOP, [], { maxInsns: 3 }],
    ['it comes back to a block that it has been through', evenly, OTHER, [LOOP], {}],
    ['more than 0 instructions would be copies of those behind a join', often, OTHER, [LOOP], { maxCopied: 0 }],
    [
      'less than 99.5 % of its entries arrive at the next block behind a join',
      evenly,
      OTHER,
      [JOIN],
      { copyArrival: 0.995 },
    ],
    [
      'the copy of the next block behind a join would run too seldom for its bytes',
      often,
      OTHER,
      [LOOP],
      { copyShare: 1 },
    ],
  ])('%s', (reason, flow, head, heads, options) => {
    expect(growTrace(flow, head, new Set(heads), { ...DEFAULT_SELECT, ...options })!.ended).toBe(reason);
  });
});
