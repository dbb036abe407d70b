/**
 * LLVM BOLT on the same programs: linked with relocations kept, with a profile of our exact counts, counted as isoform's form is. What it
 * makes is compared with the program it was given, so that its linker flags do not count for or against it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../../src/elf/image.ts';
import { readImage } from '../../src/elf/read.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { exportFdata } from '../../src/profile/export-fdata.ts';
import { profileOf } from '../../src/profile/store.ts';
import type { Program } from '../support/programs.ts';
import { type Result, run as runTool, tool } from '../support/tools.ts';
import { KEPT } from './kept.ts';
import {
  type Count,
  type Counted,
  counted,
  difference,
  guestInput,
  INPUTS,
  type InputName,
  underQemu,
} from './measure.ts';

/**
 * What BOLT's documentation tells users to give it (functions are reordered by cdsort since BOLT 18, by hfsort+ before) but for splitting,
 * which makes it worse here: with -split-functions -split-all-cold -split-eh, bunzip2 goes from 0.907 to 1.068 of its taken branches and
 * sqlite from 0.883 to 1.034. Where that fails, fewer.
 */
const OPTIONS: readonly (readonly string[])[] = [
  ['-reorder-blocks=ext-tsp', '-reorder-functions=cdsort', '-icf=1'],
  ['-reorder-blocks=ext-tsp'],
];

export interface BoltOnInput {
  readonly original: Count;
  readonly optimized: Count;
  /** `equal`, or what differs between the program and what BOLT made of it, in our machine and under qemu. */
  readonly output: string;
}

export type Bolted =
  | { readonly kind: 'fails'; readonly reason: string }
  | {
      readonly kind: 'made';
      readonly file: string;
      readonly options: string;
      /** To what is loaded, padding included; the file itself loses relocations. */
      readonly bytesAdded: number;
      readonly inputs: Readonly<Record<InputName, BoltOnInput>>;
    };

/** All that BOLT's result depends on beside our code and the inputs. */
export const boltVersion = (): string =>
  JSON.stringify([OPTIONS, runTool(tool('bolt'), ['--version']).stdout.toString()]);

export async function measureBolt(program: Program, progress: (step: string) => void): Promise<Bolted> {
  const linked = await program.built({ link: ['-Wl,-q'] });
  const original = readImage(linked);
  progress('profile for BOLT');
  const { profile } = profileRun({ image: original, input: guestInput(program.train) });
  mkdirSync(KEPT, { recursive: true });
  const data = join(KEPT, `${program.name}.fdata`);
  writeFileSync(data, exportFdata(profileOf(profile, original), original));

  progress('BOLT');
  const file = join(KEPT, `${program.name}.bolt`);
  const reasons: string[] = [];
  const options = OPTIONS.find((each) => {
    const made = runTool(tool('bolt'), [linked, '-o', file, `-data=${data}`, ...each], { timeout: 300_000 });
    if (made.status !== 0) reasons.push(failure(made));
    return made.status === 0;
  });
  if (options === undefined) return { kind: 'fails', reason: reasons[0]! };

  const optimized = readImage(file);
  const onInput = (name: InputName): BoltOnInput => {
    const [before, after] = [original, optimized].map((image) => {
      progress(`count, ${name}`);
      return counted(image, program[name], original);
    }) as [Counted, Counted];
    progress(`qemu, ${name}`);
    const machine = before.output === after.output ? 'equal' : `${after.output}, not ${before.output}`;
    const other = difference(underQemu(linked, program[name]), underQemu(file, program[name]));
    return {
      original: before.count,
      optimized: after.count,
      output: machine === 'equal' && other === 'equal' ? 'equal' : `machine: ${machine}; qemu: ${other}`,
    };
  };
  const [train, other] = INPUTS.map(onInput) as [BoltOnInput, BoltOnInput];
  return {
    kind: 'made',
    file,
    options: options.join(' '),
    bytesAdded: loaded(optimized) - loaded(original),
    inputs: { train, other },
  };
}

const loaded = (image: Image): number => image.segments.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** Why BOLT failed, in a line. */
function failure({ status, stderr, stdout }: Result): string {
  const lines = `${stdout}\n${stderr}`.split('\n');
  const said = lines.find((line) => /\berror:|BOLT-ERROR|Assertion/.test(line))?.replace(/^<unknown>:0: /, '');
  if (status > 128) return `signal ${status - 128}${status === 139 ? ' (segmentation fault)' : ''}`;
  return `status ${status}${said === undefined ? '' : `: ${said.trim()}`}`;
}
