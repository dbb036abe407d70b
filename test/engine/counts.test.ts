/** Counters beside a spanning tree: walks through regions made at random, counted in full and through the counters that a region has. */
import { describe, expect, it } from 'vitest';
import { TransferCounts } from '../../src/engine/transfers.ts';
import { type CountSource, type Edge, RegionCounts } from '../../src/engine/translate/counts.ts';
import { type Flow, flowOf } from '../../src/engine/translate/flow.ts';
import type { CodeInsn } from '../../src/engine/translate/insns.ts';
import type { Block, Ending, Region } from '../../src/engine/translate/region.ts';
import { makeRandom } from '../support/random.ts';

type Random = ReturnType<typeof makeRandom>;
const pcOf = (block: number): number => 0x1000 + 16 * block;
const OUTSIDE = 0x9000;
const RETURN_SITE = 0x8000;

function randomRegion(random: Random): Region {
  const size = 2 + random.below(12);
  const blocks = Array.from({ length: size }, (_, index): Block => {
    const any = () => {
      const block = random.below(size + 1) - 1;
      return { pc: block < 0 ? OUTSIDE + 2 * index : pcOf(block), block };
    };
    const kind = (['fall', 'goto', 'branch', 'branch', 'branch', 'call', 'return', 'switch', 'leave'] as const)[
      random.below(9)
    ]!;
    const count = { branch: 2, switch: random.below(4), return: 0 }[kind as string] ?? 1;
    const successors = Array.from({ length: count }, any);
    // Only what counting looks at.
    const insn = { pc: pcOf(index) + 2, record: index, ending: 'goto', target: OUTSIDE + 0x100 + index } as CodeInsn;
    const outside = { pc: OUTSIDE + 2 * index, block: -1 };
    return { pc: pcOf(index), insns: [insn], ending: kind, successors: kind === 'leave' ? [outside] : successors };
  });
  return { head: pcOf(0), blocks };
}

function setting(random: Random): { flow: Flow; cells: Map<number, number>; source: CountSource } {
  const cells = new Map<number, number>();
  let free = 8;
  const source: CountSource = {
    counting: true,
    seen: () => random.below(1000),
    allocate: (bytes) => {
      free += bytes;
      return free;
    },
    read: (cell) => cells.get(cell) ?? 0,
    returnCell: (from) => from,
    returnOf: (cell) => ({ from: RETURN_SITE, to: cell + 4 }),
  };
  return { flow: flowOf(randomRegion(random)), cells, source };
}

/** Goes from an entry until control is outside and does not come back; now and then it leaves in the middle of a block. */
function walk(
  flow: Flow,
  counts: RegionCounts,
  random: Random,
  passed: (edge: Edge) => void,
  left: (block: number) => void,
) {
  const pick = random.below(flow.entries.length);
  passed(counts.entries[pick]!);
  let block = flow.entries[pick]!.block;
  for (let steps = 0; block < flow.region.blocks.length; steps++) {
    const { ending } = flow.region.blocks[block]!;
    if (ending === ('leave' satisfies Ending) || steps > 100 || random.below(20) === 0) {
      left(block);
      return;
    }
    const { successors, out, returned, returnedOtherwise } = counts.exits[block]!;
    const ways = out === undefined ? successors : [...successors, out];
    const way = ways[random.below(ways.length)]!;
    passed(way);
    block = way.to;
    if (ending !== 'call') continue;
    // Some calls never come back.
    if (random.below(10) === 0) return;
    const back = random.below(4) === 0 ? returnedOtherwise! : returned!;
    passed(back);
    block = back.to;
  }
}

describe('counts of a region', () => {
  it('follow from its counters, whatever way it was run', () => {
    let saved = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const random = makeRandom(seed);
      const { flow, cells, source } = setting(random);
      const counts = new RegionCounts(flow, source);
      const bump = (cell: number | undefined) => {
        if (cell !== undefined) cells.set(cell, (cells.get(cell) ?? 0) + 1);
      };
      const expected = new TransferCounts();
      for (let walks = random.below(30); walks > 0; walks--)
        walk(
          flow,
          counts,
          random,
          (edge) => {
            bump(edge.cell);
            if (edge.cell === undefined) saved++;
            if (edge.transfer !== undefined) expected.add(edge.transfer.from, edge.transfer.to, 1);
            if (edge.returnCell !== undefined) expected.add(RETURN_SITE, edge.returnCell + 4, 1);
          },
          (block) => bump(counts.left(block)),
        );
      const found = new TransferCounts();
      counts.collect(found);
      expect(found.list(), `seed ${seed}`).toEqual(expected.list());
    }
    expect(saved).toBeGreaterThan(1000);
  });

  it('that do not add up are noticed', () => {
    let noticed = 0;
    for (let seed = 1; seed <= 50; seed++) {
      const random = makeRandom(seed);
      const { flow, cells, source } = setting(random);
      const counts = new RegionCounts(flow, source);
      // Control has left in the middle of the head, but never came there.
      cells.set(counts.left(flow.entries[0]!.block)!, 1);
      try {
        counts.collect(new TransferCounts());
      } catch (error) {
        expect((error as Error).message).toMatch(/do not add up/);
        noticed++;
      }
    }
    // Where the way in follows from the way out it is made up for.
    expect(noticed).toBeGreaterThan(0);
  });
});
