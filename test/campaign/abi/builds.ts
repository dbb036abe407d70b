/** How a generated program is built: both compilers, all levels, flags that change how functions begin and end. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, scratch, tool } from '../../support/tools.ts';
import { withRuntime } from '../optimized/runtime.ts';
import type { Program } from './generate.ts';

export interface Build {
  readonly compiler: 'gcc' | 'clang';
  readonly level: string;
  readonly flags: readonly string[];
}

const LEVELS = ['-O2', '-O0', '-O3', '-Os', '-O1'];
const FLAGS: readonly (readonly string[])[] = [
  [],
  ['-msave-restore'],
  ['-fno-omit-frame-pointer'],
  ['-ffixed-s11'],
  ['-fno-inline'],
  ['-march=rv64g'],
  ['-mcmodel=medany'],
  ['-fstack-protector-all'],
  ['-fno-jump-tables'],
  ['-mno-relax'],
  ['-s'],
  ['-march=rv64gc_zba_zbb_zbs'],
];

export const buildName = ({ compiler, level, flags }: Build): string => [compiler, level, ...flags].join(' ');

/** Four of them, which go round by the seed: gcc at two levels, clang at one, gcc again with other flags. */
export function buildsFor(seed: number): readonly Build[] {
  const level = (k: number) => LEVELS[(seed + k) % LEVELS.length]!;
  const flags = (k: number) => FLAGS[(Math.floor(seed / LEVELS.length) + k) % FLAGS.length]!;
  return [
    { compiler: 'gcc', level: level(0), flags: [] },
    { compiler: 'gcc', level: level(2), flags: flags(1) },
    { compiler: 'clang', level: level(seed % 3), flags: flags(2) },
    { compiler: 'gcc', level: level(3), flags: flags(4) },
  ];
}

/** clang knows this register by its number. */
const forClang = (flag: string): string => (flag === '-ffixed-s11' ? '-ffixed-x27' : flag);

/** Compiles and links; the path is the caller's to remove. Throws with what the compiler said. */
export function build(program: Program, { compiler, level, flags }: Build, target: string): void {
  const folder = scratch('abi');
  try {
    writeFileSync(join(folder, 'program.c'), program.text);
    // Multiplying and adding in one step is the compiler's choice otherwise, and builds would differ.
    const common = [level, '-w', '-ffp-contract=off', '-frounding-math', '-fno-strict-aliasing'];
    const own = [...program.flags, ...flags];
    const args =
      compiler === 'clang'
        ? ['--target=riscv64-linux-gnu', '-isystem', '/usr/riscv64-linux-gnu/include', ...own.map(forClang)]
        : own;
    const libraries = program.whole ? ['-static', '-lm', '-latomic'] : ['-latomic', '-lgcc'];
    const start = program.whole ? [] : withRuntime();
    const all = [...common, ...args, ...start, 'program.c', ...libraries, '-o', target];
    const result = run(tool(compiler), all, { cwd: folder });
    if (result.status !== 0) throw new Error(`${compiler}: ${result.stderr.toString().slice(0, 2000)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
