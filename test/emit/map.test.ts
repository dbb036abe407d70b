import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IsoformError } from '../../src/base/errors.ts';
import { type AddressMapData, decodeMap, encodeMap } from '../../src/emit/map.ts';

const DATA: AddressMapData = {
  version: 1,
  original: 'ab'.repeat(32),
  originalEnd: 0x13000,
  superblocks: [
    {
      head: 0x10100,
      start: 0x14000,
      end: 0x14020,
      stubs: [[0x14100, 0x14108]],
      path: [0x10100],
      count: 7,
      identity: false,
    },
    {
      head: 0x10200,
      start: 0x14020,
      end: 0x14040,
      stubs: [],
      path: [0x10200, 0x10210],
      count: 0,
      identity: true,
      rejected: 'a reason',
    },
  ],
  returns: [[0x14040, 0x10240]],
  patches: [[0x10100, 4]],
  assumptions: ['A1', 'A5'],
};

describe('the address map', () => {
  const map = decodeMap(encodeMap(DATA), 'file');

  test('decodes to what was encoded', () => expect(map.data).toEqual(DATA));

  test('what lies together takes little', () => {
    const superblocks = Array.from({ length: 100 }, (_, i) => ({
      head: 0x10100 + 64 * i,
      start: 0x14000 + 40 * i,
      end: 0x14000 + 40 * (i + 1),
      stubs: [[0x18000 + 6 * i, 0x18006 + 6 * i] as const],
      path: [0x10100 + 64 * i, 0x10120 + 64 * i],
      count: 100,
      identity: false,
    }));
    const bytes = encodeMap({ ...DATA, superblocks });
    expect(bytes.length).toBeLessThan(100 * 13 + 120);
    expect(decodeMap(bytes, 'file').data.superblocks).toEqual(superblocks);
  });

  test('finds lines and stubs, and nothing between or beside them', () => {
    const head = (address: number) => map.superblockAt(address)?.head;
    expect([0x14000, 0x1401e, 0x14100, 0x14106].map(head)).toEqual(Array(4).fill(0x10100));
    expect([0x14020, 0x1403e].map(head)).toEqual([0x10200, 0x10200]);
    expect([0, 0x13ffe, 0x14040, 0x140fe, 0x14108, 2 ** 47].map(head)).toEqual(Array(6).fill(undefined));
  });

  test('pairs starts and return addresses', () => {
    expect(map.toOriginal(0x14020)).toBe(0x10200);
    expect(map.toOriginal(0x14040)).toBe(0x10240);
    expect(map.toOriginal(0x14002)).toBeUndefined();
    expect(map.isPair(0x10240, 0x14040)).toBe(true);
    expect(map.isPair(0x10242, 0x14040)).toBe(false);
  });

  const use = (bytes: Uint8Array) => {
    try {
      const damaged = decodeMap(bytes, 'the file');
      for (const address of [0, 0x14000, 0x14100]) {
        damaged.superblockAt(address);
        damaged.toOriginal(address);
      }
      for (const { stubs, path, count } of damaged.data.superblocks) {
        for (const [start, end] of stubs) expect(Number.isSafeInteger(start + end)).toBe(true);
        expect(Number.isSafeInteger(path.length + count)).toBe(true);
      }
      for (const [optimized, original] of damaged.data.returns)
        expect(Number.isSafeInteger(optimized + original)).toBe(true);
      for (const [at, size] of damaged.data.patches) expect(Number.isSafeInteger(at + size)).toBe(true);
      for (const id of damaged.data.assumptions) expect(typeof id).toBe('string');
    } catch (error) {
      if (!(error instanceof IsoformError)) throw error;
      expect(error.message).toContain('the file');
    }
  };

  test('damage is told, whatever it is', () => {
    const good = encodeMap(DATA);
    expect(() => decodeMap(good.subarray(0, good.length - 1), 'x')).toThrow('damaged');
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, byte, cut) => {
        const bytes = Uint8Array.from(good);
        bytes[at] = byte;
        use(bytes);
        use(bytes.subarray(0, cut));
      }),
      { numRuns: 800, seed: 4 },
    );
  });
});
