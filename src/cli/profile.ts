/** `isoform profile`: runs a guest and counts its blocks and edges. */
import { constants } from 'node:os';
import type { Command } from 'commander';
import { badOption, overLimit } from '../base/errors.ts';
import type { Image } from '../elf/image.ts';
import { DEFAULT_ENGINE, ENGINE_HELP } from '../engine/names.ts';
import type { Exit } from '../machine/process.ts';
import type { Profile } from '../profile/profile.ts';
import { type CodeCacheFlags, openCodeCache, withCodeCache } from './code-cache.ts';
import { type GuestFlags, guestOptions, withGuestOptions } from './options.ts';
import { checkOutput, stemOf, writeWhole } from './output.ts';
import { makeProgress } from './progress.ts';
import type { Session } from './session.ts';

interface ProfileFlags extends GuestFlags, CodeCacheFlags {
  readonly output?: string;
  readonly engine: string;
  readonly stdin?: string;
  readonly export?: string;
  readonly quiet?: boolean;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('profile')
    .description(
      "run a guest and count every block and edge; output and exit status are the guest's own. A guest that runs into a limit is profiled up to there",
    )
    .passThroughOptions()
    .argument('<file>', 'a RISC-V executable')
    .argument('[args...]', "the guest's arguments")
    .option('-o, --output <file>', 'where the profile goes (default: NAME.isoprof)')
    .option(
      '--export <format>',
      'write it in the format of another tool; fdata: for llvm-bolt -data (default name: NAME.fdata)',
    )
    .option('--stdin <file>', "the guest's standard input (default: isoform's own)")
    .option('--engine <name>', ENGINE_HELP, DEFAULT_ENGINE);
  withCodeCache(withGuestOptions(command))
    .option('-q, --quiet', 'say nothing on standard error but errors')
    .addHelpText('after', '\nExample:\n  isoform profile -o train.isoprof ./prog --level 9 <train.txt\n')
    .action((file: string, args: readonly string[], flags: ProfileFlags) => profile(session, file, args, flags));
}

async function profile(session: Session, file: string, args: readonly string[], flags: ProfileFlags): Promise<void> {
  const { export: format = 'isoprof' } = flags;
  if (!Object.hasOwn(FORMATS, format)) throw badOption(`no profile format is named ${format}`, 'there is: fdata');
  const [{ readImage }, { profileInTurns }, { profiledText }, { readInputFile }] = await Promise.all([
    import('../elf/read.ts'),
    import('../pipeline/profile-run.ts'),
    import('./words.ts'),
    import('./input.ts'),
  ]);
  const image = readImage(file);
  const name = flags.output ?? `${stemOf(file)}.${format}`;
  const target = checkOutput(name, { inputs: [file, ...(flags.stdin === undefined ? [] : [flags.stdin])] });
  const { image: _, ...input } = guestOptions(flags, image, args);
  // As perf record: a user who ends the run by a signal gets the counts so far.
  let signal: NodeJS.Signals | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    signal ??= name;
  };
  const { stdin, sink } = session.streams.open(false);
  const request = {
    image,
    input: { ...input, stdin: flags.stdin === undefined ? stdin : readInputFile(flags.stdin) },
    engine: flags.engine,
    code: openCodeCache(session, flags, image, 'counted'),
    sink,
    report: session.messages.say,
    limitInstructions: flags.limitInstructions,
    wallTime: flags.limitTime,
  };
  for (const name of STOP_SIGNALS) process.on(name, onSignal);
  const outcome = await profileInTurns(request, () => signal !== undefined);
  for (const name of STOP_SIGNALS) process.off(name, onSignal);
  writeWhole(target, await FORMATS[format as keyof typeof FORMATS](outcome.profile, image));
  const progress = await makeProgress(session.messages, flags.quiet);
  progress.say(`${name}: ${profiledText(outcome)}`);
  process.exitCode = signal === undefined ? statusOf(outcome.exit) : 128 + constants.signals[signal];
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const FORMATS = {
  isoprof: async (profile: Profile) => (await import('../profile/store.ts')).encodeProfile(profile),
  fdata: async (profile: Profile, image: Image) => {
    const [{ profileOf }, { exportFdata }] = await Promise.all([
      import('../profile/store.ts'),
      import('../profile/export-fdata.ts'),
    ]);
    return exportFdata(profileOf(profile, image), image);
  },
} as const;

/** As perf record: the guest's own exit status. A limit was the user's wish and gives 0; a deadlock is an error. */
function statusOf(exit: Exit): number {
  if (exit.kind === 'status') return exit.status;
  if (exit.kind === 'signal') return 128 + exit.signal;
  if (exit.limit === 'deadlock') throw overLimit(exit.message, 'the profile holds what ran up to there');
  return 0;
}
