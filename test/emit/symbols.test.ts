import { expect, test } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import type { PlacedSuperblock } from '../../src/emit/layout.ts';
import { symbolsOf } from '../../src/emit/symbols.ts';

/** The name of the new code for each head. */
function namesFor(functions: readonly (readonly [string, number, number])[], heads: readonly number[]): string[] {
  const symbols = functions.map(([name, address, size]) => ({ name, address, size, kind: 'function' }));
  const placed = heads.map((head, i) => ({ lowered: { head }, start: 0x9000 + 64 * i, end: 0x9010 + 64 * i }));
  const made = symbolsOf({ symbols } as unknown as Image, placed as unknown as PlacedSuperblock[]);
  return made.map(({ name }) => name);
}

test.each([
  [
    'two at one address',
    [
      ['a', 0x100, 4],
      ['f', 0x100, 64],
    ],
    { 256: 'a', 260: 'f', 318: 'f', 320: 'x140' },
  ],
  [
    'one without a size in another',
    [
      ['f', 0x100, 64],
      ['entry', 0x110, 0],
    ],
    { 272: 'entry', 274: 'f' },
  ],
  [
    'several in one another',
    [
      ['f', 0x100, 64],
      ['g', 0x110, 32],
      ['h', 0x110, 8],
      ['i', 0x120, 4],
      ['j', 0x138, 16],
    ],
    { 270: 'f', 282: 'g', 290: 'i', 294: 'g', 304: 'f', 312: 'j', 320: 'j', 328: 'x148' },
  ],
] as const)('a head is named by the innermost function around it: %s', (_, functions, expected) => {
  const names = Object.values(expected).map((name) => `${name}.isoform`);
  expect(namesFor(functions, Object.keys(expected).map(Number))).toEqual(names);
});
