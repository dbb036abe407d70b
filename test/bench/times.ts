/** Time under qemu-riscv64: processor time of whole runs on the training input, forms in turn, medians of the ratios. */
import type { Program } from '../support/programs.ts';
import { tool } from '../support/tools.ts';
import { measure, median } from './processes.ts';

const ROUNDS = 5;

/** @returns seconds of the input itself, and the others relative to it */
export function timeForms(
  program: Program,
  files: Readonly<Record<string, string>>,
): { readonly seconds: number; readonly ratios: Readonly<Record<string, number>> } {
  const { args, dir: cwd, stdin } = program.train;
  const seconds = (file: string) =>
    measure([tool('qemu'), file, ...args], { cwd, ...(stdin !== undefined && { stdin }) }).seconds;
  const own: number[] = [];
  const ratios = new Map<string, number[]>(Object.keys(files).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const before = seconds(program.file);
    own.push(before);
    for (const [name, list] of ratios) list.push(seconds(files[name]!) / before);
  }
  return {
    seconds: median(own),
    ratios: Object.fromEntries([...ratios].map(([name, list]) => [name, median(list)])),
  };
}
