/** `isoform optimize`: makes an optimized executable by a profile. */
import type { Command } from 'commander';
import type { Image } from '../elf/image.ts';
import type { ProvedForm } from '../pipeline/proved.ts';
import type { CountingFuel } from '../pipeline/rewrites.ts';
import { reasonText } from '../verify/prove/reasons.ts';
import { type OptimizeFlags, optimizeOptions, withOptimizeOptions } from './optimize-options.ts';
import { checkOutput, stemOf } from './output.ts';
import { makeProgress, makeStopwatch } from './progress.ts';
import { printJson, printText } from './say.ts';
import type { Session } from './session.ts';
import { optimizedText, othersText } from './words.ts';

interface Flags extends OptimizeFlags {
  readonly profile: string;
  readonly output?: string;
  readonly explain?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('optimize')
    .description('write an optimized form of an executable; the original stays as it is')
    .argument('<file>', 'the executable that was profiled')
    .requiredOption('-p, --profile <file>', 'its profile, as isoform profile or merge writes it')
    .option('-o, --output <file>', 'where the optimized executable goes (default: NAME.isoform)');
  withOptimizeOptions(command)
    .option(
      '--explain <where>',
      'print the superblock at this address or symbol: as it was formed, then after each pass that changed it',
    )
    .option('--json', 'print what was done as JSON on standard output')
    .option('-q, --quiet', 'say nothing on standard error but errors')
    .addHelpText(
      'after',
      '\nExamples:\n  isoform optimize -p prog.isoprof -o prog.fast ./prog\n  isoform optimize -p prog.isoprof --passes=-sink --explain main ./prog\n',
    )
    .action((file: string, flags: Flags) => optimizeFile(session, file, flags));
}

async function optimizeFile(session: Session, file: string, flags: Flags): Promise<void> {
  const [
    { optimize, profileOf, readImage, readProfile, writeExecutable },
    { nextSegmentAddress },
    { makeCountingFuel },
    { tellProofs },
  ] = await Promise.all([
    import('../index.ts'),
    import('../elf/write.ts'),
    import('../pipeline/rewrites.ts'),
    import('./proofs.ts'),
  ]);
  const image = readImage(file);
  // A file that cannot be optimized is refused first, whatever the profile is.
  nextSegmentAddress(image);
  const profile = profileOf(readProfile(flags.profile), image, flags.profile);
  const name = flags.output ?? `${stemOf(file)}.isoform`;
  const target = checkOutput(name, { inputs: [file, flags.profile], executable: true });
  const options = optimizeOptions(flags);
  const explain =
    flags.explain === undefined
      ? undefined
      : (await import('../pipeline/explain.ts')).explainSuperblock(image, profile, options, flags.explain);
  const progress = await makeProgress(session.messages, flags.quiet);
  progress.begin('forming superblocks');
  const fuel = makeCountingFuel(flags.fuel);
  const watch = makeStopwatch(() => progress.begin('proving'));
  const observe = explain?.observe;
  const made = optimize(image, profile, { ...options, fuel, observe, output: name, proving: watch.around });
  writeExecutable(target, made.bytes);
  progress.say(`${name}: ${optimizedText(made)}`);
  if (profile.others.length > 0) progress.say(othersText(profile.others));
  tellProofs(made, image, watch.milliseconds(), progress, flags.saveCounterexamples);
  if (explain) printText(explain.text());
  if (flags.json) {
    const data = await summary(name, image, made, fuel, watch.milliseconds());
    printJson(data);
  }
}

async function summary(name: string, image: Image, made: ProvedForm, fuel: CountingFuel, milliseconds: number) {
  const [{ hex }, { passReports }, { summarise }, { stateData }] = await Promise.all([
    import('../base/units.ts'),
    import('../pipeline/rewrites.ts'),
    import('../pipeline/verdicts.ts'),
    import('./proofs.ts'),
  ]);
  const { map, bytesAdded, leftOut, unpatched, proof, rejected, each } = made;
  const proofs = new Map(proof.superblocks.map((superblock) => [superblock.head, superblock]));
  return {
    format: 'isoform-optimize',
    version: 2,
    original: { file: image.file, hash: image.hash, bytes: image.bytes.length },
    optimized: { file: name, bytes: made.bytes.length },
    bytesAdded,
    rewrites: fuel.spent,
    superblocks: map.superblocks.map(({ head, start, end, stubs, count, identity }) => ({
      head: hex(head),
      count,
      identity,
      bytes: [[start, end] as const, ...stubs].reduce((sum, [from, to]) => sum + to - from, 0),
      verdict: proofs.get(head)?.verdict,
      reason: reasonText(proofs.get(head)?.reason) || undefined,
    })),
    passes: passReports(made.passes, fuel),
    assumptions: made.assumptions,
    leftOut: leftOut.map(hex),
    dropped: made.dropped.map(hex),
    unpatched: unpatched.map(hex),
    proof: {
      ...summarise(proof),
      milliseconds,
      assumptions: proof.assumptions,
      file: proof.file.map(({ places, ...rest }) => ({ ...rest, places: places.map(hex) })),
    },
    rejected: rejected.map(({ head, counterexample, ...rest }) => ({
      head: hex(head),
      ...rest,
      ...(counterexample && { counterexample: stateData(counterexample) }),
    })),
    ...(each && {
      each: each.map(({ broken, ...rest }) => ({
        ...rest,
        broken: broken.map(({ head, reason }) => ({ head: hex(head), reason })),
      })),
    }),
  };
}
