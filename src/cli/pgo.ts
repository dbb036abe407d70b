/** `isoform pgo`: all steps from the profile to the report in one command. */
import type { Command } from 'commander';
import { printableJson } from '../base/printable.ts';
import type { Sink } from '../machine/process.ts';
import type { PgoObserver } from '../pipeline/pgo.ts';
import type { ProvedForm } from '../pipeline/proved.ts';
import { guestRun, type InputFlags, inputWords, otherRun, withInputOptions } from './input.ts';
import { type OptimizeFlags, optimizeOptions, optimizeWords, withOptimizeOptions } from './optimize-options.ts';
import { repeatable } from './options.ts';
import { makeOutputs, STDOUT, stemOf } from './output.ts';
import { makeProgress, makeStopwatch, type Progress } from './progress.ts';
import type { Session } from './session.ts';
import { optimizedText, profiledText, verifiedText } from './words.ts';

interface PgoFlags extends InputFlags, OptimizeFlags {
  readonly output?: string;
  readonly report?: string;
  readonly json?: string;
  readonly also: readonly string[];
  readonly quiet?: boolean;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('pgo')
    .description(
      "profile, optimize, verify and report in one go. The guest's output is that of the first run; exit status 0: equivalent, 1: different (the executable is not written then), 2: error",
    )
    .passThroughOptions()
    .argument('<file>', 'a RISC-V executable')
    .argument('[args...]', "the guest's arguments")
    .option('-o, --output <file>', 'where the optimized executable goes (default: NAME.isoform)')
    .option('--report <file>', 'where the report goes (default: NAME.html)')
    .option(
      '--json <file>',
      "write the report as JSON too; - is standard output, where the guest's output is left out then",
    );
  withOptimizeOptions(withInputOptions(command));
  repeatable(command, '--also <file>', 'verify on this standard input too')
    .option('-q, --quiet', "say nothing but errors, and leave out the guest's output")
    .addHelpText(
      'after',
      '\nExample:\n  isoform pgo -o prog.fast --stdin train.txt --also other.txt ./prog --level 9\n',
    )
    .action((file: string, args: readonly string[], flags: PgoFlags) => pgoFile(session, file, args, flags));
}

/** The action of the command, which `isoform demo` uses too. */
export async function pgoFile(session: Session, file: string, args: readonly string[], flags: PgoFlags): Promise<void> {
  const [{ pgo, readImage, renderHtml, writeExecutable }, { command }, { tellProofs }] = await Promise.all([
    import('../index.ts'),
    import('../report/shell.ts'),
    import('./proofs.ts'),
  ]);
  const image = readImage(file);
  const name = flags.output ?? `${stemOf(file)}.isoform`;
  const page = flags.report ?? `${stemOf(file)}.html`;
  const inputs = [file, ...flags.also, ...(flags.stdin === undefined ? [] : [flags.stdin])];
  const outputs = makeOutputs(inputs);
  const target = outputs.file(name, { executable: true });
  const writePage = outputs.text(page);
  const writeJson = outputs.text(flags.json);
  const training = guestRun(flags, image, args);
  const also = flags.also.flatMap((other) => ['--also', other]);
  const progress = await makeProgress(session.messages, flags.quiet);
  const words = ['isoform', 'pgo', ...optimizeWords(flags), ...inputWords(flags), ...also, file, ...args];

  const { optimized, model } = pgo(
    {
      original: image,
      output: name,
      training,
      others: flags.also.map((other) => otherRun(training, other)),
      engine: flags.engine,
      limitInstructions: flags.limitInstructions,
      optimize: optimizeOptions(flags),
      fuel: flags.fuel,
      inputs: training.inputs,
      commands: [command(words)],
      report: (message) => progress.say(message),
      sink: flags.quiet || flags.json === STDOUT ? undefined : passOn(progress, session.streams.open(true).sink),
    },
    observer(progress, (made, milliseconds) =>
      tellProofs(made, image, milliseconds, progress, flags.saveCounterexamples),
    ),
  );
  const equivalent = model.verdict === 'equivalent';
  if (equivalent) writeExecutable(target, optimized.bytes);
  writePage?.(renderHtml(model));
  writeJson?.(`${printableJson(model)}\n`);
  const written = [...(equivalent ? [name] : []), page, ...(writeJson && flags.json !== STDOUT ? [flags.json] : [])];
  progress.say(`wrote ${written.join(', ')}`);
  process.exitCode = equivalent ? 0 : 1;
}

/** Reports each step's result on standard error as the step ends. */
function observer(progress: Progress, proved: (made: ProvedForm, milliseconds: number) => void): PgoObserver {
  const watch = makeStopwatch(() => progress.begin('proving'));
  return {
    begin: (step) => progress.begin(step),
    profiled: (outcome) => progress.say(`profiled: ${profiledText(outcome)}`),
    proving: watch.around,
    optimized(made) {
      progress.say(`optimized: ${optimizedText(made)}`);
      proved(made, watch.milliseconds());
    },
    verified: (verified) => progress.say(verifiedText(verified)),
  };
}

const passOn =
  (progress: Progress, sink: Sink): Sink =>
  (fd, bytes) => {
    progress.clear();
    sink(fd, bytes);
  };
