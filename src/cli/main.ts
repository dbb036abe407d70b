#!/usr/bin/env node
/**
 * The command line. isoform's options come before the file; everything after it is the guest's. A command's file is loaded only
 * when it is asked for, so that starting a guest does not wait for the optimizer.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { IsoformError } from '../base/errors.ts';

interface CommandFile {
  /** Adds the command to the program. */
  register(program: Command): void;
}

/** Every command and the file it is in, in the order of the help text. */
const COMMANDS: Readonly<Record<string, () => Promise<CommandFile>>> = {
  run: () => import('./run.ts'),
  profile: () => import('./profile.ts'),
  merge: () => import('./merge.ts'),
  optimize: () => import('./optimize.ts'),
  verify: () => import('./verify.ts'),
  prove: () => import('./prove.ts'),
  replay: () => import('./replay.ts'),
  report: () => import('./report.ts'),
  pgo: () => import('./pgo.ts'),
  dump: () => import('./dump.ts'),
  bisect: () => import('./bisect.ts'),
  demo: () => import('./demo.ts'),
};

/** Exit status of every error that is not the guest's. */
const FAILURE = 2;

function version(): string {
  // The file is src/cli/main.ts in the sources and dist/src/cli/main.js when built.
  for (const up of ['../../', '../../../'])
    try {
      return JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8')).version;
    } catch {
      // Not there: one folder further up.
    }
  return 'unknown';
}

function makeProgram(): Command {
  return new Command('isoform')
    .description('profile-guided optimizer for finished RISC-V Linux executables')
    .version(version())
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'isoform: ')) })
    .showSuggestionAfterError(true);
}

/** Runs one command line. @returns the exit status */
async function main(args: readonly string[]): Promise<number> {
  const program = makeProgram();
  const name = args.find((arg) => !arg.startsWith('-'));
  const wanted = name !== undefined && Object.hasOwn(COMMANDS, name) ? [name] : Object.keys(COMMANDS);
  for (const command of wanted) (await COMMANDS[command]()).register(program);
  try {
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : FAILURE;
  const internal = `internal error: ${(error as Error)?.message ?? error} (please report this)`;
  const line = error instanceof IsoformError ? error.line() : internal;
  process.stderr.write(`isoform: ${line.replaceAll('\n', ' ')}\n`);
  if (process.env.ISOFORM_DEBUG) process.stderr.write(`${(error as Error)?.stack}\n`);
  return FAILURE;
}

// Whoever reads our output may stop reading (`isoform ... | head`): that is no error. A listener on the streams themselves would
// make every start load Node's stream and network modules.
process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : report(error));
});

process.exitCode = await main(process.argv.slice(2));
