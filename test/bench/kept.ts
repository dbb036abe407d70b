/**
 * Results that are kept in .cache/bench, so that a measurement that was cut off goes on where it was. A result is found again by a
 * hash of everything it depends on: the code that made it (as built), the program, its inputs, the tools.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Run } from '../support/programs.ts';
import { CACHE } from '../support/tools.ts';

/** Where results and the files that were measured are. */
export const KEPT = join(CACHE, 'bench');

/** Built code lies as its sources do; see test/run.mjs. */
const BUILT = fileURLToPath(new URL('../..', import.meta.url));

/** Hash of files, and of all files below folders, by name and content. */
function hashOfFiles(root: string, paths: readonly string[], suffix = ''): string {
  const hash = createHash('sha256');
  for (const path of paths.map((each) => join(root, each))) {
    const files = !statSync(path).isDirectory()
      ? [path]
      : readdirSync(path, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
          .map((entry) => join(entry.parentPath, entry.name))
          .sort();
    for (const file of files) {
      const bytes = readFileSync(file);
      hash.update(`${relative(root, file)}\0${bytes.length}\0`).update(bytes);
    }
  }
  return hash.digest('hex');
}

/** Of built code: folders as in the checkout and built files, for example `src/engine`, `src/cli/main.js`. */
export const hashOfCode = (paths: readonly string[]): string => hashOfFiles(BUILT, paths, '.js');

/** Of all that a run reads. */
export const hashOfRun = (run: Run): string => {
  const stdin = createHash('sha256')
    .update(run.stdin ?? '')
    .digest('hex');
  return JSON.stringify([run.args, stdin, hashOfFiles(run.dir, ['.'])]);
};

/** What a function gave for these keys before, or gives now. Must be plain JSON. `fresh`: do not look for an earlier one. */
export async function kept<T>(
  name: string,
  keys: readonly string[],
  fresh: boolean,
  make: () => T | Promise<T>,
): Promise<T> {
  const key = createHash('sha256').update(JSON.stringify(keys)).digest('hex').slice(0, 16);
  const file = join(KEPT, `${name}-${key}.json`);
  if (!fresh && existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
  mkdirSync(KEPT, { recursive: true });
  const made = await make();
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(made, null, 2));
  renameSync(`${file}.${process.pid}`, file);
  return made;
}
