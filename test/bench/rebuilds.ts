/** What users who have the source would do instead: compile it otherwise. Counted as isoform's form is, relative to `gcc -O2`. */
import { readImage } from '../../src/elf/read.ts';
import type { Program, Variant } from '../support/programs.ts';
import { type Count, counted, difference, INPUTS, type InputName, underQemu } from './measure.ts';

export const REBUILDS = {
  '-O3': { level: '-O3' },
  '-O2 PGO': { level: '-O2', trained: true },
  '-O3 PGO': { level: '-O3', trained: true },
  'clang -O2': { clang: true },
} satisfies Record<string, Variant>;
export type Rebuild = keyof typeof REBUILDS;

export interface Rebuilt {
  readonly file: string;
  readonly inputs: Readonly<Record<InputName, Count>>;
  /** False: the same sources compute something else (fused multiply-add is where the compiler finds it), so maybe more or less work. */
  readonly same: boolean;
}

export async function measureRebuild(
  program: Program,
  rebuild: Rebuild,
  progress: (step: string) => void,
): Promise<Rebuilt> {
  progress('build');
  const file = await program.built(REBUILDS[rebuild]);
  const image = readImage(file);
  progress('count');
  const counts = INPUTS.map((input) => [input, counted(image, program[input]).count] as const);
  progress('qemu');
  const outputs = INPUTS.map((input) => [program.file, file].map((each) => underQemu(each, program[input])));
  return {
    file,
    inputs: Object.fromEntries(counts) as Record<InputName, Count>,
    same: outputs.every(([before, after]) => difference(before!, after!) === 'equal'),
  };
}
