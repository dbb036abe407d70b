/** Runs the built command (`npm test` builds it first). */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, type Result, ROOT, run } from './tools.ts';

/** The file behind `npx isoform`. */
export const CLI = join(ROOT, 'dist/src/cli/main.js');

/** The source that is newer than what was built, if any: its change would not be tested. */
function newerSource(): string | undefined {
  const built = statSync(CLI).mtimeMs;
  for (const top of ['src', 'passes'])
    for (const name of readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' }))
      if (/\.c?ts$/.test(name) && statSync(join(ROOT, top, name)).mtimeMs > built) return join(top, name);
  return undefined;
}
let checked = false;

/** `isoform ARGS...` to its end. */
export function isoform(args: readonly string[], options: CommandOptions = {}): Result {
  if (!existsSync(CLI)) throw new Error('not built: npm run build');
  if (!checked) {
    const newer = newerSource();
    if (newer !== undefined) throw new Error(`dist is older than ${newer}: npm run build`);
    checked = true;
  }
  return run(process.execPath, [CLI, ...args], options);
}
