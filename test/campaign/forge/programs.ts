/** The programs whose optimized files are forged: bare ones, ones with a C library, position-independent, with exceptions of both kinds. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../../../src/elf/image.ts';
import { parseImage, readImage } from '../../../src/elf/read.ts';
import { optimize } from '../../../src/pipeline/optimize.ts';
import { profileRun } from '../../../src/pipeline/profile-run.ts';
import { profileOf } from '../../../src/profile/store.ts';
import { CACHE, compileFile, ROOT, run, tool } from '../../support/tools.ts';

export interface Input {
  readonly args: readonly string[];
  readonly stdin: Uint8Array;
}

export interface Program {
  readonly name: string;
  readonly original: Image;
  readonly optimized: Image;
  /** Trained on the first. */
  readonly inputs: readonly Input[];
}

const WORK = ['-O2', '-w', '-lm'];
const THROWING = ['-O2', '-static', '-std=c++14', '-w'];
const PIE =
  '-O2 -fPIE -static-pie -nostdlib -ffreestanding -fno-stack-protector -fno-math-errno -fno-tree-loop-distribute-patterns -Wl,--no-dynamic-linker'.split(
    ' ',
  );
const NONE = new Uint8Array();
const withArgs = (...lists: readonly string[][]): Input[] => lists.map((args) => ({ args, stdin: NONE }));

function sample(name: string): { readonly file: string; readonly inputs: Input[] } {
  const folder = join(ROOT, 'samples', name);
  const whole = readFileSync(join(folder, 'input'));
  const half = whole.subarray(0, whole.lastIndexOf(10, whole.length / 2) + 1);
  return { file: join(folder, `${name}.elf`), inputs: [whole, half].map((stdin) => ({ args: [], stdin })) };
}

/** A sample (one without pointers in its data) as a static PIE: the cross compilers come without what a C library needs for one. */
function pie(name: string): string {
  const folder = join(ROOT, 'samples');
  const file = join(CACHE, 'compiled', `forge-${name}-pie.elf`);
  mkdirSync(join(CACHE, 'compiled'), { recursive: true });
  const sources = ['runtime/start.S', 'runtime/runtime.c', `${name}/${name}.c`].map((source) => join(folder, source));
  const done = run(tool('gcc'), [...PIE, '-I', join(folder, 'runtime'), ...sources, '-o', file]);
  if (done.status !== 0) throw new Error(done.stderr.toString());
  return file;
}

const work = (flags: readonly string[]) => ({
  file: compileFile('test/campaign/forge/work.c', [...WORK, ...flags]),
  inputs: withArgs(['12'], ['5', '99'], ['9', '7777']),
});
const throwing = (flags: readonly string[]) => ({
  file: compileFile('test/emit/exceptions.cpp', [...THROWING, ...flags]),
  inputs: withArgs([], ['1'], ['1', '2', '3', '4', '5', '6']),
});

const MADE: Readonly<Record<string, () => { readonly file: string; readonly inputs: readonly Input[] }>> = {
  work: () => work(['-static']),
  'work-no-c': () => work(['-static', '-march=rv64g', '-mabi=lp64d', '-O1']),
  'route-pie': () => ({ ...sample('route'), file: pie('route') }),
  exceptions: () => throwing([]),
  'exceptions-search': () => throwing(['-Wl,--eh-frame-hdr']),
  sort: () => sample('sort'),
  bytecode: () => sample('bytecode'),
  words: () => sample('words'),
};

export const PROGRAMS: readonly string[] = Object.keys(MADE);

export function makeProgram(name: string): Program {
  const { file, inputs } = MADE[name]!();
  const original = readImage(file);
  const [{ args, stdin }] = inputs as readonly [Input];
  const { profile } = profileRun({ image: original, input: { args, stdin } });
  const bytes = optimize(original, profileOf(profile, original)).bytes;
  return { name, original, optimized: parseImage(bytes, `${name}.isoform`), inputs };
}

/** Writes it where it can be run. */
export const writeProgram = (file: string, bytes: Uint8Array): void => writeFileSync(file, bytes, { mode: 0o755 });
