/** `isoform verify`: are two forms of a program equivalent on an input? */
import type { Command } from 'commander';
import { type FilePair, guestRun, type InputFlags, inputWords, withInputOptions } from './input.ts';
import { makeProgress } from './progress.ts';
import { print, printJson } from './say.ts';
import type { Session } from './session.ts';
import { verifiedText } from './words.ts';

interface VerifyFlags extends InputFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('verify')
    .description(
      'run original and optimized in step and compare them at every syscall; exit status 0: equivalent, 1: different, 2: not decided. The guest writes nothing to the screen',
    )
    .passThroughOptions()
    .argument('<original>', 'the original executable')
    .argument('<optimized>', 'what isoform optimize made of it')
    .argument('[args...]', "the guest's arguments");
  withInputOptions(command)
    .option('--json', 'print the verdict and the counts as JSON on standard output')
    .option('-q, --quiet', 'say nothing but by the exit status')
    .addHelpText('after', '\nExample:\n  isoform verify --stdin other.txt ./prog ./prog.isoform --level 9\n')
    .action((original: string, optimized: string, args: readonly string[], flags: VerifyFlags) =>
      verify(session, { original, optimized }, args, flags),
    );
}

async function verify(session: Session, files: FilePair, args: readonly string[], flags: VerifyFlags) {
  const { original, optimized } = files;
  const { readImage, verify: verifyRun } = await import('../index.ts');
  const images = { original: readImage(original), optimized: readImage(optimized) };
  const guest = guestRun(flags, images.original, args);
  const progress = await makeProgress(session.messages, flags.quiet);
  progress.begin(`verifying on ${guest.name}`);
  const verified = verifyRun({
    ...images,
    input: guest.input,
    name: guest.name,
    engine: flags.engine,
    limitInstructions: flags.limitInstructions,
  });
  if (flags.json) {
    progress.begin('counting');
    const [{ countPair }, { reportModel }, { command }] = await Promise.all([
      import('../pipeline/count.ts'),
      import('../pipeline/report-model.ts'),
      import('../report/shell.ts'),
    ]);
    const pair = { ...images, input: guest.input, engine: flags.engine, limitInstructions: flags.limitInstructions };
    const counts = countPair(pair);
    const model = reportModel({
      original: { image: images.original, profile: counts.original },
      optimized: { image: images.optimized, profile: counts.optimized },
      arguments: args,
      inputs: guest.inputs,
      verified: [verified],
      passes: undefined,
      commands: [command(['isoform', 'verify', '--json', ...inputWords(flags), original, optimized, ...args])],
    });
    progress.clear();
    printJson(model);
  } else if (!flags.quiet) {
    progress.clear();
    print(verifiedText(verified));
  }
  process.exitCode = verified.input.verdict === 'equivalent' ? 0 : 1;
}
