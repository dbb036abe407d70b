/** `isoform run`: runs a guest; its output and its exit status are the command's own. */
import type { Command } from 'commander';
import { overLimit } from '../base/errors.ts';
import { hex } from '../base/units.ts';
import { DEFAULT_ENGINE, ENGINE_HELP } from '../engine/names.ts';
import type { Exit } from '../machine/process.ts';
import { type CodeCacheFlags, openCodeCache, withCodeCache } from './code-cache.ts';
import { type GuestFlags, guestOptions, withGuestOptions } from './options.ts';
import type { Messages } from './say.ts';
import type { Session } from './session.ts';

interface RunFlags extends GuestFlags, CodeCacheFlags {
  readonly engine: string;
  readonly strace?: boolean;
  readonly stats?: boolean;
  readonly writeThrough?: string;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('run')
    .description('run a guest; what it writes to files stays in memory unless --write-through lets it out')
    .passThroughOptions()
    .argument('<file>', 'a RISC-V executable')
    .argument('[args...]', "the guest's arguments")
    .option('--engine <name>', ENGINE_HELP, DEFAULT_ENGINE);
  withCodeCache(withGuestOptions(command))
    .option('--strace', 'print every syscall on standard error')
    .option('--stats', 'print counts as JSON on standard error at the end')
    .option('--write-through <dir>', 'when the guest has ended, write its changes under this directory to the host')
    .action((file: string, args: readonly string[], flags: RunFlags) => run(session, file, args, flags));
}

async function run(session: Session, file: string, args: readonly string[], flags: RunFlags): Promise<void> {
  const [{ readImage }, { createProcess }, { makeEngine }, { execute }] = await Promise.all([
    import('../elf/read.ts'),
    import('../machine/process.ts'),
    import('../engine/engines.ts'),
    import('../engine/execute.ts'),
  ]);
  const { messages, streams } = session;
  if (flags.limitTime !== undefined) messages.within(flags.limitTime);
  const out = flags.writeThrough;
  const image = readImage(file);
  const guest = createProcess({
    ...guestOptions({ ...flags, dir: out === undefined ? flags.dir : [...flags.dir, out] }, image, args),
    ...streams.open(flags.limitTime === undefined),
    strace: flags.strace ? messages.sayBare : undefined,
    report: messages.say,
  });
  const counting = flags.stats === true;
  const cache = openCodeCache(session, flags, image, counting ? 'counted' : 'plain');
  const engine = makeEngine(flags.engine, guest.memory, { counting, kept: cache.kept });
  const { exit, instructions } = execute(guest, engine, {
    limitInstructions: flags.limitInstructions,
    wallTime: flags.limitTime,
  });
  if (flags.stats) {
    const { takenBranches } = await import('../engine/statistics.ts');
    const stats = { instructions, takenBranches: takenBranches(engine.transfers(), guest.memory), engine: engine.name };
    messages.sayBare(JSON.stringify({ ...stats, ...engine.statistics?.() }));
  }
  if (out !== undefined) (await import('./writethrough.ts')).writeThrough(guest.changes(), out);
  cache.save(engine);
  process.exitCode = statusOf(exit, messages);
}

/** Signals by which somebody ends a guest that is not at fault: no message is printed. */
const ENDING_SIGNALS: ReadonlySet<string> = new Set(['SIGHUP', 'SIGINT', 'SIGKILL', 'SIGPIPE', 'SIGTERM', 'SIGALRM']);

function statusOf(exit: Exit, { say }: Messages): number {
  if (exit.kind === 'status') return exit.status;
  if (exit.kind === 'limit')
    throw overLimit(exit.message, exit.limit === 'deadlock' ? `at ${hex(exit.pc)}` : `raise --limit-${exit.limit}`);
  if (!ENDING_SIGNALS.has(exit.name)) {
    const symbol = exit.symbol === undefined ? '' : ` (${exit.symbol})`;
    const address = exit.address === undefined ? '' : `, address ${hex(exit.address)}`;
    say(`the guest was killed by ${exit.name} at ${hex(exit.pc)}${symbol}${address}`);
  }
  return 128 + exit.signal;
}
