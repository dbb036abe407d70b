/** Where mappings go, and what pages hold of which file, however many mappings there are. */
import { describe, expect, it } from 'vitest';
import { PAGE } from '../../src/base/units.ts';
import { FreePages } from '../../src/machine/free.ts';
import { BackedPages } from '../../src/machine/linux/backed.ts';
import { Memory, PERMISSION } from '../../src/machine/memory.ts';
import { makeRandom } from '../support/random.ts';

const SIZE = 2 ** 24;
const TOP = SIZE - 5 * PAGE;

/** The highest free range of so many pages, page by page. */
function slowly({ permissions }: Memory, wanted: number): number | undefined {
  let end = TOP / PAGE;
  for (let page = end - 1; page > 0; page--) {
    if (permissions[page] !== 0) end = page;
    else if (end - page === wanted) return page;
  }
  return undefined;
}

describe('free ranges', () => {
  it.each([1, 2, 3])('are found where a look at each page finds them, seed %i', (seed) => {
    const random = makeRandom(seed);
    const memory = new Memory(SIZE, 2 ** 20);
    const free = new FreePages(memory, TOP);
    const { below } = random;
    for (let round = 0; round < 600; round++) {
      const length = below(8) === 0 ? below(900) + 1 : below(70) + 1;
      const at = below(SIZE / PAGE - length);
      memory.protect(at * PAGE, length * PAGE, below(2) === 0 ? 0 : PERMISSION.MAPPED);
      for (const wanted of [1, below(5) + 1, below(200) + 1, below(3000) + 1])
        expect([wanted, free.highest(wanted)]).toEqual([wanted, slowly(memory, wanted)]);
    }
  });

  it('are found at the same cost when everything above is full of holes that are too small', () => {
    const memory = new Memory(SIZE, 2 ** 20);
    let looks = 0;
    const permissions = new Proxy(memory.permissions, {
      get: (all, page) => {
        looks++;
        return Reflect.get(all, page);
      },
    });
    const counted = { permissions, watch: memory.watch.bind(memory) } as unknown as Memory;
    const free = new FreePages(counted, TOP);
    for (let page = 0; page < 1500; page++) memory.protect(TOP - (2 * page + 1) * PAGE, PAGE, PERMISSION.MAPPED);
    // Blocks are counted when they are first asked for.
    free.highest(1);
    looks = 0;
    for (let i = 0; i < 500; i++) memory.protect(free.highest(2)! * PAGE, 2 * PAGE, PERMISSION.MAPPED);
    expect(looks).toBeLessThan(500 * 200);
    expect(looks).toBeGreaterThan(0);
  });
});

describe('pages of files', () => {
  const part = (address: number, pages: number, name: number) => ({
    address,
    length: pages * PAGE,
    file: { path: '', ino: 0 },
    offset: 0,
    read: (at: number, target: Uint8Array) => void target.fill(name + at / PAGE),
  });
  const heldAt = (backed: BackedPages, address: number): number | undefined => {
    const found = backed.at(address);
    if (found === undefined) return undefined;
    const target = new Uint8Array(1);
    found.read(found.offset + address - found.address, target);
    return target[0];
  };

  it('are told apart when parts of mappings go, move and are mapped over', () => {
    const backed = new BackedPages(SIZE);
    expect(backed.at(PAGE)).toBeUndefined();
    backed.push(part(PAGE, 8, 10), part(9 * PAGE, 2, 50));
    backed.release(3 * PAGE, 2 * PAGE);
    backed.push(part(4 * PAGE, 1, 90));
    const held = (first: number, count: number) =>
      Array.from({ length: count }, (_, i) => heldAt(backed, (first + i) * PAGE));
    expect(held(0, 12)).toEqual([undefined, 10, 11, undefined, 90, 14, 15, 16, 17, 50, 51, undefined]);
    const moved = backed.moved(2 * PAGE, 8 * PAGE, 100 * PAGE);
    backed.release(2 * PAGE, 8 * PAGE);
    backed.push(...moved);
    expect(held(0, 12)).toEqual([undefined, 10, ...new Array(8), 51, undefined].map((v) => v ?? undefined));
    expect(held(100, 9)).toEqual([11, undefined, 90, 14, 15, 16, 17, 50, undefined]);
  });
});
