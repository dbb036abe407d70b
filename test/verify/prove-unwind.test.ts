/** Frame descriptions of calls that have moved: equal to the original's, and what is changed in one is seen. */
import { describe, expect, test } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { readOptimizedCode } from '../../src/elf/write.ts';
import { checkUnwind } from '../../src/verify/prove/unwind.ts';
import { moveCalls } from '../emit/move-calls.ts';
import { compileFile, needs } from '../support/tools.ts';

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

    // Each return address for its neighbour, and tables that are not there.
    const turned = returns.map(([at], i) => [at, returns[(i + 1) % returns.length]![1]] as const);
    expect(checkUnwind(original, optimized, turned, code).problems.length).toBeGreaterThan(20);
    expect(problemsOf(parseImage(moveCalls(original, functions, false).bytes, 'bare'))).not.toEqual([]);

    // The new segment's tables, a bit in every second byte.
    const added = optimized.segments.find(({ address }) => address >= original.end)!;
    const lastCall = Math.max(...returns.map(([at]) => at));
    const from = added.offset + (lastCall - added.address) + 32;
    const to = Math.min(from + 600, added.offset + added.bytes.length);
    let seen = 0;
    let tried = 0;
    for (let at = from; at < to; at += 8) {
      const bytes = Uint8Array.from(optimized.bytes);
      bytes[at]! ^= 1 << (at & 7);
      tried++;
      if (problemsOf(parseImage(bytes, 'changed')).length > 0) seen++;
    }
    expect(tried).toBeGreaterThan(50);
    // Padding, and the parts of tables that none of these calls leads to, do not matter.
    expect(seen).toBeGreaterThan(tried / 2);
  });
});
