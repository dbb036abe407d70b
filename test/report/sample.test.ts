/** Reports of samples that went the whole way: what is said of superblocks must add up to what was counted. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/code/code.ts';
import { endingOf } from '../../src/code/endings.ts';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { execute } from '../../src/engine/execute.ts';
import { encodeBytes } from '../../src/isa/encode.ts';
import { jumpInsn } from '../../src/isa/idioms.ts';
import { createProcess } from '../../src/machine/process.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { collect } from '../../src/profile/collect.ts';
import { buildReport } from '../../src/report/build.ts';
import { makeCounts } from '../../src/report/counts.ts';
import { renderHtml } from '../../src/report/html.ts';
import { summariesOf } from '../../src/report/summaries.ts';
import { ROOT } from '../support/tools.ts';
import { exampleInput } from './example.ts';

function profiled(image: Image, input: Uint8Array, heapStart?: number) {
  const process = createProcess({ image, stdin: input, programName: 'sample', heapStart });
  const engine = makeEngine('dispatch', process.memory);
  const { instructions } = execute(process, engine, { limitInstructions: 1e9 });
  const { starts, stops, links } = process;
  const profile = collect({ transfers: engine.transfers(), starts, stops, links, instructions });
  return { run: { image, profile: profile.images[0]! }, heapStart: process.heapStart, instructions };
}

describe.each(['bytecode', 'queens', 'words'])('the report of sample %s', (name) => {
  const file = join(ROOT, 'samples', name, `${name}.elf`);
  const input = readFileSync(join(ROOT, 'samples', name, 'input'));
  const before = profiled(readImage(file), input);
  const { bytes, map } = optimize(before.run.image, before.run.profile);
  const after = profiled(parseImage(bytes, `${file}.opt`), input, before.heapStart);
  const superblocks = summariesOf(before.run.image, after.run.image, map);
  const model = buildReport({
    ...exampleInput(),
    arguments: [],
    inputs: ['input'],
    original: before.run,
    optimized: after.run,
    superblocks,
  });

  it('counts what the engine counted', () => {
    expect(model.original.instructions).toBe(before.instructions);
    expect(model.optimized.instructions).toBe(after.instructions);
    expect(model.bytesAdded).toBe(bytes.length - before.run.image.bytes.length);
  });

  it('accounts for every instruction of the original by the exits of superblocks', () => {
    const counts = makeCounts(after.run);
    const inside = model.superblocks.reduce((sum, { instructions }) => sum + instructions.after, 0);
    const replaced = model.superblocks.reduce((sum, { instructions }) => sum + instructions.before, 0);
    const patches = map.patches.reduce((sum, [address, size]) => sum + counts.within(address, address + size), 0);
    const outside = counts.total - inside - patches;
    // A superblock whose line is empty is not seen being passed through: it does one jump's work each time.
    expect(Math.abs(before.instructions - replaced - outside)).toBeLessThanOrEqual(before.instructions * 0.0005);
    for (const { head, count, exits } of model.superblocks) {
      const left = exits.reduce((sum, exit) => sum + exit.count, 0);
      // The superblock in which the program ends is not left.
      expect(Math.abs(left - count), head).toBeLessThanOrEqual(1);
    }
  });

  it('has the paths of the training run, without the ecalls that stay in the original text', () => {
    const code = codeOf(before.run.image);
    const blocks = new Map(makeCounts(before.run).blocks.map(({ start, end }) => [start, end]));
    for (const { path } of superblocks)
      for (const { start, end } of path) {
        const next = code.insnAt(end);
        const stays = next !== undefined && endingOf(next) === 'syscall' ? end + next.size : end;
        expect(blocks.get(start) ?? end).toBeOneOf([end, stays]);
      }
  });

  it('has the same paths on another input, whose blocks end elsewhere', () => {
    const stdin = new Uint8Array(0);
    const other = profiled(readImage(file), stdin);
    const again = buildReport({
      ...exampleInput(),
      original: other.run,
      optimized: profiled(after.run.image, stdin, other.heapStart).run,
      superblocks: summariesOf(other.run.image, after.run.image, map),
    });
    const lengths = ({ superblocks: all }: typeof model) =>
      all.map(({ head, instructions }) => `${head} ${instructions.original}`).sort();
    expect(lengths(again)).toEqual(lengths(model));
  });

  it('follows no circle of stubs', () => {
    const { superblocks: all } = map;
    const mapped = all.find(({ stubs }) => stubs.filter(([start, end]) => end - start >= 4).length >= 2)!;
    const [one, other] = mapped.stubs.filter(([start, end]) => end - start >= 4).map(([start]) => start);
    const wrong = Uint8Array.from(bytes);
    const { address, offset } = after.run.image.segments.find(({ address, size }) => one! - address < size)!;
    for (const [from, to] of [
      [one!, other!],
      [other!, one!],
    ] as const)
      wrong.set(encodeBytes(jumpInsn(to - from), false), offset + from - address);
    const stubs = [one!, other!].map((start) => [start, start + 4] as const);
    const circle = { ...map, superblocks: all.map((each) => (each === mapped ? { ...each, stubs } : each)) };
    const found = summariesOf(before.run.image, parseImage(wrong, 'circle'), circle);
    const lost = found.find(({ head }) => head === mapped.head)!.exits.filter(({ to }) => to === one || to === other);
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.every(({ target }) => target === undefined)).toBe(true);
  });

  it('makes the same page each time, of a modest size', () => {
    const page = renderHtml(model);
    expect(page.length).toBeLessThan(500_000);
    expect(renderHtml(model)).toBe(page);
  });
});
