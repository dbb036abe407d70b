/** Rounding modes forged in a real output: an operation that never rounds is still illegal where the dynamic mode is none. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { readOptimizedCode } from '../../src/elf/write.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { encode } from '../../src/isa/encode.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { optimizeProved } from '../../src/pipeline/proved.ts';
import { profileOf } from '../../src/profile/store.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { compile, needs, qemu } from '../support/tools.ts';

/** Sets a rounding mode that is none, and works with operations that do not look at it. */
const SOURCE = `
  .globl _start
_start:
  csrwi frm, 5
  li s0, 1000
  li s1, 0
again:
  fcvt.d.w fa0, s0
  fcvt.d.wu fa1, s0
  fmul.d fa2, fa0, fa1, rtz
  fcvt.w.d a0, fa2, rtz
  add s1, s1, a0
  addi s0, s0, -1
  bnez s0, again
  andi a0, s1, 63
  li a7, 93
  ecall
`;

describe.runIf(needs('forged rounding modes', 'gcc', 'qemu'))('forged rounding modes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'isoform-rounding-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  let original: Image;
  let optimized: Image;
  beforeAll(() => {
    original = readImage(compile(SOURCE, ['-nostdlib', '-static', '-march=rv64gc'], 's'));
    const { profile } = profileRun({ image: original, input: {} });
    optimized = optimizeProved(original, profileOf(profile, original)).image;
  });
  const runs = (image: Image): number => {
    const file = join(folder, 'forged');
    writeFileSync(file, image.bytes, { mode: 0o755 });
    return qemu(file, []).status;
  };
  const isProved = (image: Image): boolean => {
    const { superblocks, file } = prove(original, image, mapOf(original, image));
    return (
      superblocks.every(({ verdict }) => verdict === 'proved') && file.every(({ problems }) => problems.length === 0)
    );
  };

  test('as it was made, it is right', () => {
    expect(isProved(optimized)).toBe(true);
    expect(runs(optimized)).toBe(runs(original));
  });

  test.each(['fcvt.d.w', 'fcvt.d.wu', 'fmul.d', 'fcvt.w.d'])('%s with a dynamic mode is not proved', (name) => {
    const { address, bytes } = readOptimizedCode(optimized)!;
    const segment = optimized.segments.find((each) => address >= each.address && address < each.address + each.size)!;
    const forged = optimized.bytes.slice();
    const view = new DataView(forged.buffer);
    let changed = 0;
    for (let at = 0; at < bytes.length; ) {
      const insn = decodeAt(bytes, at);
      if (insn?.row.name === name && ++changed)
        view.setUint32(segment.offset + address - segment.address + at, encode({ ...insn, rm: 7 }), true);
      at += insn?.size ?? 2;
    }
    expect(changed).toBeGreaterThan(0);
    const image = parseImage(forged, 'forged');
    expect(runs(image)).not.toBe(runs(original));
    expect(isProved(image)).toBe(false);
  });
});
