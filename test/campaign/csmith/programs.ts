/**
 * Programs by csmith (random C without undefined behaviour, https://github.com/csmith-project/csmith), built for RISC-V: on the
 * tiny runtime beside this file, so that the image is small and every instruction of it is generated code, or on static glibc.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, ROOT, run, scratch, tool } from '../../support/tools.ts';

/** Where Debian's libcsmith-dev has its headers. */
const HEADERS = '/usr/include/csmith';
export const LEVELS = ['O0', 'O1', 'O2', 'O3', 'Os'] as const;

/** How a compiler is called, beyond the level. */
export interface FlagSet {
  readonly flags: readonly string[];
  readonly compiler?: 'clang';
  /** Linked against glibc instead of the tiny runtime. */
  readonly glibc?: true;
}

const STATIC = ['-static', '-fno-pie', '-no-pie'];

export const FLAG_SETS: Readonly<Record<string, FlagSet>> = {
  plain: { flags: STATIC },
  'no-c': { flags: [...STATIC, '-march=rv64g'] },
  'save-restore': { flags: [...STATIC, '-msave-restore'] },
  medany: { flags: [...STATIC, '-mcmodel=medany'] },
  medlow: { flags: [...STATIC, '-mcmodel=medlow'] },
  'static-pie': { flags: ['-fPIE', '-pie', '-Wl,--no-dynamic-linker', '-Wl,-z,text'] },
  pic: { flags: ['-static', '-fPIC'] },
  'gc-sections': { flags: [...STATIC, '-ffunction-sections', '-fdata-sections', '-Wl,--gc-sections'] },
  debug: { flags: [...STATIC, '-g'] },
  stripped: { flags: [...STATIC, '-s'] },
  'no-relax': { flags: [...STATIC, '-Wl,--no-relax'] },
  // A bss that puts optimized code beyond a jump's reach of the original.
  far: { flags: [...STATIC, '-DFAR'] },
  tables: { flags: [...STATIC, '--param=case-values-threshold=3', '-fno-inline'] },
  clang: { flags: ['-static'], compiler: 'clang' },
  'clang-no-c': { flags: ['-static', '-march=rv64imafd'], compiler: 'clang' },
  glibc: { flags: ['-static'], glibc: true },
};

/** The C source of a seed, or undefined where csmith finds no program in time. The options go with the seed. */
export function generate(seed: number): string | undefined {
  const options = ['--seed', `${seed}`, '--quiet', '--concise'];
  // Mostly small ones: optimizing takes longest where superblocks are many and long, and more programs find more than larger ones.
  if (seed % 8 === 0) options.push('--max-funcs', `${4 + (seed % 7)}`, '--max-block-depth', `${3 + (seed % 3)}`);
  else {
    options.push('--max-funcs', `${2 + (seed % 3)}`, '--max-block-depth', `${2 + (seed % 2)}`);
    options.push('--max-expr-complexity', `${4 + (seed % 5)}`, '--max-block-size', `${3 + (seed % 2)}`);
    options.push('--max-array-len-per-dim', '5', '--max-array-dim', '2');
  }
  if (seed % 3 === 0) options.push('--float');
  if (seed % 4 === 1) options.push('--no-volatiles');
  if (seed % 5 === 2) options.push('--no-inline-function');
  if (seed % 11 === 5) options.push('--no-safe-math');
  try {
    const { status, stdout } = run(tool('csmith'), options, { timeout: 10_000 });
    return status === 0 ? stdout.toString() : undefined;
  } catch {
    return undefined;
  }
}

/** Compiles and links; the path is the caller's to remove. Throws with what the compiler said. */
export function build(source: string, level: string, set: FlagSet, target: string): void {
  const folder = scratch('csmith');
  try {
    const file = join(folder, 'program.c');
    writeFileSync(file, source);
    const clang = set.compiler === 'clang';
    const common = [`-${level}`, '-w', '-I', HEADERS, ...set.flags];
    const runtime = join(ROOT, 'test/campaign/csmith');
    // Without these, a compiler would turn the runtime's memcpy into a call to itself, and printf into puts.
    const own = [
      '-nostdlib',
      '-fno-stack-protector',
      '-fno-builtin-printf',
      clang ? '-fno-builtin-memcpy' : '-fno-tree-loop-distribute-patterns',
      '-Wl,--build-id=none',
      join(runtime, 'start.S'),
      join(runtime, 'runtime.c'),
      file,
      '-lm',
      '-lgcc',
    ];
    const args = [
      ...(clang ? ['--target=riscv64-linux-gnu', '-isystem', '/usr/riscv64-linux-gnu/include'] : []),
      ...common,
      ...(set.glibc ? [file, '-lm'] : own),
      '-o',
      target,
    ];
    const result = run(tool(clang ? 'clang' : 'gcc'), args, { cwd: folder });
    if (result.status !== 0) throw new Error(`cannot build: ${result.stderr.toString().slice(-1000)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const canGenerate = (): boolean => findTool('csmith') !== undefined && existsSync(join(HEADERS, 'csmith.h'));
