/** An instruction of the base set as one more entry of `retarget`: it is used without any target, and only where it saves something. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { choosePasses } from '../../passes/index.ts';
import { BASE_FORMS, makeRetarget } from '../../passes/retarget.ts';
import { makeFuel } from '../../src/base/fuel.ts';
import { makeInsn } from '../../src/isa/encode.ts';
import { bitOf, RV64GC } from '../../src/isa/extensions.ts';
import type { Insn } from '../../src/isa/row.ts';
import { extensionsOf } from '../../src/isa/targets.ts';
import { applicable, runPasses } from '../../src/superblock/pass.ts';
import { parseSuperblock, superblockText } from '../../src/superblock/text.ts';
import { ROOT } from '../support/tools.ts';

const BYTE_SHIFTS = parseSuperblock(`superblock 0x1000 x100
path 0x1000
%0:a0 = slli a0, 56 @0x1000/2
%1:a0 = srli %0, 56 @0x1002/2
%2:a1 = andi a1, 255 @0x1004
goto -> 0x1008 x100 live a0,a1 {a0=%1 a1=%2}
`);

/** Entries that no case without a target has in its output. */
function untried(forms: readonly Insn[]): string[] {
  const folder = join(ROOT, 'test/passes/cases/retarget');
  const outputs = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .filter((text) => text.split('\n', 1)[0]!.endsWith('(no target)'))
    .map((text) => text.slice(text.indexOf('===')));
  return forms
    .filter(({ row, imm }) => !outputs.some((text) => new RegExp(` = ${row.name} [^\\n]*, ${imm} @`).test(text)))
    .map(({ row, imm }) => `${row.name} ${imm}: no case in test/passes/cases/retarget for no target`);
}

test('each entry is tried by a case for no target', () => {
  expect(untried(BASE_FORMS)).toEqual([]);
  expect(untried([makeInsn('xori', { imm: 1234 })])).toHaveLength(1);
});

test('each entry is an instruction that every machine has', () => {
  const beyond = BASE_FORMS.filter(({ row }) => (bitOf(row) & ~RV64GC) !== 0n);
  expect(beyond.map(({ row }) => `${row.name} is of ${row.extension}`)).toEqual([]);
});

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
