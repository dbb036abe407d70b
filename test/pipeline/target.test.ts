/** Outputs made for more than their inputs need: instructions, attributes, verdicts. */
import { describe, expect, test } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import { parseImage } from '../../src/elf/read.ts';
import { readOptimizedCode } from '../../src/elf/write.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { countPair } from '../../src/pipeline/count.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { retired } from '../../src/profile/blocks.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { rerun } from '../../src/verify/rerun.ts';
import { sample } from '../support/samples.ts';

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
    const { superblocks, file } = prove(image, form, mapOf(image, form));
    expect(file.flatMap(({ problems }) => problems)).toEqual([]);
    expect(superblocks.filter(({ verdict }) => verdict !== 'proved')).toEqual([]);
  });
});
