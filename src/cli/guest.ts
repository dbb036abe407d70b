/** The commands that run a guest once. scripts/bundle.mjs makes this module one file, which src/cli/start.cts starts. */
import { setFlagsLater } from '../base/v8.ts';
import { type Compiled, keepCompiled } from './code-cache.ts';
import { type Commands, execute } from './program.ts';
import { Session } from './session.ts';

const COMMANDS: Commands = {
  run: () => import('./run.ts'),
  profile: () => import('./profile.ts'),
};

/**
 * Runs a command line of one of these commands.
 * @param build identifies the bundle; undefined: the bundle is not known, and no translated code is kept
 * @param flags V8's flags that are set when code is translated
 * @param compiled given if V8's compiled code of this bundle is still to be made
 */
export async function start(
  args: readonly string[],
  build: string | undefined,
  flags: readonly string[],
  compiled?: Compiled,
): Promise<void> {
  setFlagsLater(...flags);
  const session = new Session(build);
  process.exitCode = await execute(session, args, COMMANDS, () => '');
  if (compiled !== undefined && session.standardFolderUsed) keepCompiled(compiled);
}
