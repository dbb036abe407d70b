/** Options that the commands which optimize share, and words for what came of it. */
import type { Command } from 'commander';
import { badOption } from '../base/errors.ts';
import { ASSUMPTIONS, type AssumptionId } from '../emit/assumptions.ts';
import type { Exit } from '../machine/process.ts';
import type { Optimized, OptimizeOptions } from '../pipeline/optimize.ts';
import { exitText, type Verified } from '../pipeline/verify-run.ts';
import { change, count, plural } from './progress.ts';

export interface OptimizeFlags {
  readonly passes?: string;
  readonly fuel?: number;
  readonly strict?: boolean;
  readonly without?: readonly AssumptionId[];
}

/** A whole number from 0 on. */
function parseFuel(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw badOption(`${text}: not a number of rewrites`, 'a whole number from 0 on');
  return value;
}

const isAssumption = (id: string): id is AssumptionId => ASSUMPTIONS.some((assumption) => assumption.id === id);

function parseAssumptions(text: string, before: readonly AssumptionId[] = []): AssumptionId[] {
  return [
    ...before,
    ...text.split(',').map((id) => {
      if (!isAssumption(id))
        throw badOption(`there is no assumption '${id}'`, `there are: ${ASSUMPTIONS.map((a) => a.id).join(', ')}`);
      return id;
    }),
  ];
}

export const withOptimizeOptions = (command: Command): Command =>
  command
    .option(
      '--passes <list>',
      'only these passes, separated by commas; -NAME leaves one out (--passes=-sink); none: change control flow only by layout',
    )
    .option('--fuel <n>', 'make only the first n rewrites', parseFuel)
    .option('--strict', 'make no assumption (see the report for what each one is)')
    .option('--without <ids>', 'make none of these assumptions, for example A1,A4', parseAssumptions);

export const optimizeOptions = (flags: OptimizeFlags): Pick<OptimizeOptions, 'passes' | 'without'> => ({
  passes: flags.passes,
  without: flags.strict ? ASSUMPTIONS.map(({ id }) => id).filter(isAssumption) : flags.without,
});

/** The options as words again, for the commands that a report prints. */
export const optimizeWords = (flags: OptimizeFlags): string[] => [
  ...(flags.passes === undefined ? [] : [`--passes=${flags.passes}`]),
  ...(flags.fuel === undefined ? [] : ['--fuel', String(flags.fuel)]),
  ...(flags.strict ? ['--strict'] : []),
  ...(flags.without === undefined ? [] : ['--without', flags.without.join(',')]),
];

export function optimizedText({ superblocks, bytesAdded, leftOut, unpatched }: Optimized): string {
  const rest = [
    ...(leftOut.length > 0 ? [`${count(leftOut.length)} left out`] : []),
    ...(unpatched.length > 0 ? [`${plural(unpatched.length, 'head')} that could not be patched`] : []),
  ];
  return [plural(superblocks.length, 'superblock'), `${count(bytesAdded)} bytes added`, ...rest].join(', ');
}

/** One line on a verification. */
export function verifiedText({ input, differences, result }: Verified): string {
  const { original, optimized } = result;
  if (differences.length === 0) {
    const instructions = `${count(original.instructions)} -> ${count(optimized.instructions)} instructions (${change(original.instructions, optimized.instructions)})`;
    const taken = `${count(original.takenBranches)} -> ${count(optimized.takenBranches)} taken branches (${change(original.takenBranches, optimized.takenBranches)})`;
    return `equivalent on ${input.name}: ${plural(input.syscalls, 'syscall')}, ${input.end}; ${instructions}, ${taken}`;
  }
  const { what, expected, found, pc, symbol, superblock } = differences[0]!;
  const where = `${pc === undefined ? '' : ` at ${pc}`}${symbol === undefined ? '' : ` (${symbol})`}`;
  return `different on ${input.name}: ${what}${where}: expected ${expected}, found ${found}${superblock === undefined ? '' : `, superblock ${superblock}`}`;
}

export const profiledText = ({ instructions, exit }: { readonly instructions: number; readonly exit: Exit }): string =>
  `${count(instructions)} instructions, ${exit.kind === 'limit' ? `stopped: ${exit.message}` : exitText(exit)}`;
