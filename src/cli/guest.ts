/** The commands that run a guest once: what scripts/bundle.mjs makes one file of, and src/cli/start.cts begins with. */
import { setFlagsLater } from '../base/v8.ts';
import { type Compiled, keepCompiled, setBuild } from './code-cache.ts';
import { type Commands, execute } from './program.ts';

const COMMANDS: Commands = {
  run: () => import('./run.ts'),
  profile: () => import('./profile.ts'),
};

/**
 * Runs a command line that begins with one of them.
 * @param build tells this bundle from others; undefined: it is not known, and no translated code is kept
 * @param flags V8's, to be set when something is translated
 * @param compiled V8's compiled code of this bundle is not there yet
 */
export async function start(
  args: readonly string[],
  build: string | undefined,
  flags: readonly string[],
  compiled?: Compiled,
): Promise<void> {
  setFlagsLater(...flags);
  setBuild(build);
  process.exitCode = await execute(args, COMMANDS, () => '');
  if (compiled !== undefined) keepCompiled(compiled);
}
