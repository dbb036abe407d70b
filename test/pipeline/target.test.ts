/** Outputs made for more than their inputs need: instructions, attributes, verdicts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { readOptimizedCode } from '../../src/elf/write.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { countPair } from '../../src/pipeline/count.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { optimizeProved } from '../../src/pipeline/proved.ts';
import { retired } from '../../src/profile/blocks.ts';
import { profileOf } from '../../src/profile/store.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { rerun } from '../../src/verify/rerun.ts';
import { sample } from '../support/samples.ts';
import { compile, needs, run, tool } from '../support/tools.ts';

/** Extensions beyond RV64GC that the new code has instructions of. */
function extensionsIn(image: Image): string[] {
  const { bytes } = readOptimizedCode(image)!;
  const found = new Set<string>();
  for (let at = 0; at < bytes.length; ) {
    const insn = decodeAt(bytes, at);
    if (insn !== undefined) found.add(insn.row.extension);
    at += insn?.size ?? 2;
  }
  return [...found].filter((extension) => /^Z(?:b|icond)/.test(extension)).sort();
}

const attributesOf = (image: Image): string => {
  const section = image.sections.find(({ name }) => name === '.riscv.attributes')!;
  return new TextDecoder('latin1').decode(image.bytes.subarray(section.offset, section.offset + section.size));
};

describe.each(['sha256', 'route'])('%s for rva22u64', (name) => {
  const { image, profile, input } = sample(name);
  const plain = parseImage(optimize(image, profile).bytes, 'plain');
  const made = optimize(image, profile, { target: 'rva22u64' });
  const form = parseImage(made.bytes, 'form');

  test('uses what the target has, and says so; without a target nothing is used', () => {
    expect(extensionsIn(plain)).toEqual([]);
    expect(attributesOf(plain)).toBe(attributesOf(image));
    expect(extensionsIn(form).length).toBeGreaterThan(0);
    expect(attributesOf(form)).toMatch(/_zba1p0_zbb1p0_zbs1p0/);
    expect(made.map.assumptions).toContain('A9');
  });

  test('runs fewer instructions, and does the same', () => {
    const count = (optimized: Image) => retired(countPair({ original: image, optimized, input }).optimized, optimized);
    expect(count(form)).toBeLessThan(count(plain));
    expect(rerun({ original: image, optimized: form, input }).differences).toEqual([]);
  });

  test('is proved as much as the other', () => {
    const { superblocks, file, assumptions, extensions } = prove(image, form, mapOf(image, form));
    expect(assumptions).toContain('A9');
    expect(extensions).toEqual(extensionsIn(form));
    const other = prove(image, plain, mapOf(image, plain));
    expect([other.extensions, other.assumptions.includes('A9')]).toEqual([[], false]);
    expect(file.flatMap(({ problems }) => problems)).toEqual([]);
    expect(superblocks.filter(({ verdict }) => verdict !== 'proved')).toEqual([]);
  });
});

const PROGRAM = `
#include <stdio.h>
int main(void) {
  static unsigned table[64];
  unsigned sum = 0;
  for (unsigned i = 0; i < 20000; i++) sum += table[(i * 7) % 64]++ + (unsigned short)sum;
  printf("%u\\n", sum);
}`;

describe.runIf(needs('a target for a program of the C library', 'gcc', 'readelf'))('a static program', () => {
  test('is proved whole, header of the attributes too, and readelf names the extensions', () => {
    const file = compile(PROGRAM, ['-O2', '-static']);
    const image = readImage(file);
    const { profile } = profileRun({ image, input: {} });
    const made = optimizeProved(image, profileOf(profile, image), { target: 'rva23u64' });
    expect(made.rejected).toEqual([]);
    expect(made.proof.file.flatMap(({ problems }) => problems)).toEqual([]);
    expect(extensionsIn(made.image)).toContain('Zba');
    const target = join(mkdtempSync(join(tmpdir(), 'isoform-target-')), 'form');
    writeFileSync(target, made.bytes);
    const { stdout, stderr } = run(tool('readelf'), ['-A', '-l', target]);
    rmSync(dirname(target), { recursive: true });
    expect(stderr.toString()).toBe('');
    expect(stdout.toString()).toMatch(/Tag_RISCV_arch: "rv64i.*_zicond1p0_.*_zba1p0_zbb1p0_zbs1p0/);
  });

  test.runIf(needs('a machine without the target', 'qemu'))(
    'dies where the machine has not what the proof names',
    () => {
      const file = compile(PROGRAM, ['-O2', '-static']);
      const image = readImage(file);
      const { profile } = profileRun({ image, input: {} });
      const made = optimizeProved(image, profileOf(profile, image), { target: 'rva22u64' });
      expect(made.proof.assumptions).toContain('A9');
      expect(made.proof.extensions.length).toBeGreaterThan(0);
      const target = join(mkdtempSync(join(tmpdir(), 'isoform-target-')), 'form');
      writeFileSync(target, made.bytes, { mode: 0o755 });
      const without = made.proof.extensions.map((name) => `${name.toLowerCase()}=false`).join();
      const status = (name: string) => run(tool('qemu'), ['-cpu', `rv64,${without}`, name]).status;
      expect([status(file), status(target)]).toEqual([0, 132]);
      rmSync(dirname(target), { recursive: true });
    },
  );
});
