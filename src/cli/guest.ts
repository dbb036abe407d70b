/** The commands that run a guest once: what scripts/bundle.mjs makes one file of, and src/cli/start.cts begins with. */
import { setBuild } from './code-cache.ts';
import { type Commands, execute } from './program.ts';

const COMMANDS: Commands = {
  run: () => import('./run.ts'),
  profile: () => import('./profile.ts'),
};

/**
 * Runs a command line that begins with one of them.
 * @param build tells this bundle from others
 */
export async function start(args: readonly string[], build: string): Promise<void> {
  setBuild(build);
  process.exitCode = await execute(args, COMMANDS, () => '');
}
