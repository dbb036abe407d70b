/** Messages on the results of a step, the same in every command. */

import { ASSUMPTIONS } from '../emit/assumptions.ts';
import type { Other } from '../machine/others.ts';
import type { Exit } from '../machine/process.ts';
import type { Optimized } from '../pipeline/emit-forms.ts';
import type { ProofSummary } from '../pipeline/verdicts.ts';
import { exitText, type Verified } from '../pipeline/verify-run.ts';
import { change, count, plural } from './progress.ts';

export function optimizedText({ superblocks, bytesAdded, dropped, leftOut, unpatched }: Optimized): string {
  const rest = [
    ...(dropped.length > 0 ? [`${count(dropped.length)} more dropped to stay within the growth allowed`] : []),
    ...(leftOut.length > 0 ? [`${count(leftOut.length)} left out`] : []),
    ...(unpatched.length > 0 ? [`${plural(unpatched.length, 'head')} that could not be patched`] : []),
  ];
  return [plural(superblocks.length, 'superblock'), `${count(bytesAdded)} bytes added`, ...rest].join(', ');
}

/** Says why all accesses to memory stay as they are. */
export const othersText = (others: readonly Other[]): string =>
  `others may look at memory in between (${others.join(', ')}): all accesses stay, in their order (A11 is not assumed)`;

/** The result of a verification, as one line. */
export function verifiedText({ input, differences, result }: Verified): string {
  const { original, optimized } = result;
  if (differences.length === 0) {
    const instructions = `${count(original.instructions)} -> ${count(optimized.instructions)} instructions (${change(original.instructions, optimized.instructions)})`;
    const taken = `${count(original.takenBranches)} -> ${count(optimized.takenBranches)} taken branches (${change(original.takenBranches, optimized.takenBranches)})`;
    return `equivalent on ${input.name}: ${plural(input.syscalls, 'syscall')}, ${input.end}; ${instructions}, ${taken}`;
  }
  const { what, expected, found, pc, symbol, superblock, assumptions, cause } = differences[0]!;
  const where = `${pc === undefined ? '' : ` at ${pc}`}${symbol === undefined ? '' : ` (${symbol})`}`;
  return `different on ${input.name}: ${what}${where}: expected ${expected}, found ${found}${superblock === undefined ? '' : `, superblock ${superblock}`}${brokenText(assumptions)}${cause === undefined ? '' : `; ${cause}`}`;
}

/** Names the assumptions of proved code that differs all the same: at least one of them does not hold. */
const brokenText = (ids: readonly string[] = []): string => {
  if (ids.length === 0) return '';
  const names = ids.map((id) => `${id} (${ASSUMPTIONS.find((a) => a.id === id)?.name})`).join(', ');
  return ids.length === 1
    ? `; it is proved, so ${names} does not hold for this program`
    : `; it is proved, so one of these does not hold for this program: ${names}`;
};

export const profiledText = ({ instructions, exit }: { readonly instructions: number; readonly exit: Exit }): string =>
  `${count(instructions)} instructions, ${exit.kind === 'limit' ? `stopped: ${exit.message}` : exitText(exit)}`;

/** The proved share is rounded down, so that an incomplete one never reads as 100 %. */
export const provedText = (
  { proved, superblocks, coverage }: Pick<ProofSummary, 'proved' | 'superblocks' | 'coverage'>,
  milliseconds: number,
): string =>
  `${count(proved)} of ${plural(superblocks, 'superblock')} proved, ${(Math.floor(coverage * 10_000) / 100).toFixed(2)} % by weight, in ${(milliseconds / 1000).toFixed(1)} s`;
