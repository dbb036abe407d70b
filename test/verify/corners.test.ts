/**
 * Valid programs that use the corners of calling convention, memory and instruction set. Each came out wrong once, and was called
 * proved. The optimized form must do what the original does under qemu, on inputs that were not trained on too, and all of it that
 * ships must be proved.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readImage } from '../../src/elf/read.ts';
import { writeExecutable } from '../../src/elf/write.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { runToEvent, serve } from '../../src/engine/execute.ts';
import { createProcess } from '../../src/machine/process.ts';
import { ASSUMABLE } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { optimizeProved, type ProvedOptions } from '../../src/pipeline/proved.ts';
import type { ImageProfile } from '../../src/profile/profile.ts';
import { profileOf } from '../../src/profile/store.ts';
import { withRuntime } from '../campaign/optimized/runtime.ts';
import { findTool, needs, qemu, ROOT, run, temporary, tool } from '../support/tools.ts';

const CORNERS = join(ROOT, 'test/verify/corners');
const STATIC = ['-O2', '-w', '-static'];
/** With a tiny C library: there is less to look through. Without a compiler it is not made, nor is what is linked with it. */
const TINY = ['-O2', '-w', '-fno-stack-protector', ...(findTool('gcc') ? withRuntime() : []), '-lgcc'];
const CXX = [...STATIC, '-lstdc++'];
/** For clang. */
const CLANG = ['--target=riscv64-linux-gnu', '-isystem', '/usr/riscv64-linux-gnu/include', ...STATIC];
const BARE = ['-nostdlib', '-no-pie', '-static'];
/** What --strict makes. */
const STRICT = { without: ASSUMABLE, narrow: true };

interface Corner {
  readonly file: string;
  /** Files that are linked with it. */
  readonly with?: readonly string[];
  readonly flags?: readonly string[];
  /** Arguments: trained with the first, run with all. */
  readonly inputs: readonly (readonly string[])[];
}

const corners: readonly Corner[] = [
  // An address that is near a return address is not computed from it.
  { file: 'link-as-base.c', inputs: [[]] },
  // What is linked through another register than ra and t0 is a value.
  { file: 'link-in-a1.S', flags: BARE, inputs: [[]] },
  { file: 'irelative-stub.c', inputs: [[]] },
  // Whoever knows that may come back by it.
  { file: 'call-by-t4.S', flags: BARE, inputs: [['1'], ['2'], ['7']] },
  // What is stored to pass it, or to show it, is not saved.
  { file: 'alloca-by-value.c', inputs: [[], ['0']] },
  { file: 'global-register.c', flags: [...STATIC, '-ffixed-s11'], inputs: [['20000'], ['3'], ['777']] },
  { file: 'global-in-object.c', flags: [...BARE, '-O2', '-w', '-ffixed-s11', '-fno-stack-protector'], inputs: [[]] },
  // A frame is reached by more than one base.
  { file: 'two-bases.c', inputs: [['20000'], ['3'], ['500']] },
  // Functions written by hand return in any register.
  { file: 't-registers.c', with: ['t-registers-asm.S'], inputs: [[]] },
  // Jumps that compute where they lead lead to any label of their function.
  { file: 'label-distances.c', flags: [...STATIC, '-s'], inputs: [['1'], ['15'], ['10'], ['12']] },
  { file: 'self-distances.S', flags: BARE, inputs: [['0'], ['7'], ['2'], ['4']] },
  { file: 'self-distances.S', flags: [...BARE, '-s'], inputs: [['0'], ['7'], ['2'], ['4']] },
  { file: 'labels-kept.c', flags: ['-O1', '-w', '-static'], inputs: [['0'], ['1']] },
  // Not all that jumps by ra or t0 returns.
  { file: 'jump-by-link.S', flags: BARE, inputs: [['0'], ['1']] },
  // Not all return to where they were called from.
  { file: 'return-behind.S', flags: BARE, inputs: [['0'], ['1']] },
  // Instructions that are not known may read whatever is kept for them.
  { file: 'unknown-reads.S', flags: BARE, inputs: [['0'], ['1']] },
  // What does not come back writes nothing, and what runs on into the next function does come back.
  { file: 'never-back.S', flags: BARE, inputs: [['0'], ['1']] },
  { file: 'passed-by-t0.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'returned-by-t0.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'jump-by-stack.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'back-by-ra.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'back-by-stack.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'both-links.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'link-copied.c', inputs: [['0'], ['1']] },
  { file: 'link-on-stack.c', flags: TINY, inputs: [['0'], ['1']] },
  // Callers are seen behind instructions that are not known, and behind data in the text.
  { file: 'behind-unknown.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'data-in-text.c', flags: [...TINY, '-s'], inputs: [['0'], ['1']] },
  // Tables lead out of what symbols call the function: into a part under another name, or none, or before a second entry; or from operation to operation.
  { file: 'cold-alias.c', flags: [...TINY, '-freorder-blocks-and-partition'], inputs: [['0'], ['1']] },
  { file: 'cold-alias.c', flags: [...TINY, '-freorder-blocks-and-partition', '-Wl,-x'], inputs: [['0'], ['1']] },
  { file: 'two-entries.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'threaded-ops.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'plain-labels.c', flags: TINY, inputs: [['0'], ['1']] },
  // An environment is no argument, but passed all the same.
  { file: 'static-chain.c', inputs: [['20000'], ['100000']] },
  // Who looks at the whole sees its parts.
  { file: 'table-in-object.c', flags: CLANG, inputs: [['20000'], ['3', 'whole']] },
  // What unwinders go by is more than where registers are.
  { file: 'odd-frames.cpp', flags: CXX, inputs: [['90'], ['300']] },
  { file: 'odd-frames.cpp', flags: [...CXX, '-DSIGNAL'], inputs: [['90'], ['300']] },
  // Code that lies in the data is none of the image's.
  { file: 'code-in-data.c', inputs: [[], ['anew']] },
  // A system call reads a0 to a7.
  { file: 'syscall-setup.S', flags: BARE, inputs: [[]] },
  // What was saved in a frame that is given back is no part of the next one.
  { file: 'frame-again.c', inputs: [['3000'], ['7'], ['100']] },
];

const folder = temporary('corners');
afterAll(() => rmSync(folder, { recursive: true }));

function build({ file, with: others = [], flags = STATIC }: Corner): string {
  const out = join(folder, `${file}.elf`);
  const files = [file, ...others].map((name) => join(CORNERS, name));
  const result = run(tool(flags === CLANG ? 'clang' : 'gcc'), [...files, ...flags, '-o', out]);
  if (result.status !== 0) throw new Error(`${file}: ${result.stderr}`);
  return out;
}

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
    test.each(corners.map((corner) => [corner.file, corner] as const))('%s', (_, corner) => {
      const file = build(corner);
      const image = readImage(file);
      const input = { args: [...corner.inputs[0]!] };
      const profile = profileOf(profileRun({ image, input }).profile, image);
      for (const options of [{}, STRICT]) {
        const form = optimized(file, profile, options);
        for (const args of corner.inputs) expect(outcome(qemu(form, args))).toBe(outcome(qemu(file, args)));
      }
    });

    test('a signal handler that writes between two accesses (handler-writes.c)', () => {
      const file = build({ file: 'handler-writes.c', inputs: [] });
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
        ...corners.flatMap(({ file, with: others = [] }) => [file, ...others]),
        'handler-writes.c',
      ]);
      expect([...named].sort()).toEqual(readdirSync(CORNERS).sort());
    });
  },
);
