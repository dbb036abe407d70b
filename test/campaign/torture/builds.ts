/** How a c-torture test is built: as gcc's own runner does it, as far as that is simple. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { run, tool } from '../../support/tools.ts';
import { withRuntime } from '../optimized/runtime.ts';
import type { Test } from './sources.ts';

export const LEVELS = ['-O0', '-O2', '-O3'] as const;

/** What a file says of its own flags: in comments for dejagnu, or in a script beside it. What is for some targets only is for others. */
export function flagsIn(text: string, script: string): readonly string[] {
  const comments = [...text.matchAll(/\{\s*dg-(?:additional-)?options\s+\{?\s*"([^"]*)"\s*\}?\s*(\{\s*target[^}]*)?/g)];
  const lines = [...script.matchAll(/^(?:lappend|set) additional_flags "?([^"\n]*)"?$/gm)];
  return [...comments.filter(([, , target]) => target === undefined), ...lines].flatMap(([, flags]) =>
    flags!.split(/\s+/).filter(Boolean),
  );
}

/** builtins.exp has these for its tests, which define library functions themselves. */
const BUILTINS = [
  '-fno-tree-dse',
  '-fno-tree-loop-distribute-patterns',
  '-fno-tracer',
  '-fno-ipa-ra',
  '-fno-inline-functions',
];

/**
 * Compiles and links, with the tiny C library or the whole one; undefined, or why not. With the tiny one there is less to look through;
 * it does not do for tests that look at what library functions return.
 */
export function build(
  folder: string,
  { name, text }: Test,
  level: string,
  library: 'tiny' | 'whole',
  target: string,
): string | undefined {
  if (library === 'tiny' && /printf|signal|alloca\.h/.test(text)) return 'needs the whole library';
  const at = join(folder, dirname(name));
  const file = basename(name);
  const script = join(at, `${file}.x`);
  const own = flagsIn(text, existsSync(script) ? readFileSync(script, 'utf8') : '');
  const builtin = dirname(name) === 'builtins';
  const files = builtin ? [`${file}.c`, `${file}-lib.c`, 'lib/main.c'] : [`${file}.c`];
  const how = [level, '-w', ...(builtin ? BUILTINS : []), ...own];
  const [start, libraries] = library === 'tiny' ? [withRuntime(), ['-lm', '-lgcc']] : [['-static'], ['-lm']];
  const args = [...how, ...start, ...files, ...libraries, '-o', target];
  try {
    const { status, stderr } = run(tool('gcc'), args, { cwd: at, timeout: 60_000 });
    return status === 0
      ? undefined
      : (stderr
          .toString()
          .split('\n')
          .find((line) => /error|undefined/.test(line)) ?? 'unknown');
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
