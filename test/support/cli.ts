/** Runs the built command (`npm test` builds it first). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, type Result, ROOT, run } from './tools.ts';

/** The file behind `npx isoform`. */
export const CLI = join(ROOT, 'dist/src/cli/main.js');

/** `isoform ARGS...` to its end. */
export function isoform(args: readonly string[], options: CommandOptions = {}): Result {
  if (!existsSync(CLI)) throw new Error('not built: npm run build');
  return run(process.execPath, [CLI, ...args], options);
}
