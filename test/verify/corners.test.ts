/**
 * Valid programs that use the corners of calling convention, memory and instruction set. Each came out wrong once, and was called
 * proved. The optimized form must do what the original does under qemu, on inputs that were not trained on too, and all of it that
 * ships must be proved.
 */
import { readdirSync, rmSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { readImage } from '../../src/elf/read.ts';
import { writeExecutable } from '../../src/elf/write.ts';
import { AVOIDABLE_ASSUMPTIONS } from '../../src/emit/assumptions.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { runToEvent, serve } from '../../src/engine/execute.ts';
import { createProcess } from '../../src/machine/process.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { optimizeProved, type ProvedOptions } from '../../src/pipeline/proved.ts';
import type { ImageProfile } from '../../src/profile/profile.ts';
import { profileOf } from '../../src/profile/store.ts';
import { buildCorner, CORNERS, CORNERS_FOLDER } from '../support/corners.ts';
import { needs, qemu, temporary } from '../support/tools.ts';

/** What --strict makes. */
const STRICT = { without: AVOIDABLE_ASSUMPTIONS, narrow: true };

const folder = temporary('corners');
afterAll(() => rmSync(folder, { recursive: true }));

function optimized(file: string, profile: ImageProfile, options: ProvedOptions): string {
  const made = optimizeProved(readImage(file), profile, options);
  expect(made.proof.superblocks.filter(({ verdict }) => verdict !== 'proved')).toEqual([]);
  expect(made.proof.file.flatMap(({ problems }) => problems)).toEqual([]);
  const out = `${file}.optimized`;
  writeExecutable(out, made.bytes);
  return out;
}

/** Runs a guest in slices so short that its alarm comes in the middle of superblocks: time goes by instructions. @returns what it prints */
function interrupted(file: string, args: readonly string[]): string {
  let text = '';
  const sink = (_: number, bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString();
  };
  const process = createProcess({ image: readImage(file), args: [...args], sink });
  const engine = makeEngine('dispatch', process.memory);
  for (let result: ReturnType<typeof serve> = 'continue'; result === 'continue'; )
    result = serve(process, runToEvent(process, engine, 211));
  return text;
}

const outcome = ({ status, stdout }: { status: number | null; stdout: Buffer }) => `${stdout} status ${status}`;

describe.runIf(needs('programs that came out wrong once', 'gcc', 'clang', 'qemu'))(
  'does what the original does:',
  () => {
    test.each(CORNERS.map((corner) => [corner.file, corner] as const))('%s', (_, corner) => {
      const file = buildCorner(corner, folder);
      const image = readImage(file);
      const input = { args: [...corner.inputs[0]!] };
      const profile = profileOf(profileRun({ image, input }).profile, image);
      for (const options of [{}, STRICT]) {
        const form = optimized(file, profile, options);
        for (const args of corner.inputs) expect(outcome(qemu(form, args))).toBe(outcome(qemu(file, args)));
      }
    });

    test('a signal handler that writes between two accesses (handler-writes.c)', () => {
      const file = buildCorner({ file: 'handler-writes.c', inputs: [] }, folder);
      const image = readImage(file);
      const profile = profileOf(profileRun({ image, input: {} }).profile, image);
      expect(profile.others).toEqual(['signal handler']);
      const form = optimized(file, profile, {});
      // Without one, the two loads of `data` become one.
      const good = interrupted(form, ['300000']);
      const bad = interrupted(optimized(file, { ...profile, others: [] }, {}), ['300000']);
      expect(good).toMatch(/signals \d\d+\nbad 0\n/);
      expect(bad).toMatch(/signals \d\d+\nbad [1-9]/);
    });

    test('each of them is run', () => {
      const named = new Set([
        ...CORNERS.flatMap(({ file, with: others = [] }) => [file, ...others]),
        'handler-writes.c',
      ]);
      expect([...named].sort()).toEqual(readdirSync(CORNERS_FOLDER).sort());
    });
  },
);
