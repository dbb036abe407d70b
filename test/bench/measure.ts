/** What is measured of one program: its two forms counted on both inputs, and every check that they do the same. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { writeExecutable } from '../../src/elf/write.ts';
import { countPair } from '../../src/pipeline/count.ts';
import { type Optimized, optimize } from '../../src/pipeline/optimize.ts';
import { type GuestInput, profileRun } from '../../src/pipeline/profile-run.ts';
import { verifyRun } from '../../src/pipeline/verify-run.ts';
import type { ImageProfile } from '../../src/profile/profile.ts';
import { profileOf } from '../../src/profile/store.ts';
import { makeCounts } from '../../src/report/counts.ts';
import { statisticsOf } from '../../src/report/statistics.ts';
import type { Program, Run } from '../support/programs.ts';
import { qemu, type Result, run as runTool, tool } from '../support/tools.ts';
import { KEPT } from './kept.ts';

/** The profile is always from `train`. */
export const INPUTS = ['train', 'other'] as const;
export type InputName = (typeof INPUTS)[number];

export interface Count {
  readonly instructions: number;
  readonly takenBranches: number;
}

export interface OnInput {
  readonly original: Count;
  readonly optimized: Count;
  /** Share of the optimized form's executed instructions that are in lines and stubs of superblocks. */
  readonly inside: number;
  /** `equivalent`, or what differs. */
  readonly verify: string;
  /** `equal`, or what differs between the two forms under qemu. */
  readonly qemu: string;
}

export interface Measured {
  readonly superblocks: number;
  /** Of these, emitted as they were because they did not fit in the registers. */
  readonly identity: number;
  readonly bytesAdded: number;
  /** `silent`, or the first complaint of readelf -a. */
  readonly readelf: string;
  /** Processor seconds (user and system) that `optimize` took. */
  readonly optimizeSeconds: number;
  readonly inputs: Readonly<Record<InputName, OnInput>>;
}

export const guestInput = (run: Run): GuestInput => ({
  args: run.args,
  ...(run.stdin !== undefined && { stdin: run.stdin }),
  grants: [run.dir],
  cwd: run.dir,
});

/**
 * @param progress told what is being done
 * @param target what the output is made for, if not for what the input runs on
 */
export function measure(program: Program, progress: (step: string) => void, target?: string): Measured {
  const original = readImage(program.file);
  progress('profile');
  const first = profileRun({ image: original, input: guestInput(program.train) });
  if (first.exit.kind === 'limit') throw new Error(first.exit.message);
  progress('optimize');
  const before = process.cpuUsage();
  const made = optimize(original, profileOf(first.profile, original), { target });
  const { user, system } = process.cpuUsage(before);
  mkdirSync(KEPT, { recursive: true });
  const file = join(KEPT, `${program.name}.isoform`);
  writeExecutable(file, made.bytes);
  const optimized = parseImage(made.bytes, file);

  const onInput = (name: InputName): OnInput => {
    const run = program[name];
    const input = guestInput(run);
    progress(`count, ${name}`);
    const pair = countPair({ original, optimized, input });
    const counts = makeCounts({ image: optimized, profile: pair.optimized });
    progress(`verify, ${name}`);
    const { result, differences } = verifyRun({ original, optimized, input, name, training: name === 'train' });
    progress(`qemu, ${name}`);
    return {
      original: countOf(original, pair.original),
      optimized: countsOf(counts),
      inside: insideOf(made, counts.within) / counts.total,
      verify:
        result.verdict === 'equivalent'
          ? 'equivalent'
          : differences
              .map((d) => `${d.what}: ${d.expected} is ${d.found}, pc ${d.pc}, superblock ${d.superblock ?? 'unknown'}`)
              .join('; '),
      qemu: difference(underQemu(program.file, run), underQemu(file, run)),
    };
  };
  const inputs = { train: onInput('train'), other: onInput('other') };

  const listed = runTool(tool('readelf'), ['-a', '-W', file]);
  const complaint = listed.stderr.toString().trim().split('\n')[0]!;
  return {
    superblocks: made.map.superblocks.length,
    identity: made.map.superblocks.filter((each) => each.identity).length,
    bytesAdded: made.bytesAdded,
    readelf: listed.status !== 0 ? `status ${listed.status}: ${complaint}` : complaint || 'silent',
    optimizeSeconds: (user + system) / 1e6,
    inputs,
  };
}

const countsOf = (counts: ReturnType<typeof makeCounts>): Count => {
  const { instructions, takenBranches } = statisticsOf(counts);
  return { instructions, takenBranches };
};

export const countOf = (image: ReturnType<typeof readImage>, profile: ImageProfile): Count =>
  countsOf(makeCounts({ image, profile }));

const insideOf = ({ map }: Optimized, within: (start: number, end: number) => number): number =>
  map.superblocks
    .flatMap(({ start, end, stubs }) => [[start, end] as const, ...stubs])
    .reduce((sum, [start, end]) => sum + within(start, end), 0);

export const underQemu = (file: string, run: Run): Result =>
  qemu(file, run.args, { cwd: run.dir, ...(run.stdin !== undefined && { stdin: run.stdin }), timeout: 300_000 });

/** `equal`, or the first thing that differs. */
export function difference(expected: Result, found: Result): string {
  if (expected.status !== found.status) return `status ${found.status}, not ${expected.status}`;
  for (const stream of ['stdout', 'stderr'] as const) {
    const [a, b] = [expected[stream], found[stream]];
    if (!a.equals(b)) return `${stream} of ${b.length} bytes (${short(b)}), not ${a.length} (${short(a)})`;
  }
  return 'equal';
}

const short = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 8);
