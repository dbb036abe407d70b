/** The tiny C library of small programs, compiled once: csmith's and what others need beside it. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE, compilerVersion, publish, ROOT, run, scratch, tool } from '../../support/tools.ts';

const FILES = ['csmith/start.S', 'csmith/runtime.c', 'optimized/runtime.c'].map((file) =>
  join(ROOT, 'test/campaign', file),
);
/** Without these, a compiler would turn the runtime's memcpy into a call to itself. */
const FLAGS = ['-O2', '-w', '-fno-pie', '-fno-builtin', '-fno-tree-loop-distribute-patterns', '-ffixed-s11'];

/** Flags that link with it alone; they come before the program's own files, and `-lm -lgcc` behind these. */
export const withRuntime = (): readonly string[] => [
  '-nostdlib',
  '-static',
  '-no-pie',
  '-Wl,--build-id=none',
  object(),
];

let made: string | undefined;

/** All of it as one object file. */
function object(): string {
  if (made !== undefined) return made;
  const gcc = tool('gcc');
  const key = [compilerVersion(gcc), FLAGS, FILES.map((file) => readFileSync(file, 'utf8'))];
  const hash = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 24);
  const target = join(CACHE, 'compiled', `${hash}.o`);
  if (!existsSync(target)) {
    const folder = scratch('runtime');
    try {
      const args = [...FLAGS, '-r', '-nostdlib', ...FILES, '-o', 'runtime.o'];
      const { status, stderr } = run(gcc, args, { cwd: folder });
      if (status !== 0) throw new Error(`cannot build the runtime: ${stderr}`);
      publish(join(folder, 'runtime.o'), target);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  made = target;
  return target;
}
