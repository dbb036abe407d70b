/** `isoform prove`: is an optimized file equivalent to its original, for all inputs? */
import type { Command } from 'commander';
import { badOption } from '../base/errors.ts';
import { hex } from '../base/units.ts';
import { ASSUMPTIONS } from '../emit/assumptions.ts';
import type { ProofSummary } from '../pipeline/verdicts.ts';
import type { Proof } from '../verify/prove/prove.ts';
import { reasonKind, reasonText } from '../verify/prove/reasons.ts';
import type { Counterexample } from '../verify/prove/refute.ts';
import { withSaveOption } from './optimize-options.ts';
import { count, makeProgress, plural } from './progress.ts';
import { print, printJson, printText } from './say.ts';
import type { Session } from './session.ts';
import { provedText } from './words.ts';

interface ProveFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly saveCounterexamples?: string;
  readonly without?: readonly string[];
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('prove')
    .description(
      'prove that an optimized file does what its original does, for all inputs, from the two files alone; exit status 0: all is proved, 1: something is not, 2: not decided',
    )
    .argument('<original>', 'the original executable')
    .argument('<optimized>', 'what isoform optimize made of it');
  withSaveOption(command)
    .option(
      '--without <ids>',
      'accept none of these assumptions, for example A3,A8: what rests on one is not proved',
      parseIds,
    )
    .option('--json', 'print verdicts, reasons and assumptions as JSON on standard output')
    .option('-q, --quiet', 'say nothing but by the exit status')
    .addHelpText('after', '\nExample:\n  isoform prove ./prog ./prog.isoform\n')
    .action((original: string, optimized: string, flags: ProveFlags) =>
      proveFiles(session, original, optimized, flags),
    );
}

function parseIds(text: string): readonly string[] {
  const ids = text.split(',');
  const wrong = ids.find((id) => !ASSUMPTIONS.some((assumption) => assumption.id === id));
  if (wrong !== undefined) throw badOption(`there is no assumption '${wrong}'`, 'for example --without A3,A8');
  return ids;
}

/** How many unproved superblocks, and problems of each check of the file, are listed. */
const LIST_LENGTH = 10;

async function proveFiles(session: Session, originalFile: string, optimizedFile: string, flags: ProveFlags) {
  const [{ prove, readImage, restingOn, summarise }, { mapOf }, proofs] = await Promise.all([
    import('../index.ts'),
    import('../verify/prove/prove.ts'),
    import('./proofs.ts'),
  ]);
  const [original, optimized] = [readImage(originalFile), readImage(optimizedFile)];
  const { superblocks } = mapOf(original, optimized).data;
  const progress = await makeProgress(session.messages, flags.quiet);
  progress.begin(`proving ${plural(superblocks.length, 'superblock')}`);
  const begun = performance.now();
  const proof = prove(original, optimized, { without: flags.without });
  const milliseconds = Math.round(performance.now() - begun);
  progress.clear();
  const summary = summarise(proof);
  if (flags.json) printJson({ ...summary, milliseconds, ...plain(proof, proofs.stateData), resting: restingOn(proof) });
  else if (!flags.quiet) {
    printText(proofText(proof, summary, milliseconds, proofs.stateText));
    for (const { id, superblocks, share } of restingOn(proof)) {
      const { name, text } = ASSUMPTIONS.find((assumption) => assumption.id === id)!;
      const rests = `${plural(superblocks, 'superblock')}, ${(share * 100).toFixed(2)} % by weight`;
      print(`  ${id} (${name}; ${rests}): ${text}${beyond(id, proof)}`);
    }
  }
  const saved = proofs.saveCounterexamples(flags.saveCounterexamples, original, proof.superblocks);
  for (const file of saved) progress.say(`wrote ${file}`);
  process.exitCode = summary.verdict === 'proved' ? 0 : 1;
}

/** For A9: the extensions that the output needs and the original does not. */
const beyond = (id: string, { extensions }: Proof): string =>
  id === 'A9' && extensions.length > 0 ? ` Here: ${extensions.join(', ')}.` : '';

/** The proof as JSON data, with addresses as text. */
const plain = (
  { superblocks, file, assumptions, extensions }: Proof,
  stateData: (example: Counterexample) => object,
) => ({
  superblocks: superblocks.map(({ head, start, counterexample, reason, ...rest }) => ({
    head: hex(head),
    start: hex(start),
    ...rest,
    ...(reason && { reason: reasonText(reason), kind: reasonKind(reason) }),
    ...(counterexample && { counterexample: stateData(counterexample) }),
  })),
  file: file.map(({ places, ...rest }) => ({ ...rest, places: places.map(hex) })),
  assumptions,
  extensions,
});

function proofText(
  proof: Proof,
  summary: ProofSummary,
  milliseconds: number,
  stateText: (example: Counterexample) => string,
): string {
  const { superblocks, file } = proof;
  const { refuted } = summary;
  const lines = [provedText(summary, milliseconds)];
  if (refuted > 0) lines.push(`${plural(refuted, 'superblock')} refuted`);
  const open = superblocks
    .filter(({ verdict }) => verdict !== 'proved')
    .sort((a, b) => b.weight - a.weight || a.head - b.head);
  for (const { head, verdict, reason, counterexample } of open.slice(0, LIST_LENGTH)) {
    lines.push(`  ${hex(head)} ${verdict}: ${reasonText(reason)}`);
    if (counterexample !== undefined) lines.push(`    on ${stateText(counterexample)}`);
  }
  if (open.length > LIST_LENGTH) lines.push(`  and ${open.length - LIST_LENGTH} more`);
  const solved = superblocks.reduce((sum, superblock) => sum + superblock.solved, 0);
  if (solved > 0) lines.push(`${plural(solved, 'goal')} closed by the solver, all else by rewriting`);
  for (const { what, checked, problems } of file)
    lines.push(
      problems.length === 0
        ? `${what}: ${count(checked)} checked`
        : `${what}: ${plural(problems.length, 'problem')}: ${problems.slice(0, LIST_LENGTH).join('; ')}`,
    );
  lines.push(proof.assumptions.length === 0 ? 'no assumptions' : `assumptions: ${proof.assumptions.join(', ')}`);
  return `${lines.join('\n')}\n`;
}
