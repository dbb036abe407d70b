/** Counterexamples are concrete states that both forms are run on; they are saved and replayed without the executables. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type CounterexampleCase, caseOf, readCase, replayCase, saveCase } from '../../src/verify/prove/case.ts';
import { refute } from '../../src/verify/prove/refute.ts';
import { proveEntry } from '../../src/verify/prove/superblock.ts';
import { entry, sidesOf } from '../support/prove-pieces.ts';

const folder = mkdtempSync(join(tmpdir(), 'isoform-case-'));
afterAll(() => rmSync(folder, { recursive: true }));

function made(original: string, optimized: string, options?: Parameters<typeof sidesOf>[2]): CounterexampleCase {
  const sides = sidesOf(original, optimized, options);
  const result = proveEntry(sides, entry);
  expect(result.verdict).toBe('unproved');
  const example = refute(sides, entry, result);
  if (example === undefined) return expect.fail('there is no counterexample');
  return caseOf('0123456789abcdef', example);
}

const LOOP = 'lw a3,0(a1)\n beq a3,zero,0x2000\n lw a4,4(a3)\n sw a4,8(a3)\n add a0,a0,a4';
const form = (third: string, fourth: string) =>
  `lw a3,0(a1)\n beq a3,zero,0x9100\n ${third}\n ${fourth}\n add a0,a0,a4\n jal zero,0x1014\n @0x9100\n jal zero,0x2000`;

describe('a counterexample', () => {
  test.each([
    ['a register', LOOP, form('lw a4,8(a3)', 'sw a4,8(a3)'), /^a[04] is 0x/],
    ['memory', LOOP, form('lw a4,4(a3)', 'addi zero,zero,0'), /^the byte at 0x/],
    [
      'a fault',
      LOOP,
      `lw a3,0(a1)\n lw a4,4(a3)\n ${form('addi zero,zero,0', 'sw a4,8(a3)').split('\n').slice(1).join('\n')}`,
      /fault|a load of 4 bytes|^a4 is/,
    ],
    [
      'the way',
      LOOP,
      form('lw a4,4(a3)', 'sw a4,8(a3)').replace('beq', 'bne').replace('a3,zero,0x9100', 'a3,zero,0x9100'),
      /./,
    ],
    ['floating-point flags', 'fadd.d fa0,fa1,fa2,rne\n fmv.d.x fa0,zero', 'fmv.d.x fa0,zero\n jal zero,0x1008', /fcsr/],
    [
      'what a call leaves',
      'addi a0,a0,1\n jal ra,0x2000',
      'addi a0,a0,2\n jal ra,0x2000\n jal zero,0x1008',
      /^a0 is/,
      { returns: new Map([[0x9008, 0x1008]]) },
    ],
  ] as const)('shows %s, is saved, read and replayed', (what, original, optimized, difference, options?: object) => {
    const data = made(original, optimized, options);
    expect(data.difference).toMatch(difference);
    const file = saveCase(join(folder, what), data);
    expect(file).toContain('0123456789ab-0x1000.json');
    expect(readCase(file)).toEqual(data);
    expect(replayCase(readCase(file))).toBe(data.difference);
  });

  test('is one no longer once the optimized code is right', () => {
    const data = made(LOOP, form('lw a4,8(a3)', 'sw a4,8(a3)'));
    const wrong = Object.entries(data.code.optimized);
    // lw a4,4(a3) in place of lw a4,8(a3): the immediate's low bits are in the last byte but one.
    const right = wrong.map(([at, bytes]) => [at, at === '0x9008' ? bytes.replace(/8600$/, '4600') : bytes]);
    expect(right).not.toEqual(wrong);
    const mended = { ...data, code: { ...data.code, optimized: Object.fromEntries(right) } };
    expect(replayCase(mended)).toBeUndefined();
  });

  test('names the registers and all of the memory that matter', () => {
    const data = made(LOOP, form('lw a4,8(a3)', 'sw a4,8(a3)'));
    expect(Object.keys(data.registers)).toHaveLength(63);
    const pointer = BigInt(data.registers.a1!);
    const word = data.memory[`0x${pointer.toString(16)}`] ?? '';
    expect(word).toMatch(/^[0-9a-f]{8}/);
    expect(Object.keys(data.code.original)).toEqual(['0x1000', '0x1004', '0x1008', '0x100c', '0x1010']);
  });

  test('that is none is refused in one line', () => {
    const file = join(folder, 'none.json');
    writeFileSync(file, '{}');
    expect(() => readCase(file)).toThrow(/none\.json: is no counterexample/);
    writeFileSync(file, 'nothing');
    expect(() => readCase(file)).toThrow(/none\.json/);
    expect(() => saveCase(file, made(LOOP, form('lw a4,8(a3)', 'sw a4,8(a3)')))).toThrow(/none\.json/);
    expect(readFileSync(file, 'utf8')).toBe('nothing');
  });
});
