/** Damaged executables, loaded and run for a while: an error of ours in one line, or a guest's fate; never anything else. */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { IsoformError } from '../../src/base/errors.ts';
import { parseImage } from '../../src/elf/read.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { execute } from '../../src/engine/execute.ts';
import { createProcess } from '../../src/machine/process.ts';
import { generator } from '../support/inputs.ts';
import { ROOT } from '../support/tools.ts';

const ROUNDS = Number(process.env.ISOFORM_MUTATIONS ?? 150);
const SEED = Number(process.env.ISOFORM_SEED ?? 1);

/** @returns what became of it */
function fate(bytes: Uint8Array): string {
  try {
    const guest = createProcess({ image: parseImage(bytes, 'damaged'), grants: [], cwd: tmpdir() });
    const { exit } = execute(guest, makeEngine('dispatch', guest.memory), { limitInstructions: 100_000 });
    return exit.kind;
  } catch (error) {
    if (error instanceof IsoformError && error.code !== 'internal') {
      expect(error.line()).not.toMatch(/\n|undefined|NaN/);
      return 'error';
    }
    throw error;
  }
}

test(`${ROUNDS} mutations of a sample (seed ${SEED})`, () => {
  const sample = readFileSync(join(ROOT, 'samples/base64/base64.elf'));
  const random = generator(SEED);
  const seen = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = new Uint8Array(sample);
    // The ELF header, the program headers, the first kilobyte, everything.
    const reach = [64, 400, 1024, bytes.length][random.below(4)]!;
    for (let edits = 1 + random.below(6); edits > 0; edits--) bytes[random.below(reach)] = random.below(256);
    const kind = fate(random.below(20) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes);
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
  }
  expect([...seen.keys()].sort()).toEqual(expect.arrayContaining(['error', 'signal', 'status']));
}, 600_000);
