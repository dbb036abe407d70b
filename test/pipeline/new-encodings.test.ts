/** What becomes of an extension with compressed encodings that is added: nothing is encoded so unless the machine has it. */
import { describe, expect, test, vi } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import { parseImage } from '../../src/elf/read.ts';
import { readOptimizedCode } from '../../src/elf/write.ts';
import { decode, decodeAt } from '../../src/isa/decode.ts';
import { compress, encodeBytes, makeInsn } from '../../src/isa/encode.ts';
import { extensionNames, extensionSet, needsOf, RV64GC } from '../../src/isa/extensions.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { sample } from '../support/samples.ts';

/** An extension that there is not, in quadrant 0 where the manual has 100 with bit 12 set reserved. */
vi.mock('../../src/isa/c.ts', async (load) => {
  const c = await load<typeof import('../../src/isa/c.ts')>();
  const invented = c.rulesOf('Xnew', [
    { name: 'x.lbu', layout: "100 100 rs1' u[0|1] rd' 00", row: 'lbu' },
    { name: 'x.sb', layout: "100 110 rs1' u[0|1] rs2' 00", row: 'sb' },
    { name: 'x.mul', layout: "100 111 rdrs1' 10 rs2' 00", row: 'mul' },
    { name: 'x.not', layout: "100 111 rdrs1' 01 000 00", row: 'xori', fixed: { imm: -1 } },
  ]);
  return { ...c, C: [...c.C, ...invented] };
});
vi.mock('../../src/isa/targets.ts', async (load) => ({
  ...(await load<typeof import('../../src/isa/targets.ts')>()),
  extensionsOf: (target: string | undefined) => (target === undefined ? [] : ['Xnew']),
}));

/** Extensions of the new code. */
function extensionsIn(image: Image): string[] {
  const { bytes } = readOptimizedCode(image)!;
  let set = 0n;
  for (let at = 0; at < bytes.length; ) {
    const insn = decodeAt(bytes, at);
    if (insn !== undefined) set |= needsOf(insn);
    at += insn?.size ?? 2;
  }
  return extensionNames(set);
}

describe('an extension with encodings of its own', () => {
  const product = makeInsn('mul', { rd: 8, rs1: 8, rs2: 9 });

  test('is used by the encoder only where the machine has it', () => {
    expect(compress(product, RV64GC)).toBeUndefined();
    expect(() => encodeBytes(product, true, RV64GC)).toThrow(/no compressed form/);
    const half = compress(product, RV64GC | extensionSet(['Xnew']))!;
    expect(extensionNames(needsOf(decode(half)!))).toEqual(['M', 'Xnew']);
    // An immediate that the encoding fixes.
    const all = makeInsn('xori', { rd: 8, rs1: 8, imm: -1 });
    expect(decode(compress(all)!)).toEqual({ ...all, size: 2 });
    expect(compress({ ...all, imm: 1 })).toBeUndefined();
    expect(extensionNames(needsOf(decode(compress(makeInsn('fld', { rd: 40, rs1: 8 }))!)!))).toEqual(['C', 'D']);
  });

  const { image, profile } = sample('base64');
  const made = (target?: string) => {
    const { bytes, map } = optimize(image, profile, target === undefined ? {} : { target });
    const form = parseImage(bytes, 'form');
    return { form, map, proof: prove(image, form, mapOf(image, form)) };
  };

  test('is not in an output that nobody asked it for', () => {
    const { form, proof } = made();
    expect(extensionsIn(form)).not.toContain('Xnew');
    expect(proof.extensions).toEqual([]);
    expect(proof.assumptions).not.toContain('A9');
  });

  test('is named by the proof of one that was asked for it', () => {
    const { form, map, proof } = made('new');
    expect(extensionsIn(form)).toContain('Xnew');
    expect(proof.superblocks.filter(({ verdict }) => verdict !== 'proved')).toEqual([]);
    expect(proof.extensions).toEqual(['Xnew']);
    expect(proof.assumptions).toContain('A9');
    // A file that does not say so is not proved.
    const silent = mapOf(image, form);
    Object.assign(silent.data, { assumptions: map.assumptions.filter((id) => id !== 'A9') });
    const { superblocks } = prove(image, form, silent);
    const wrong = superblocks.filter(({ verdict }) => verdict !== 'proved');
    expect(wrong.some(({ reason }) => reason?.kind === 'exit' && reason.what.kind === 'extensions')).toBe(true);
  });
});
