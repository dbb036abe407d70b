/** `isoform report`: two forms of a program side by side, as a page and as data. */
import type { Command } from 'commander';
import { printableJson } from '../base/printable.ts';
import { type FilePair, guestRun, type InputFlags, inputWords, otherRun, withInputOptions } from './input.ts';
import { repeatable } from './options.ts';
import { makeOutputs, STDOUT, stemOf } from './output.ts';
import { makeProgress } from './progress.ts';
import type { Session } from './session.ts';
import { verifiedText } from './words.ts';

interface ReportFlags extends InputFlags {
  readonly profile: string;
  readonly output?: string;
  readonly json?: string;
  readonly also: readonly string[];
  readonly quiet?: boolean;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('report')
    .description(
      'run original and optimized, verify, and write a comparison report; exit status as of verify. The guest writes nothing to the screen',
    )
    .passThroughOptions()
    .argument('<original>', 'the original executable')
    .argument('<optimized>', 'what isoform optimize made of it')
    .argument('[args...]', "the guest's arguments")
    .requiredOption('-p, --profile <file>', 'the profile that it was made from')
    .option('-o, --output <file>', 'where the page goes (default: NAME.html)')
    .option('--json <file>', 'write the report as JSON too; - is standard output');
  withInputOptions(command);
  repeatable(command, '--also <file>', 'verify on this standard input too')
    .option('-q, --quiet', 'say nothing on standard error but errors')
    .addHelpText(
      'after',
      '\nExample:\n  isoform report -p prog.isoprof --stdin train.txt --json prog.json ./prog ./prog.isoform --level 9\n',
    )
    .action((original: string, optimized: string, args: readonly string[], flags: ReportFlags) =>
      report(session, { original, optimized }, args, flags),
    );
}

async function report(session: Session, files: FilePair, args: readonly string[], flags: ReportFlags) {
  const { original, optimized } = files;
  const [{ profileOf, readImage, readProfile, renderHtml, report: makeReport }, { command }] = await Promise.all([
    import('../index.ts'),
    import('../report/shell.ts'),
  ]);
  const images = { original: readImage(original), optimized: readImage(optimized) };
  const trained = readProfile(flags.profile);
  // A profile of another file is refused before outputs and inputs are looked at, as in every command.
  profileOf(trained, images.original, flags.profile);
  const page = flags.output ?? `${stemOf(original)}.html`;
  const read = [original, optimized, flags.profile, ...flags.also, ...(flags.stdin === undefined ? [] : [flags.stdin])];
  const outputs = makeOutputs(read);
  const writePage = outputs.text(page);
  const writeJson = outputs.text(flags.json);
  const guest = guestRun(flags, images.original, args);
  const progress = await makeProgress(session.messages, flags.quiet);
  const words = ['isoform', 'report', '-p', flags.profile, ...inputWords(flags)];
  const also = flags.also.flatMap((file) => ['--also', file]);

  const model = makeReport(
    {
      ...images,
      profile: trained,
      profileName: flags.profile,
      input: guest,
      others: flags.also.map((file) => otherRun(guest, file)),
      engine: flags.engine,
      limitInstructions: flags.limitInstructions,
      inputs: guest.inputs,
      commands: [command([...words, ...also, original, optimized, ...args])],
    },
    { begin: progress.begin, verified: (found) => progress.say(verifiedText(found)) },
  );
  writePage?.(renderHtml(model));
  writeJson?.(`${printableJson(model)}\n`);
  progress.say([page, ...(flags.json === undefined || flags.json === STDOUT ? [] : [flags.json])].join(', '));
  process.exitCode = model.verdict === 'equivalent' ? 0 : 1;
}
