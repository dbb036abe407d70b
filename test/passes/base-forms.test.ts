/** An instruction of the base set as one more entry of `retarget`: it is used without any target, and only where it saves something. */
import { expect, test } from 'vitest';
import { choosePasses } from '../../passes/index.ts';
import { makeRetarget } from '../../passes/retarget.ts';
import { makeFuel } from '../../src/base/fuel.ts';
import { makeInsn } from '../../src/isa/encode.ts';
import { extensionsOf } from '../../src/isa/targets.ts';
import { applicable, runPasses } from '../../src/superblock/pass.ts';
import { parseSuperblock, superblockText } from '../../src/superblock/text.ts';

const BYTE_SHIFTS = parseSuperblock(`superblock 0x1000 x100
path 0x1000
%0:a0 = slli a0, 56 @0x1000/2
%1:a0 = srli %0, 56 @0x1002/2
%2:a1 = andi a1, 255 @0x1004
goto -> 0x1008 x100 live a0,a1 {a0=%1 a1=%2}
`);

const withMask = makeRetarget([makeInsn('andi', { imm: 255 })]);

test('a pair of shifts becomes the entry, and an op that is one instruction already stays', () => {
  const fuel = makeFuel();
  const after = runPasses(BYTE_SHIFTS, [withMask], { fuel });
  expect(superblockText(after)).toBe(`superblock 0x1000 x100
path 0x1000
%1:a0 = andi a0, 255 @0x1002
%2:a1 = andi a1, 255 @0x1004
goto -> 0x1008 x100 live a0,a1 {a0=%1 a1=%2}
`);
  expect([fuel.spent, fuel.last]).toEqual([1, 'retarget@0x1000']);
});

test('the pass applies where it has something to choose from', () => {
  const names = (target?: string) =>
    applicable([makeRetarget([]), ...choosePasses('sink')], { fuel: makeFuel(), extensions: extensionsOf(target) }).map(
      ({ name }) => name,
    );
  expect(names()).toEqual(['sink']);
  expect(names('rva22u64')).toEqual(['retarget', 'sink']);
  expect(applicable([withMask], { fuel: makeFuel() })).toEqual([withMask]);
});
