/** Frame descriptions of calls that have moved: equal to the original's, and what is changed in one is seen. */
import { describe, expect, test } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { type Fde, readFrames, unreadableTables } from '../../src/elf/unwind/index.ts';
import { readOptimizedCode } from '../../src/elf/write.ts';
import { checkUnwind, frameDiffers } from '../../src/verify/prove/unwind.ts';
import { moveCalls } from '../emit/move-calls.ts';
import { bareElf } from '../support/bare-elf.ts';
import { compileFile, needs } from '../support/tools.ts';

const PT_GNU_EH_FRAME = 0x6474e550;
const FLAGS = ['-O2', '-static', '-std=c++14', '-Wno-deprecated'];

describe.runIf(needs('frame descriptions of moved calls', 'gxx'))('frame descriptions', () => {
  test.each([
    ['registered', []],
    ['with a search table', ['-Wl,--eh-frame-hdr']],
  ])('%s', (_, flags) => {
    const original = readImage(compileFile('test/emit/exceptions.cpp', [...FLAGS, ...flags]));
    const functions = original.symbols.filter((s) => s.kind === 'function' && /middle|catcher|main/.test(s.name));
    const moved = moveCalls(original, functions, true);
    const returns = moved.sites.map((site) => [site.returnAddress, site.originalReturnAddress] as const);
    const optimized = parseImage(moved.bytes, 'moved');
    const placed = readOptimizedCode(optimized)!;
    const code = { start: placed.address, end: placed.address + placed.bytes.length };
    const problemsOf = (image: Image) => checkUnwind(original, image, returns, code).problems;
    const fine = checkUnwind(original, optimized, returns, code);
    expect(fine.problems).toEqual([]);
    expect(fine.checked).toBeGreaterThan(50);

    // Unwinders that go by the search table would find a record that is none any more.
    const old = optimized.programHeaders.map((header) =>
      header.type === PT_GNU_EH_FRAME ? original.programHeaders.find(({ type }) => type === PT_GNU_EH_FRAME)! : header,
    );
    const hidden = checkUnwind(original, { ...optimized, programHeaders: old }, [], code).problems;
    expect(hidden.length > 0).toBe(flags.length > 0);

    // Unwinders read addresses of code in so many bytes; at others libgcc ends the program.
    const odd = Uint8Array.from(original.bytes);
    const { cie } = readFrames(original)!.fdes[0]!;
    const text = original.segments.find((s) => cie.address >= s.address && cie.address < s.address + s.bytes.length)!;
    const at = text.offset + (cie.instructions.start - 1 - text.address);
    expect(odd[at]).toBe(0x1b);
    odd[at] = 0x19;
    expect(unreadableTables(parseImage(odd, 'odd'))).toBe('its frame descriptions');

    // Each return address for its neighbour, and tables that are not there.
    const turned = returns.map(([at], i) => [at, returns[(i + 1) % returns.length]![1]] as const);
    expect(checkUnwind(original, optimized, turned, code).problems.length).toBeGreaterThan(20);
    expect(problemsOf(parseImage(moveCalls(original, functions, false).bytes, 'bare'))).not.toEqual([]);

    // The new segment's tables: each byte counts, but for those between them.
    const added = optimized.segments.find(({ address }) => address >= original.end)!;
    const lastCall = Math.max(...returns.map(([at]) => at));
    const from = added.offset + (lastCall - added.address) + 32;
    const to = Math.min(from + 600, added.offset + added.bytes.length);
    const unseen: number[] = [];
    for (let at = from; at < to; at += 3) {
      const bytes = Uint8Array.from(optimized.bytes);
      bytes[at]! ^= 1 << (at & 7);
      if (problemsOf(parseImage(bytes, 'changed')).length === 0) unseen.push(bytes[at]! ^ (1 << (at & 7)));
    }
    expect(unseen.filter((byte) => byte !== 0)).toEqual([]);
    expect(unseen.length).toBeLessThan(20);
  });
});

describe('a description of one call', () => {
  /** Common instructions, then those of the description; one call at 0x10008. */
  const described = (common: readonly number[], own: readonly number[], personality?: number) => {
    const bytes = Uint8Array.from([...common, ...own]);
    const image = parseImage(bareElf([{ address: 0x10000, bytes, execute: true }], 0x10000), 'bare');
    const behind = 0x10000 + common.length;
    const fde = {
      start: 0x10000,
      end: 0x10100,
      lsda: undefined,
      instructions: { start: behind, end: behind + own.length },
      cie: {
        codeAlign: 1,
        dataAlign: -4,
        returnColumn: 1,
        signalFrame: false,
        personality: personality === undefined ? undefined : { address: personality, indirect: false },
        instructions: { start: 0x10000, end: behind },
      },
    } as unknown as Fde;
    return [image, fde, 0x10008] as const;
  };
  // DW_CFA_def_cfa sp 0; advance 4; def_cfa_offset 16; offset s0 at cfa - 4.
  const usual = [
    [0x0c, 2, 0],
    [0x44, 0x0e, 16, 0x88, 1],
  ] as const;
  const against = (...other: Parameters<typeof described>) =>
    frameDiffers(...described(...usual), ...described(...other));

  test('in other words', () => {
    expect(against(...usual)).toBeUndefined();
    expect(against([0x0c, 2, 16, 0, 0], [0x88, 1, 0])).toBeUndefined();
    expect(against([0x0c, 2, 0], [0x44, 0x0e, 16, 0x88, 2])).toBe('it finds other registers');
  });
  test('unwinders that differ are not asked: a common entry that advances, its rules restored', () => {
    expect(against([0x0c, 2, 0, 0x7f], usual[1])).toBe('it cannot be read');
    expect(against([0x0c, 2, 0, 0x88, 1], [0x0e, 16, 0x88, 2, 0xc8])).toBe('it cannot be read');
    expect(against(usual[0], new Array(1000).fill(0x0a))).toBe('it cannot be read');
    // Of what it has no rule for there is none again, for all of them.
    expect(against(usual[0], [0x89, 3, 0xc9, ...usual[1]])).toBeUndefined();
  });
  test('what the return address is asked for besides where to return to is another number', () => {
    // CFA from ra; from an expression with ra; a register that is in ra.
    for (const own of [
      [0x0c, 1, 0],
      [0x0f, 2, 0x71, 0],
      [0x09, 8, 1],
    ])
      expect(frameDiffers(...described(usual[0], own), ...described(usual[0], own))).toBe(
        'it reads the return address',
      );
    expect(frameDiffers(...described(usual[0], [0x09, 1, 5]), ...described(usual[0], [0x09, 1, 5]))).toBeUndefined();
  });
  test('a personality that was not there is called, whether something is handled or not', () => {
    expect(against(...usual, 0x10040)).toBe('it has another personality');
    const handled = described(...usual, 0x10040);
    expect(frameDiffers(...handled, ...described(...usual, 0x10040))).toBeUndefined();
    expect(frameDiffers(...handled, ...described(...usual, 0x10044))).toBe('it has another personality');
    expect(frameDiffers(...handled, ...described(...usual))).toBe('it has another personality');
  });
});
