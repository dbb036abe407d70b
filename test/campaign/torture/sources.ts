/**
 * gcc's c-torture/execute tests out of Debian's gcc source package, whose tarball holds gcc's own. Fetched once into the cache.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { once } from '../../support/cached.ts';
import { debianSource } from '../../support/sources.ts';
import { run, tool } from '../../support/tools.ts';

/** Tried in order: releases of Debian and Ubuntu have one or the other. */
const PACKAGES = ['gcc-12', 'gcc-14', 'gcc-13', 'gcc-11'];
const BELOW = 'gcc/testsuite/gcc.c-torture/execute';

export interface Test {
  /** The path below c-torture/execute without its suffix: `20000112-1`, `ieee/930529-1`. */
  readonly name: string;
  readonly text: string;
}

/** The folder with all of c-torture/execute. */
export const tortureFolder = (): Promise<string> =>
  once('torture', 'c-torture', PACKAGES, async (folder) => {
    const failures: string[] = [];
    for (const name of PACKAGES) {
      try {
        await debianSource(name, folder);
        break;
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
    const inner = readdirSync(folder).find((file) => /^gcc-.*\.tar\.\w+$/.test(file));
    if (inner === undefined) throw new Error(`no gcc source package: ${failures.join('; ')}`);
    const top = inner.replace(/\.tar\.\w+$/, '');
    const unpacked = run(tool('tar'), ['xf', inner, '--wildcards', `*/${BELOW}/*`], { cwd: folder, timeout: 240_000 });
    if (unpacked.status !== 0) throw new Error(`tar: ${unpacked.stderr}`);
    const found = readdirSync(folder).find((file) => existsSync(join(folder, file, BELOW)));
    if (found === undefined) throw new Error(`${top} has no ${BELOW}`);
    renameSync(join(folder, found, BELOW), join(folder, 'execute'));
    for (const file of readdirSync(folder)) if (file !== 'execute') rmSync(join(folder, file), { recursive: true });
  }).then((folder) => join(folder, 'execute'));

/** All tests, in the order of their names. */
export function testsIn(folder: string): readonly Test[] {
  const found: Test[] = [];
  for (const below of ['', 'ieee', 'builtins'])
    for (const file of readdirSync(join(folder, below)))
      if (file.endsWith('.c') && !file.endsWith('-lib.c')) {
        const name = join(below, file.slice(0, -'.c'.length));
        found.push({ name, text: readFileSync(join(folder, below, file), 'utf8') });
      }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}
