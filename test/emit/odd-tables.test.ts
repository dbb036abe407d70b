/** Unwind tables in forms that readers take for different things: they are not read at all, and a program with such tables is not optimized. */
import { describe, expect, test } from 'vitest';
import { parseImage } from '../../src/elf/read.ts';
import { handlingAt, Malformed, recordAt, unreadableTables } from '../../src/elf/unwind/index.ts';
import { bareElf } from '../support/bare-elf.ts';

const AT = 0x10000;
const imageOf = (bytes: readonly number[]) =>
  parseImage(bareElf([{ address: AT, bytes: Uint8Array.from(bytes), execute: true }], AT), 'odd');
const OMIT = 0xff;
const long = (value: bigint) => Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));

describe('language-specific data', () => {
  const handling = (...bytes: readonly number[]) => handlingAt(imageOf(bytes), AT, 0x20000, 0x20011);

  test('one record over all', () => {
    expect(handling(OMIT, OMIT, 1, 4, 0, 100, 8, 0)).toEqual({
      kind: 'pad',
      base: 0x20000,
      pad: 8,
      actions: undefined,
    });
    expect(handling(OMIT, OMIT, 1, 4, 0, 100, 0, 0)).toEqual({ kind: 'none' });
    expect(handling(OMIT, OMIT, 1, 4, 50, 100, 8, 0)).toEqual({ kind: 'forbidden' });
  });
  test.each([
    ['a number of more bytes than any needs', [OMIT, OMIT, 1, 20, 0, ...new Array(16).fill(0x80), 0, 8, 0]],
    ['a range that wraps', [OMIT, OMIT, 4, 25, ...long(2n ** 64n - 16n), ...long(2n ** 32n), ...long(8n), 0]],
    ['a range before its function', [OMIT, OMIT, 12, 25, ...long(-16n), ...long(2n ** 32n), ...long(8n), 0]],
    ['types relative to nothing that is known, though none is used', [OMIT, 0x7b, 1, 1, 4, 0, 100, 8, 0]],
    ['call sites that are no offsets', [OMIT, OMIT, 0x11, 4, 0, 100, 8, 0]],
  ])('%s', (_, bytes) => {
    expect(() => handling(...(bytes as number[]))).toThrow(Malformed);
  });
});

describe('frame descriptions', () => {
  const zero = [0, 0, 0, 0];
  /** A common entry and descriptions of ranges of code (default: of four bytes), and the end mark. */
  const table = (
    letters: string,
    data: readonly number[],
    version = 1,
    ranges: readonly (readonly [number, number])[] = [[0, 4]],
  ) => {
    const text = [...letters].map((letter) => letter.charCodeAt(0));
    const cie = [...zero, version, ...text, 0, 1, 0x7c, 1, data.length, ...data];
    while (cie.length % 4 !== 0) cie.push(0);
    const all = [cie.length, 0, 0, 0, ...cie];
    for (const [from, size] of ranges) {
      const fde = [all.length + 4, 0, 0, 0, ...long(BigInt(AT + from)), ...long(BigInt(size)), 0, 0, 0, 0];
      all.push(fde.length, 0, 0, 0, ...fde);
    }
    return [...all, ...zero];
  };
  const RECORD = (bytes: readonly number[]) => AT + 4 + bytes[0]!;

  test('as compilers write them', () => {
    const bytes = table('zR', [0]);
    expect(recordAt(imageOf(bytes), RECORD(bytes))).toMatchObject({ start: AT, end: AT + 4 });
    expect(unreadableTables(imageOf(bytes))).toBeUndefined();
    // An empty function stands before the one that begins there.
    expect(
      unreadableTables(
        imageOf(
          table('zR', [0], 1, [
            [0, 0],
            [0, 4],
            [4, 8],
          ]),
        ),
      ),
    ).toBeUndefined();
  });
  test.each([
    [
      'two over one another',
      table('zR', [0], 1, [
        [0, 8],
        [4, 8],
      ]),
    ],
    [
      'an empty one behind the one that it stands in',
      table('zR', [0], 1, [
        [0, 8],
        [0, 0],
      ]),
    ],
    ['an encoding that is told twice', table('zRR', [0, 0x1b])],
    ['what readers stop at before what they want', table('zSR', [0])],
    ['a version that no compiler writes', table('zR', [0], 2)],
    ['a second chain, of which nobody knows whether it is the one', [...table('zR', [0]), ...table('zR', [0])]],
  ])('%s', (_, bytes) => {
    expect(unreadableTables(imageOf(bytes))).toBe('its frame descriptions');
  });
});
