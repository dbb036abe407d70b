/**
 * Entries that are seen in an image, and patches that are made accordingly: none over the first instruction of a hot function whose second half is
 * entered in a run with an argument, which the training run is not.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readImage } from '../../src/elf/read.ts';
import { AVOIDABLE_ASSUMPTIONS } from '../../src/emit/assumptions.ts';
import { imageEntries } from '../../src/emit/entries.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { optimizeProved, type ProvedOptions } from '../../src/pipeline/proved.ts';
import { profileOf } from '../../src/profile/store.ts';
import { enteredProgram, WAYS } from '../support/entered.ts';
import { compile, needs, qemu, ROOT } from '../support/tools.ts';

describe.runIf(needs('entries', 'gcc', 'qemu'))('entries', () => {
  const folder = mkdtempSync(join(tmpdir(), 'isoform-entries-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const optimized = (file: string, options: ProvedOptions = { select: { minArrival: 0 } }) => {
    const image = readImage(file);
    const { profile } = profileRun({ image, input: {} });
    const made = optimizeProved(image, profileOf(profile, image), options);
    const target = join(folder, 'optimized');
    writeFileSync(target, made.bytes, { mode: 0o755 });
    const hot = image.symbols.find(({ name }) => name === 'hot')?.address ?? 0;
    return { image, target, hot, made };
  };

  test('where nothing enters the middle there is a patch, and it is called an assumption', () => {
    const { image, hot, made } = optimized(enteredProgram({ enter: 'j hot' }));
    expect(imageEntries(image).into(hot, 4)).toBeUndefined();
    expect(made.map.patches.map(([address]) => address)).toContain(hot);
    expect(made.proof.assumptions).toContain('A2');
  });

  test('addresses that relocations write are seen, and all is seen without sections and symbols', () => {
    const way = { enter: 'ret', data: 'place: .dword hot + 2' };
    const pie = ['-static-pie', '-Wl,--no-dynamic-linker'];
    for (const flags of [pie, ['-static']]) {
      const image = readImage(enteredProgram(way, flags));
      expect(image.relocatable).toBe(flags === pie);
      const hot = image.symbols.find(({ name }) => name === 'hot')!.address;
      const hidden = image.sections.filter(({ name }) => name !== '.text');
      for (const seen of [image, { ...image, sections: [], symbols: [] }, { ...image, sections: hidden, symbols: [] }])
        expect(imageEntries(seen).into(hot, 4)).toBe(hot + 2);
      const other = readImage(enteredProgram({ ...way, data: 'place: .dword hot' }, flags));
      expect(imageEntries({ ...other, sections: [], symbols: [] }).into(hot, 4)).toBeUndefined();
    }
  });

  test('what stands behind an instruction that nobody here knows is seen', () => {
    // vse8.v v8, (t1): its upper half and the jump behind it would be a load.
    const file = enteredProgram({ enter: 'bnez a6, 1f\n .4byte 0x02030427\n j hot + 2\n1: j hot' });
    const image = readImage(file);
    const hot = image.symbols.find(({ name }) => name === 'hot')!.address;
    expect(imageEntries(image).into(hot, 4)).toBe(hot + 2);
  });

  test('nor does a patch lie over the end of one', () => {
    // clmul a0, a0, a1 (Zbc), right before the hot function: it may be said to be where its second half is.
    const image = readImage(enteredProgram({ enter: 'j hot', before: '.4byte 0x0ab51533' }));
    const hot = image.symbols.find(({ name }) => name === 'hot')!.address;
    expect(imageEntries(image).into(hot - 2, 2)).toBe(hot - 2);
    expect(imageEntries(image).into(hot, 4)).toBeUndefined();
  });

  test('a program whose function is entered in its middle by another, with as few assumptions as can be', () => {
    const [c, asm] = ['overlapping-streams.c', 'overlapping-streams-asm.S'].map((name) =>
      readFileSync(join(ROOT, 'test/emit/cases', name), 'utf8'),
    );
    const file = compile(`${c}\n__asm__(${JSON.stringify(asm)});`, ['-O2', '-static', '-w']);
    const { target, made } = optimized(file, { without: AVOIDABLE_ASSUMPTIONS, narrow: true });
    expect(made.map.patches.length).toBeGreaterThan(0);
    expect(made.proof.assumptions).toContain('A2');
    for (const args of [[], ['more']]) expect(qemu(target, args).stdout).toEqual(qemu(file, args).stdout);
  });

  test.each(Object.entries(WAYS))('%s', (_, way) => {
    const file = enteredProgram(way);
    const { image, hot, made, target } = optimized(file);
    expect(imageEntries(image).into(hot, 4)).toBe(hot + 2);
    expect(made.map.patches.map(([address]) => address)).not.toContain(hot);
    for (const args of [[], ['more']]) expect(qemu(target, args).status).toBe(qemu(file, args).status);
  });
});
