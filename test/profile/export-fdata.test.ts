import { expect, test } from 'vitest';
import type { ElfSymbol } from '../../src/elf/image.ts';
import { exportFdata } from '../../src/profile/export-fdata.ts';
import { assemble } from '../cfg/assembly.ts';

const { image, at } = assemble(`
Main:
  addi a0,zero,2
loop:
  addi a0,a0,-1
  bne a0,zero,@loop
  jal ra,@Leaf
  ebreak
Leaf:
  jalr zero,0(ra)
`);
const profile = {
  hash: image.hash,
  name: 'test',
  starts: [{ at: at('Main'), count: 1 }],
  stops: [{ at: at('Leaf') - 4, count: 1 }],
  others: [],
  transfers: [
    { from: at('loop') + 4, to: at('loop'), count: 1 },
    { from: at('loop') + 4, to: at('loop') + 8, count: 1 },
    { from: at('loop') + 8, to: at('Leaf'), count: 1 },
    { from: at('Leaf'), to: at('loop') + 12, count: 1 },
  ],
};

test('branches, both ways, calls and entries, named as BOLT does', () => {
  const symbols = image.symbols.flatMap((symbol): ElfSymbol[] =>
    symbol.name === 'Leaf'
      ? [
          { ...symbol, name: 'Main', address: symbol.address + 0x1000, global: false },
          { ...symbol, global: false },
        ]
      : [symbol],
  );
  expect(exportFdata(profile, { ...image, symbols })).toBe(
    [
      '0 [unknown] 0 1 Main 0 0 1',
      '1 Main 8 1 Main 4 0 1',
      '1 Main 8 1 Main c 0 1',
      '1 Main c 1 Leaf/1 0 0 1',
      '',
    ].join('\n'),
  );
});

test('a stripped image is refused', () => {
  expect(() => exportFdata(profile, { ...image, symbols: [] })).toThrow(
    expect.objectContaining({ code: 'bad-option' }),
  );
});
