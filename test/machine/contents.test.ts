/** The bytes of a file: sparse, borrowed from the host until they are changed. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { Reach } from '../../src/base/reach.ts';
import { Contents, MAX_FILE_SIZE, type View } from '../../src/machine/linux/contents.ts';
import { E } from '../../src/machine/linux/errno.ts';
import { HostFile } from '../../src/machine/linux/hostfile.ts';
import { Usage } from '../../src/machine/linux/usage.ts';
import { codeOf } from '../support/errno.ts';

const folder = mkdtempSync(join(tmpdir(), 'isoform-contents-'));
afterAll(() => rmSync(folder, { recursive: true }));

const bytesAt = (contents: Contents, at: number, count: number): number[] => {
  const bytes = new Uint8Array(count).fill(255);
  return [...bytes.subarray(0, contents.read(at, bytes))];
};
const viewOf = (from: number, size: number): View => ({
  from,
  to: from + size,
  bytes: new Uint8Array(size),
  writable: true,
});
/** Shares a part with bytes that are zero. */
function map(contents: Contents, view: View): void {
  expect(contents.isShared(view.from, view.bytes.length)).toBe(false);
  for (const _ of contents.load(view.from, view.bytes));
  contents.attach(view);
  expect(contents.isShared(view.from, 1)).toBe(true);
}
const GB = 10 ** 9;

describe('a sparse file', () => {
  test('shrinking and growing read as zeros', () => {
    const contents = new Contents(new Usage());
    contents.write(10, Buffer.from('end'));
    expect(bytesAt(contents, 0, 20)).toEqual([...new Array(10).fill(0), ...Buffer.from('end')]);
    contents.resize(11);
    contents.resize(13);
    expect(bytesAt(contents, 10, 5)).toEqual([101, 0, 0]);
    expect(bytesAt(contents, 13, 5)).toEqual([]);
  });

  test('takes what is in it, however long it is', () => {
    const usage = new Usage();
    const contents = new Contents(usage);
    contents.write(5 * GB, Buffer.from('far'));
    contents.resize(2 ** 44 - 4096);
    expect([contents.size, contents.pages]).toEqual([2 ** 44 - 4096, 1]);
    expect(usage.used).toBeLessThanOrEqual(65536);
    expect(bytesAt(contents, 5 * GB - 1, 5)).toEqual([0, ...Buffer.from('far'), 0]);
    expect([...contents.data()]).toEqual([{ from: 4999999488, to: 4999999488 + 4096 }]);
    contents.punch(4 * GB, 2 ** 44);
    expect([usage.used, contents.pages, [...contents.data()]]).toEqual([0, 0, []]);
  });

  test('thousands of small files stay small', () => {
    const usage = new Usage();
    for (let k = 0; k < 1000; k++) new Contents(usage).write(0, Buffer.from('a few bytes'));
    expect(usage.used).toBeLessThanOrEqual(1_000_000);
  });

  test('ends where ext4 ends: what goes beyond is cut off, and then there is no more', () => {
    const contents = new Contents(new Usage());
    expect(codeOf(() => contents.resize(MAX_FILE_SIZE + 1))).toBe(E.FBIG);
    expect(codeOf(() => contents.write(2 ** 52, new Uint8Array(1)))).toBe(E.FBIG);
    expect(contents.write(MAX_FILE_SIZE - 1, Buffer.from('xy'))).toBe(1);
    expect(codeOf(() => contents.write(MAX_FILE_SIZE, new Uint8Array(1)))).toBe(E.FBIG);
    expect(bytesAt(contents, MAX_FILE_SIZE - 1, 4)).toEqual([120]);
  });

  test('all files together have a largest size; a write stops there, and what is deleted gives its room back', () => {
    const usage = new Usage(2 ** 20);
    const half = new Contents(usage);
    expect(half.write(0, new Uint8Array(2 ** 19))).toBe(2 ** 19);
    const other = new Contents(usage);
    const rest = other.write(0, new Uint8Array(2 ** 20));
    expect(rest % 65536).toBe(0);
    expect(rest).toBeGreaterThan(2 ** 18);
    expect(rest).toBeLessThanOrEqual(2 ** 19);
    expect(codeOf(() => new Contents(usage).write(0, new Uint8Array(65536)))).toBe(E.NOSPC);
    other.discard();
    expect(codeOf(() => new Contents(usage).write(0, Uint8Array.of(1)))).toBe(undefined);
  });

  test('of very many parts has each of them found at once', () => {
    const contents = new Contents(new Usage());
    const places = Array.from({ length: 3000 }, (_, k) => ((k * 7919) % 3000) * 131072);
    for (const place of places) contents.write(place, Buffer.from('x'));
    contents.write(2 ** 43, Buffer.from('x'));
    contents.punch(131072, 131073 + 8 * 131072);
    const found = Array.from(contents.data(), ({ from }) => from / 131072);
    const wanted = [0, ...Array.from({ length: 2991 }, (_, k) => k + 9), 2 ** 43 / 131072];
    expect(found).toEqual(wanted);
    expect([contents.nextData(131072), contents.nextData(2 ** 42), contents.nextData(2 ** 43 + 1)]).toEqual([
      9 * 131072,
      2 ** 43,
      undefined,
    ]);
    contents.resize(131072 * 20);
    expect([...contents.data()]).toHaveLength(12);
  });

  test('is mapped step by step, and its holes in no step', () => {
    const contents = new Contents(new Usage());
    contents.write(0, new Uint8Array(2 ** 20).fill(7));
    contents.resize(2 ** 40);
    const target = new Uint8Array(2 ** 21);
    const steps = [...contents.load(4096, target)];
    expect(steps.length).toBeGreaterThan(2);
    expect(target.indexOf(0)).toBe(2 ** 20 - 4096);
    expect([...contents.load(2 ** 39, target)]).toEqual([]);
  });

  test('what its bookkeeping takes is counted: of chunks with one byte, of pages that are allocated one by one', () => {
    for (const step of [
      (contents: Contents, k: number) => contents.write(k * 65536, Buffer.from('x')),
      (contents: Contents, k: number) => contents.reserve(k * 8192, k * 8192 + 1),
    ]) {
      const usage = new Usage(100_000);
      const contents = new Contents(usage);
      let made = 0;
      expect(
        codeOf(() => {
          for (; made < 1e5; made++) step(contents, made);
        }),
      ).toBe(E.NOSPC);
      expect(made).toBeLessThan(1500);
      contents.resize(0);
      contents.discard();
      expect(usage.used).toBe(0);
    }
  });

  test('blocks as ext4 counts them', () => {
    const contents = new Contents(new Usage());
    contents.write(0, new Uint8Array(10000).fill(7));
    const steps: [() => void, number, number | undefined][] = [
      [() => contents.punch(100, 5100), 3, 0],
      [() => contents.punch(100, 8292), 2, 0],
      [() => contents.punch(8192, 108192), 1, 0],
      [() => contents.reserve(0, 1e6), 245, 0],
      [() => contents.resize(1e6), 245, 0],
      [() => contents.reserve(1e6, 2e6), 489, 0],
      [() => contents.punch(0, 8192), 487, undefined],
      [() => contents.reserve(0, 8192), 489, undefined],
      [() => contents.reserve(3e6, 3e6 + 8192), 492, undefined],
      [() => contents.resize(1e6), 245, undefined],
      [() => contents.write(5000, Uint8Array.of(1)), 245, 4096],
      [() => contents.resize(5000), 2, 4096],
    ];
    for (const [step, pages, data] of steps) {
      step();
      expect([step.toString(), contents.pages, contents.nextData(0)]).toEqual([step.toString(), pages, data]);
    }
  });
});

describe('a host file', () => {
  const host = (name: string, size: number, bytes: Uint8Array) => {
    writeFileSync(join(folder, name), bytes);
    truncateSync(join(folder, name), size);
    const usage = new Usage();
    return { usage, contents: new Contents(usage, new HostFile(usage, new Reach(), join(folder, name), size)) };
  };

  test('a large one is read through a window, the same bytes', () => {
    const bytes = Buffer.alloc(17 * 2 ** 20);
    for (let i = 0; i < bytes.length; i += 4096) bytes.writeUInt32LE(i, i);
    const { contents } = host('large', bytes.length, bytes);
    const four = Buffer.alloc(4);
    for (const position of [0, 4096, 2 ** 20 - 4096, 2 ** 20, 9 * 2 ** 20 + 4096, 0]) {
      expect(contents.read(position, four)).toBe(4);
      expect(four.readUInt32LE()).toBe(position);
    }
    const across = Buffer.alloc(8192);
    expect(contents.read(2 ** 20 - 4096, across)).toBe(8192);
    expect([across.readUInt32LE(0), across.readUInt32LE(4096)]).toEqual([2 ** 20 - 4096, 2 ** 20]);
    contents.write(5, Buffer.from('x'));
    const all = Buffer.alloc(bytes.length);
    expect(contents.read(0, all)).toBe(bytes.length);
    expect(all.compare(bytes, 6, undefined, 6)).toBe(0);
  });

  test('of 20 GB is not read whole because of a byte that is written, nor for a mapping', () => {
    const { usage, contents } = host('huge', 20 * GB, Buffer.from('begins'));
    contents.write(15 * GB, Buffer.from('x'));
    contents.write(2, Buffer.from('G'));
    const view = viewOf(4096, 2 ** 21);
    map(contents, view);
    view.bytes[2 ** 20] = 7;
    contents.detach(view);
    expect(usage.used).toBeLessThan(4 * 65536);
    expect(bytesAt(contents, 0, 6)).toEqual([...Buffer.from('beGins')]);
    expect(bytesAt(contents, 15 * GB - 1, 3)).toEqual([0, 120, 0]);
    expect(bytesAt(contents, 4096 + 2 ** 20, 1)).toEqual([7]);
    expect(contents.pages).toBe(Math.ceil((20 * GB) / 4096));
    contents.resize(3);
    contents.resize(10 * GB);
    expect([bytesAt(contents, 0, 6), contents.pages]).toEqual([[...Buffer.from('beG'), 0, 0, 0], 1]);
  });

  test('is still the same when it was only looked at, also through a mapping', () => {
    const { contents } = host('same', 10, Buffer.from('0123456789'));
    bytesAt(contents, 0, 10);
    const view = viewOf(0, 4096);
    map(contents, view);
    expect(contents.changed).toBe(false);
    view.bytes[20] = 1;
    expect(contents.changed).toBe(false);
    view.bytes[2] = 1;
    expect(contents.changed).toBe(true);
  });

  test('can be read when the memory for files is used up', () => {
    writeFileSync(join(folder, 'small'), 'small');
    const usage = new Usage(2000);
    new Contents(usage).write(0, new Uint8Array(1360));
    expect(usage.used).toBe(2000);
    expect(bytesAt(new Contents(usage, new HostFile(usage, new Reach(), join(folder, 'small'), 5)), 0, 9)).toEqual([
      ...Buffer.from('small'),
    ]);
  });
});

test('whatever is done to it, it has the bytes that a plain array would have', () => {
  const SIZE = 300_000;
  const base = Uint8Array.from({ length: 150_000 }, (_, k) => (k % 251) + 1);
  const place = fc.oneof(
    fc.nat(SIZE - 1),
    fc.nat(SIZE >> 12).map((k) => k * 4096),
    fc.nat(SIZE >> 16).map((k) => k * 65536),
  );
  const step = fc.record({ how: fc.constantFrom('write', 'resize', 'punch', 'map'), one: place, other: place });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const usage = new Usage();
      const contents = Contents.from(usage, base);
      const plain = new Uint8Array(SIZE);
      plain.set(base);
      let size = base.length;
      for (const [k, { how, one, other }] of steps.entries()) {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        if (how === 'write' && from < to) {
          contents.write(from, new Uint8Array(to - from).fill(k + 1));
          plain.fill(k + 1, from, to);
          size = Math.max(size, to);
        } else if (how === 'resize') {
          contents.resize(one);
          plain.fill(0, one);
          size = one;
        } else if (how === 'punch' && from < to) {
          contents.punch(from, to);
          plain.fill(0, from, to);
        } else if (how === 'map') {
          const view = viewOf(from - (from % 4096), 8192);
          map(contents, view);
          view.bytes[from % 4096] = 99;
          if (from < size) plain[from] = 99;
          contents.detach(view);
        }
      }
      const found = Buffer.alloc(size);
      expect([contents.size, contents.read(0, found)]).toEqual([size, size]);
      expect(found.compare(plain, 0, size)).toBe(0);
      // What is in no part with data is zeros.
      let pages = 0;
      for (const { from, to } of contents.data()) {
        pages += Math.ceil(to / 4096) - Math.floor(from / 4096);
        found.fill(0, from, to);
      }
      expect(found.every((byte) => byte === 0)).toBe(true);
      expect(contents.pages).toBe(pages);
      contents.discard();
      expect(usage.used).toBe(0);
    }),
    { numRuns: 200 },
  );
});
