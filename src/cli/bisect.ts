/** `isoform bisect`: which rewrite breaks a program? */
import type { Command } from 'commander';
import { guestRun, type InputFlags, withInputOptions } from './input.ts';
import { type OptimizeFlags, optimizeOptions, withOptimizeOptions } from './optimize-options.ts';
import { makeProgress } from './progress.ts';
import { print, printText } from './say.ts';
import type { Session } from './session.ts';

interface BisectFlags extends InputFlags, OptimizeFlags {
  readonly profile: string;
  readonly quiet?: boolean;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('bisect')
    .description(
      'find the first rewrite with which verify says different; exit status 0: there is none, 1: found, 2: not decided',
    )
    .passThroughOptions()
    .argument('<file>', 'the executable that was profiled')
    .argument('[args...]', "the guest's arguments")
    .requiredOption('-p, --profile <file>', 'its profile');
  withOptimizeOptions(withInputOptions(command))
    .option('-q, --quiet', 'print the result only')
    .addHelpText('after', '\nExample:\n  isoform bisect -p prog.isoprof --stdin failing.txt ./prog --level 9\n')
    .action((file: string, args: readonly string[], flags: BisectFlags) => bisectFile(session, file, args, flags));
}

async function bisectFile(session: Session, file: string, args: readonly string[], flags: BisectFlags): Promise<void> {
  const [{ readImage }, { profileOf, readProfile }, { bisect }, { rerun }, { superblockText }] = await Promise.all([
    import('../elf/read.ts'),
    import('../profile/store.ts'),
    import('../pipeline/bisect.ts'),
    import('../verify/rerun.ts'),
    import('../superblock/text.ts'),
  ]);
  const original = readImage(file);
  const profile = profileOf(readProfile(flags.profile), original, flags.profile);
  const { input } = guestRun(flags, original, args);
  const progress = await makeProgress(session.messages, flags.quiet);
  const found = bisect({
    image: original,
    profile,
    options: optimizeOptions(flags),
    limit: flags.fuel,
    trying: (fuel) => progress.begin(fuel === undefined ? 'trying all rewrites' : `trying ${fuel} rewrites`),
    tried: (fuel, equivalent) => progress.say(`${fuel} rewrites: ${equivalent ? 'equivalent' : 'different'}`),
    equivalent: (optimized) =>
      rerun({
        original,
        optimized,
        input,
        engine: flags.engine,
        limitInstructions: flags.limitInstructions,
        localize: false,
      }).verdict === 'equivalent',
  });
  progress.clear();
  process.exitCode = found.kind === 'equivalent' ? 0 : 1;
  if (found.kind === 'equivalent')
    print(`equivalent with all ${found.rewrites} rewrites: nothing to find on this input`);
  else if (found.kind === 'without-rewrites') print('different without any rewrite: it is not a pass; try --strict');
  else {
    print(`different from rewrite ${found.fuel} of ${found.rewrites} on: ${found.rewrite}`);
    printText(`\n# without it\n${superblockText(found.before)}\n# with it\n${superblockText(found.after)}`);
  }
}
