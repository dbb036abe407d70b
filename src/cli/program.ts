/**
 * One command line: the choice of its command, and the handling of errors. isoform's options come before the file; everything after the
 * file is the guest's.
 */
import { Command, CommanderError } from 'commander';
import { cannotRead, cannotWrite, IsoformError } from '../base/errors.ts';
import { printableLines } from '../base/printable.ts';
import type { Session } from './session.ts';

export interface CommandFile {
  /** Adds the command to the program. */
  register(program: Command, session: Session): void;
}

/** Commands by name, in the order of the help text, each with the loader of its file. */
export type Commands = Readonly<Record<string, () => Promise<CommandFile>>>;

/** Exit status of every error that is not the guest's. */
const FAILURE = 2;

function makeProgram(version: string): Command {
  return new Command('isoform')
    .description('profile-guided optimizer for finished RISC-V Linux executables')
    .version(version)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(printableLines(text.replace(/^error: /, 'isoform: '))) })
    .showSuggestionAfterError(true);
}

/**
 * Runs one command line.
 * @param version called only if the version is asked for
 * @returns the exit status
 */
export async function execute(
  session: Session,
  args: readonly string[],
  commands: Commands,
  version: () => string,
): Promise<number> {
  process.on('uncaughtException', (error) => endBy(error, session));
  const name = args.find((arg) => !arg.startsWith('-'));
  const named = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  const asked = args.includes('--version') || args.includes('-V');
  const program = makeProgram(asked ? version() : '');
  // A named command needs its own file only, and --version alone needs no command; the help needs all.
  const wanted = named ? [named] : asked && name === undefined ? [] : Object.values(commands);
  for (const load of wanted) (await load()).register(program, session);
  try {
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error, session);
  }
}

function report(error: unknown, { messages }: Session): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : FAILURE;
  messages.say(lineOf(error));
  if (process.env.ISOFORM_DEBUG) process.stderr.write(`${(error as Error)?.stack}\n`);
  return FAILURE;
}

function lineOf(error: unknown): string {
  if (error instanceof IsoformError) return error.line();
  if ((error as NodeJS.ErrnoException)?.syscall === 'uv_cwd') return cannotRead('the working directory', error).line();
  const what = String((error as Error)?.message ?? error).replaceAll('\n', ' ');
  return `internal error: ${what} (please report this)`;
}

/** A shell's exit status of a process that SIGPIPE has ended: 128 plus the signal's number. */
const BROKEN_PIPE = 141;

/**
 * Ends the process by an error that nobody has caught. The reader of our output may stop reading (`isoform ... | head`): no message is
 * printed then, but the exit status is no success. A listener on the streams themselves would make every start load Node's stream and
 * network modules.
 */
function endBy(error: NodeJS.ErrnoException, session: Session): never {
  if (error.code === 'EPIPE') process.exit(BROKEN_PIPE);
  // Only the streams write where nobody catches.
  process.exit(report(error.syscall === 'write' ? cannotWrite('standard output', error) : error, session));
}
