import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blocksOf, retired } from '../../src/profile/blocks.ts';
import { collect } from '../../src/profile/collect.ts';
import { OUTSIDE } from '../../src/profile/profile.ts';
import { merge } from '../../src/profile/store.ts';
import { assemble } from '../cfg/assembly.ts';
import { linksOf, runtime } from '../support/places.ts';
import { walk } from './runs.ts';

const PROGRAM = assemble(`
Main:
  addi a0,zero,5
loop:
  addi a0,a0,-1
  beq a0,a1,@skip
  addi a2,a2,1
inner:
  addi a3,a3,1
skip:
  bne a0,zero,@loop
  jal ra,@Leaf
back:
  jal zero,@inner
Leaf:
  addi a4,a4,1
  blt a4,a5,@Leaf
  jalr zero,0(ra)
Sys:
  ecall
  ebreak
`);

const bySeed = (seed: number) => {
  let state = seed;
  return (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
};

describe('the law of counts', () => {
  test('blocks and edges of random walks, stopped anywhere, are exact', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 300 }), fc.constantFrom(0, 0x4000), (seed, steps, bias) => {
        const { image, at } = PROGRAM;
        const targets = [at('back'), at('Main'), at('Sys'), at('inner')];
        const run = walk(image, image.entry, steps, bySeed(seed), targets, bias);
        const profile = run.profile.images[0]!;
        const { blocks, edges, retired: sum } = blocksOf(profile, image);
        expect(sum).toBe(run.profile.instructions);
        expect(retired(profile, image)).toBe(sum);
        // Each instruction but those behind the stop, which is in one block only.
        const counts = new Map<number, number>();
        for (const { start, end, count } of blocks) for (let pc = start; pc < end; pc += 4) counts.set(pc, count);
        const { at: stop } = profile.stops[0]!;
        const last = blocks.find(({ start, end }) => start < stop && stop < end);
        for (const [pc, count] of counts)
          expect(run.retired.get(pc) ?? 0).toBe(last && pc >= stop && pc < last.end ? count - 1 : count);
        for (const pc of run.retired.keys()) expect(counts.has(pc)).toBe(true);
        // Flow: what enters a block is its count, plus the stop if it is right there.
        for (const { start, count } of blocks) {
          const entered = edges.reduce((total, edge) => total + (edge.to === start ? edge.count : 0), 0);
          const starts = start === image.entry ? 1 : 0;
          expect(entered + starts - (stop === start ? 1 : 0)).toBe(count);
        }
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test('sums of runs obey it too', () => {
    const { image, at } = PROGRAM;
    const runs = [11, 57, 123].map((steps) => walk(image, image.entry, steps, bySeed(steps), [at('back')]).profile);
    expect(retired(merge(...runs).images[0]!, image)).toBe(11 + 57 + 123);
  });
});

test('kinds of edges follow from link registers', () => {
  const { image, at } = assemble(`
Main:
  jal ra,@Callee
  jal t0,@Milli
  jal zero,@next
next:
  jalr ra,0(a0)
  jalr zero,0(a1)
Callee:
  jalr zero,0(ra)
Milli:
  jalr zero,0(t0)
last:
  beq a0,a1,@Main
  ecall
end:
  ebreak
`);
  const pairs: [string | number, string | number][] = [
    ['Main', 'Callee'],
    ['Callee', 0x10004],
    [0x10004, 'Milli'],
    ['Milli', 0x10008],
    [0x10008, 'next'],
    ['next', 0x10010],
    [0x10010, 'last'],
    ['last', 'Main'],
    ['last', at('last') + 4],
    [at('last') + 4, 'end'],
  ];
  const address = (name: string | number) => (typeof name === 'number' ? name : at(name));
  const transfers = pairs.map(([from, to]) => ({ from: runtime(address(from)), to: runtime(address(to)), count: 1 }));
  const { images } = collect({
    transfers,
    // The walk above is no run: starts and stops make up for what is missing.
    starts: [
      { at: runtime(at('Main')), count: 0 },
      { at: runtime(at('last')), count: 1 },
    ],
    stops: [{ at: runtime(at('end')), count: 1 }],
    links: linksOf(image),
    instructions: 10,
  });
  const { edges } = blocksOf(images[0]!, image);
  expect(
    Object.fromEntries(edges.map(({ site, to, kind }) => [`${site.toString(16)}-${to.toString(16)}`, kind])),
  ).toEqual({
    '10000-10014': 'call',
    '10014-10004': 'return',
    '10004-10018': 'call',
    '10018-10008': 'return',
    '10008-1000c': 'jump',
    '1000c-10010': 'indirect-call',
    '10010-1001c': 'indirect',
    '1001c-10000': 'taken',
    '1001c-10020': 'fall',
    '10020-10024': 'syscall',
  });
});

describe('profiles that cannot be', () => {
  const { image, at } = PROGRAM;
  const base = {
    hash: image.hash,
    name: 'test',
    starts: [{ at: at('Main'), count: 1 }],
    stops: [{ at: at('loop'), count: 1 }],
  };
  test.each([
    ['flow that vanishes', { ...base, stops: [] }],
    ['a stop that nothing reaches', { ...base, stops: [...base.stops, { at: at('Sys'), count: 1 }] }],
    ['a transfer from a straight line', { ...base, transfers: [{ from: at('Main'), to: at('loop'), count: 1 }] }],
    ['a transfer from nowhere', { ...base, transfers: [{ from: 0x999998, to: at('loop'), count: 1 }] }],
    ['execution of what is no code', { ...base, starts: [{ at: 0x10002, count: 1 }], stops: [] }],
  ])('%s', (_, profile) => {
    expect(() => blocksOf({ transfers: [], others: [], ...profile }, image)).toThrow(
      expect.objectContaining({ code: 'bad-profile' }),
    );
  });
});

test('control that leaves the image and comes back is not lost', () => {
  const { image } = assemble('Main:\n  addi a0,a0,1\n  jalr ra,0(a1)\n  addi a0,a0,1\n  jalr zero,0(ra)');
  const { images } = collect({
    transfers: [
      { from: runtime(0x20004), to: runtime(0x900000), count: 3 },
      { from: runtime(0x900000), to: runtime(0x20008), count: 3 },
      { from: runtime(0x900004), to: runtime(0x900000), count: 3 },
      { from: runtime(0x2000c), to: runtime(0x20000), count: 3 },
    ],
    starts: [
      { at: runtime(0x20000), count: 1 },
      { at: runtime(0x900000), count: 1 },
    ],
    stops: [{ at: runtime(0x20000), count: 1 }],
    links: linksOf(image, 0x10000),
    instructions: 12,
  });
  expect(images[0]!.transfers[0]).toEqual({ from: 0x10004, to: OUTSIDE, count: 3 });
  expect(retired(images[0]!, image)).toBe(12);
});

test('a straight line of thousands of instructions is several blocks', () => {
  const { image, at } = assemble(`Main:\n${'  addi a0,a0,1\n'.repeat(4500)}  jalr zero,0(ra)\n`);
  const run = walk(image, image.entry, 9100, bySeed(1), [at('Main')], 0);
  const { blocks, edges, retired: sum } = blocksOf(run.profile.images[0]!, image);
  expect(sum).toBe(9100);
  expect(blocks.map(({ insns, count }) => [insns, count])).toEqual([
    [2000, 3],
    [2000, 2],
    [501, 2],
  ]);
  expect(edges.filter(({ kind }) => kind === 'fall').map(({ to, count }) => [to, count])).toEqual([
    [at('Main') + 8000, 2],
    [at('Main') + 16000, 2],
  ]);
});
