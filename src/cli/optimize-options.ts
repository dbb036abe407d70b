/** Options that the optimizing commands share, and their translation for the optimizer. */
import { type Command, Option } from 'commander';
import { badOption } from '../base/errors.ts';
import { ASSUMPTIONS, type AssumptionId, AVOIDABLE_ASSUMPTIONS } from '../emit/assumptions.ts';
import { extensionsOf, TARGETS_TEXT } from '../isa/targets.ts';
import type { ProvedOptions } from '../pipeline/proved.ts';
import { parseSize } from './options.ts';

export interface OptimizeFlags {
  readonly passes?: string;
  readonly fuel?: number;
  readonly strict?: boolean;
  readonly without?: readonly AssumptionId[];
  readonly allow?: 'tested';
  readonly prove?: 'final' | 'each';
  readonly saveCounterexamples?: string;
  readonly target?: string;
  readonly maxGrowth?: number;
}

function parseTarget(text: string): string {
  extensionsOf(text);
  return text;
}

/** A whole number from 0 on. */
function parseFuel(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw badOption(`${text}: not a number of rewrites`, 'a whole number from 0 on');
  return value;
}

function parseAssumptions(text: string, before: readonly AssumptionId[] = []): AssumptionId[] {
  return [
    ...before,
    ...text.split(',').map((id) => {
      const found = AVOIDABLE_ASSUMPTIONS.find((each) => each === id);
      if (found !== undefined) return found;
      const there = ASSUMPTIONS.some((assumption) => assumption.id === id);
      throw badOption(
        there ? `assumption ${id} cannot be switched off` : `there is no assumption '${id}'`,
        `these can: ${AVOIDABLE_ASSUMPTIONS.join(', ')}`,
      );
    }),
  ];
}

export const withSaveOption = (command: Command): Command =>
  command.option(
    '--save-counterexamples <dir>',
    'write each state that refutes a superblock, with the code that is run on it, to this folder, for isoform replay',
  );

export const withOptimizeOptions = (command: Command): Command =>
  withSaveOption(command)
    .option(
      '--passes <list>',
      'only these passes, separated by commas; -NAME leaves one out (--passes=-sink); none: change control flow only by layout',
    )
    .option('--fuel <n>', 'make only the first n rewrites', parseFuel)
    .option('--strict', 'make no assumption that can be avoided (see the report for what each one is)')
    .option('--without <ids>', 'make none of these assumptions, for example A1,A4', parseAssumptions)
    .addOption(
      new Option(
        '--allow <verdict>',
        'tested: ship superblocks too that are neither proved nor refuted; a rerun tests them',
      ).choices(['tested']),
    )
    .addOption(
      new Option(
        '--prove <when>',
        'final: what is to be shipped; each: after each pass too, to name the one that broke a superblock',
      )
        .choices(['final', 'each'])
        .default('final'),
    )
    .option(
      '--target <profile>',
      `use instructions that this RISC-V profile has (${TARGETS_TEXT}); the output runs only where they are`,
      parseTarget,
    )
    .option(
      '--max-growth <size>',
      'how much the file may grow (default: 96K or 8 % of it, whichever is more)',
      parseSize,
    );

export const optimizeOptions = (
  flags: OptimizeFlags,
): Pick<ProvedOptions, 'without' | 'narrow' | 'target' | 'maxGrowth' | 'allow' | 'proveEach'> & {
  readonly passes: string | undefined;
} => ({
  passes: flags.passes,
  allow: flags.allow,
  proveEach: flags.prove === 'each',
  without: flags.strict ? AVOIDABLE_ASSUMPTIONS : flags.without,
  narrow: flags.strict,
  target: flags.target,
  maxGrowth: flags.maxGrowth,
});

/** The options as words again, for the commands that a report prints. */
export const optimizeWords = (flags: OptimizeFlags): string[] => [
  ...(flags.passes === undefined ? [] : [`--passes=${flags.passes}`]),
  ...(flags.fuel === undefined ? [] : ['--fuel', String(flags.fuel)]),
  ...(flags.strict ? ['--strict'] : []),
  ...(flags.target === undefined ? [] : ['--target', flags.target]),
  ...(flags.maxGrowth === undefined ? [] : ['--max-growth', String(flags.maxGrowth)]),
  ...(flags.without === undefined ? [] : ['--without', flags.without.join(',')]),
  ...(flags.allow === undefined ? [] : ['--allow', flags.allow]),
];
