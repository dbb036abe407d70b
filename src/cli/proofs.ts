/** Messages on proofs; counterexamples (states that show that a superblock is wrong), printed and saved. */
import { hex, regName } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import type { ProvedForm, Rejected } from '../pipeline/proved.ts';
import { summarise } from '../pipeline/verdicts.ts';
import { caseOf, saveCase } from '../verify/prove/case.ts';
import { reasonText } from '../verify/prove/reasons.ts';
import type { Counterexample } from '../verify/prove/refute.ts';
import { count, type Progress } from './progress.ts';
import { provedText } from './words.ts';

/** @param folder undefined: no file is saved @returns the files' paths */
export const saveCounterexamples = (
  folder: string | undefined,
  original: Image,
  found: readonly { readonly counterexample: Counterexample | undefined }[],
): string[] =>
  folder === undefined
    ? []
    : found.flatMap(({ counterexample: example }) =>
        example === undefined ? [] : [saveCase(folder, caseOf(original.hash, example))],
      );

/** A counterexample as JSON data. Memory that is not listed may have any contents. */
export function stateData(example: Counterexample) {
  const { difference, registers, frm, memory } = caseOf('', example);
  return { difference, registers, frm, memory };
}

/** A counterexample as one line: the registers that the code reads, and the memory that the code accesses. */
export function stateText(example: Counterexample): string {
  const { registers, memory } = caseOf('', example);
  const insns = [...example.found.original.values(), ...example.found.optimized.values()];
  const read = new Set(insns.flatMap((insn) => [...facts(insn).reads].map(regName)));
  const values = Object.entries(registers).filter(([name]) => read.has(name));
  const bytes = Object.entries(memory).map(([at, text]) => `[${at}] = ${text}`);
  return [...values.map(([name, value]) => `${name} = ${value}`), ...bytes].join(', ');
}

/** How many lines name single problems; the rest is counted. */
const PROBLEM_LINES = 10;

/** Lines on the proof of a new file: a summary, then single problems. */
function proofLines({ proof, rejected, each = [] }: ProvedForm, milliseconds: number): string[] {
  const unproved = proof.superblocks.filter(({ verdict }) => verdict !== 'proved');
  const lines = [
    ...each.flatMap(({ pass, broken }) =>
      broken.map(({ head, reason }) => `${pass} broke the superblock ${hex(head)}: ${reason}`),
    ),
    ...rejected.flatMap(rejectedText),
    ...unproved.map(({ head, reason }) => `the superblock ${hex(head)} is not proved: ${reasonText(reason)}`),
    ...proof.file.flatMap(({ what, problems }) => problems.map((problem) => `${what}: not proved: ${problem}`)),
  ];
  return [
    provedText(summarise(proof), milliseconds),
    ...lines.slice(0, PROBLEM_LINES),
    ...(lines.length > PROBLEM_LINES ? [`and ${count(lines.length - PROBLEM_LINES)} more`] : []),
  ];
}

/** A superblock that was not proved as the passes made it. */
function rejectedText({ head, form, reason, pass, counterexample }: Rejected): string[] {
  const by = pass === undefined ? '' : `, broken by ${pass}`;
  const then = form === 'identity' ? 'emitted in its identity form' : 'left out';
  return [
    `the superblock ${hex(head)} is rejected${by}: ${reason}; ${then}`,
    ...(counterexample === undefined ? [] : [`  on ${stateText(counterexample)}`]),
  ];
}

/** Prints the lines on the proof of a new file; saves the counterexamples if a folder is given. */
export function tellProofs(
  made: ProvedForm,
  original: Image,
  milliseconds: number,
  progress: Progress,
  folder: string | undefined,
): void {
  for (const line of proofLines(made, milliseconds)) progress.say(line);
  for (const file of saveCounterexamples(folder, original, made.rejected)) progress.say(`wrote ${file}`);
}
