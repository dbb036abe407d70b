import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encode } from '../../src/isa/encode.ts';
import { extensionNames, extensionSet, RV64GC } from '../../src/isa/extensions.ts';
import { COMPRESSED, ROWS } from '../../src/isa/table.ts';
import { insnOf } from '../support/insns.ts';
import { compareWithObjdump, differenceLines } from '../support/objdump.ts';
import { objdumpKnows } from '../support/peers.ts';
import { needs, runAsync, tool } from '../support/tools.ts';

/** A static program brings the whole C library, with its floating-point, atomic and string code. */
const SOURCE = `
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
#include <complex.h>
int main(int argc, char **argv) {
  double x = argc > 1 ? strtod(argv[1], 0) : 2.5;
  float y = (float)x;
  printf("%g %g %d %ld %g\\n", fma(x, x, x), sinf(y) + powf(y, 3), (int)y, lrint(x), cabs(csqrt(x + 1i)));
  return __atomic_fetch_add(&argc, 1, __ATOMIC_SEQ_CST);
}`;

describe.runIf(needs('decoding against objdump', 'gcc', 'objdump'))(
  'decoding and printing agree with objdump',
  { timeout: 120_000 },
  () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'isoform-objdump-'));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    async function build(name: string, source: string, ...options: string[]): Promise<string> {
      const input = join(folder, name);
      const output = `${input}.elf`;
      writeFileSync(input, source);
      const { status, stderr } = await runAsync(tool('gcc'), ['-o', output, input, ...options]);
      if (status !== 0) throw new Error(stderr.toString());
      return output;
    }

    test('over a whole static program', async () => {
      const result = await compareWithObjdump(await build('program.c', SOURCE, '-O2', '-static', '-lm'));
      expect(differenceLines(result.differences)).toEqual([]);
      expect(result.compared).toBeGreaterThan(90_000);
      expect(result.compressed).toBeGreaterThan(40_000);
    });

    test('over a program without compressed instructions', async () => {
      const result = await compareWithObjdump(
        await build('full.c', SOURCE, '-O1', '-march=rv64gc', '-mno-relax', '-c'),
      );
      expect(differenceLines(result.differences)).toEqual([]);
      expect(result.compared).toBeGreaterThan(50);
    });

    test('over all halfwords', async () => {
      const beyond = COMPRESSED.filter((form) => !objdumpKnows(form));
      const halves = Array.from({ length: 0x10000 }, (_, half) => half).filter(
        (half) => (half & 3) !== 3 && beyond.every((form) => form.expand(half) === undefined),
      );
      const object = await build(
        'halves.s',
        halves.map((half) => `.insn 2, ${half}\n`).join(''),
        '-c',
        '-march=rv64gc',
      );
      const { differences, compared, unknown } = await compareWithObjdump(object);
      expect(compared + unknown).toBe(halves.length);
      // objdump prints c.addi16sp with an immediate of 0; the manual has it reserved.
      expect(differences).toMatchObject([{ bits: '6101', ours: undefined, theirs: 'addi sp,sp,0' }]);
    });

    test('over random fields of every row', async () => {
      const known = ROWS.filter(objdumpKnows);
      const insns = known
        .flatMap((row) => fc.sample(insnOf(row), { seed: 1, numRuns: 100 }))
        .filter(
          // objdump does not know the exact conversions with another rounding mode than 0.
          ({ row, rm, imm }) =>
            !(row.exact && rm !== 0) && (row.format !== 'fence' || (imm < 256 && imm & 15 && imm & 240)),
        );
      const words = insns.map((insn) => `.insn 4, ${encode(insn)}\n`);
      // Linked high enough that no backward target is negative.
      const beyond = extensionNames(extensionSet(known.map(({ extension }) => extension)) & ~RV64GC);
      const options = [
        `-march=rv64gc_${beyond.join('_').toLowerCase()}`,
        '-nostdlib',
        '-static',
        '-Wl,-Ttext=0x1000000,-e0x1000000',
      ];
      const object = await build('words.s', words.join(''), ...options);
      const { differences, compared } = await compareWithObjdump(object);
      expect(differenceLines(differences)).toEqual([]);
      expect(compared).toBeGreaterThan(18_000);
    });
  },
);
