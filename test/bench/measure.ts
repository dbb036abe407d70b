/** What is measured of one executable: its two forms counted, and every check that they do the same. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelledCycles } from '../../src/cost/run.ts';
import type { Image } from '../../src/elf/image.ts';
import { readImage } from '../../src/elf/read.ts';
import type { MappedSuperblock } from '../../src/emit/map.ts';
import { countOptimized } from '../../src/pipeline/count.ts';
import { type GuestInput, profileRun } from '../../src/pipeline/profile-run.ts';
import { verifyRun } from '../../src/pipeline/verify-run.ts';
import type { ImageProfile } from '../../src/profile/profile.ts';
import { encodeProfile, profileOf } from '../../src/profile/store.ts';
import { makeCounts } from '../../src/report/counts.ts';
import { statisticsOf } from '../../src/report/statistics.ts';
import { mapOf } from '../../src/verify/prove/prove.ts';
import type { Run } from '../support/programs.ts';
import { qemu, type Result, run as runTool, tool } from '../support/tools.ts';
import { KEPT } from './kept.ts';
import { ISOFORM, measure as measureProcess } from './processes.ts';

/** The profile is always from `train`. */
export const INPUTS = ['train', 'other'] as const;
export type InputName = (typeof INPUTS)[number];

export interface Count {
  readonly instructions: number;
  readonly takenBranches: number;
  /** On the model of src/cost. */
  readonly cycles: number;
}

export interface OnInput {
  readonly original: Count;
  readonly optimized: Count;
  /** Share of the optimized form's executed instructions that are in lines and stubs of superblocks. */
  readonly inside: number;
  /** Of these, the share in superblocks that are proved as the passes made them. */
  readonly proved: number;
  /** `equivalent`, or what differs. */
  readonly verify: string;
  /** `equal`, or what differs between the two forms under qemu. */
  readonly qemu: string;
}

export interface Measured {
  /** The optimized file. */
  readonly file: string;
  readonly superblocks: number;
  /** Superblocks that were not proved and so were emitted as they were, or left out. */
  readonly rejected: readonly string[];
  readonly bytes: number;
  readonly bytesAdded: number;
  /** `silent`, or the first complaint of readelf -a. */
  readonly readelf: string;
  /** Processor seconds (user and system) of `isoform optimize`, and of these what proving took on the clock. */
  readonly optimizeSeconds: number;
  readonly proveSeconds: number;
  readonly megabytes: number;
  readonly inputs: Readonly<Partial<Record<InputName, OnInput>>>;
}

/** What is measured: a program, built in some way. */
export interface Subject {
  /** Names the files that are kept. */
  readonly name: string;
  readonly file: string;
  readonly train: Run;
  readonly other: Run;
}

export const guestInput = (run: Run): GuestInput => ({
  args: run.args,
  ...(run.stdin !== undefined && { stdin: run.stdin }),
  grants: [run.dir],
  cwd: run.dir,
});

/** Node tells of no child's memory, so the child tells itself. */
const TELL_MEMORY = `data:text/javascript,process.on("exit",()=>process.stderr.write("\\npeak "+process.resourceUsage().maxRSS+"\\n"))`;

interface Summary {
  readonly bytesAdded: number;
  readonly superblocks: readonly { readonly head: string; readonly verdict?: string }[];
  readonly proof: { readonly milliseconds: number };
  readonly rejected: readonly { readonly head: string; readonly reason: string }[];
}

/**
 * Optimizes by the command that users have, and measures what it made.
 * @param options words for `isoform optimize`
 * @param progress told what is being done
 */
export function measure(
  subject: Subject,
  options: readonly string[],
  names: readonly InputName[],
  progress: (step: string) => void,
): Measured {
  const original = readImage(subject.file);
  progress('profile');
  const first = profileRun({ image: original, input: guestInput(subject.train) });
  if (first.exit.kind === 'limit') throw new Error(first.exit.message);
  mkdirSync(KEPT, { recursive: true });
  const [profile, file] = ['isoprof', 'isoform'].map((suffix) => join(KEPT, `${subject.name}.${suffix}`)) as [
    string,
    string,
  ];
  writeFileSync(profile, encodeProfile(first.profile));
  progress('optimize');
  const [node, ...script] = ISOFORM as [string, ...string[]];
  const words = ['optimize', '--quiet', '--json', '-p', profile, '-o', file, ...options, subject.file];
  const made = measureProcess([node, '--import', TELL_MEMORY, ...script, ...words]);
  if (made.status !== 0) {
    const said = made.stderr.split('\n').find((line) => line.startsWith('isoform: '));
    throw new Error(`${options.join(' ')} status ${made.status}: ${said ?? made.stderr.trim()}`);
  }
  const summary = JSON.parse(made.stdout.toString()) as Summary;
  const optimized = readImage(file);
  const { superblocks } = mapOf(original, optimized).data;
  const rejected = new Set(summary.rejected.map(({ head }) => Number(head)));
  const unproved = new Set(
    summary.superblocks.filter(({ verdict }) => verdict !== 'proved').map(({ head }) => Number(head)),
  );
  const isProved = ({ head }: MappedSuperblock) => !rejected.has(head) && !unproved.has(head);

  const onInput = (name: InputName): OnInput => {
    const run = subject[name];
    const input = guestInput(run);
    progress(`count, ${name}`);
    const before = name === 'train' ? first : profileRun({ image: original, input });
    const after = countOptimized({ original, optimized, input }, before.instructions);
    const counts = makeCounts({ image: optimized, profile: after });
    const inside = insideOf(superblocks, counts.within);
    progress(`verify, ${name}`);
    const { result, differences } = verifyRun({ original, optimized, input, name, training: name === 'train' });
    progress(`qemu, ${name}`);
    return {
      original: countOf(original, profileOf(before.profile, original)),
      optimized: countOf(optimized, after),
      inside: inside / counts.total,
      proved: insideOf(superblocks.filter(isProved), counts.within) / inside,
      verify:
        result.verdict === 'equivalent'
          ? 'equivalent'
          : differences
              .map((d) => `${d.what}: ${d.expected} is ${d.found}, pc ${d.pc}, superblock ${d.superblock ?? 'unknown'}`)
              .join('; '),
      qemu: difference(underQemu(subject.file, run), underQemu(file, run)),
    };
  };
  const inputs = Object.fromEntries(names.map((name) => [name, onInput(name)]));

  const listed = runTool(tool('readelf'), ['-a', '-W', file]);
  const complaint = listed.stderr.toString().trim().split('\n')[0]!;
  return {
    file,
    superblocks: superblocks.length,
    rejected: summary.rejected.map(({ head, reason }) => `${head}: ${reason}`),
    bytes: original.bytes.length,
    bytesAdded: summary.bytesAdded,
    readelf: listed.status !== 0 ? `status ${listed.status}: ${complaint}` : complaint || 'silent',
    optimizeSeconds: made.seconds,
    proveSeconds: summary.proof.milliseconds / 1000,
    megabytes: Number(/^peak (\d+)$/m.exec(made.stderr)?.[1] ?? Number.NaN) / 1024,
    inputs,
  };
}

export function countOf(image: Image, profile: ImageProfile): Count {
  const { instructions, takenBranches } = statisticsOf(makeCounts({ image, profile }));
  return { instructions, takenBranches, cycles: modelledCycles(image, profile).cycles };
}

const insideOf = (superblocks: readonly MappedSuperblock[], within: (start: number, end: number) => number): number =>
  superblocks
    .flatMap(({ start, end, stubs }) => [[start, end] as const, ...stubs])
    .reduce((sum, [start, end]) => sum + within(start, end), 0);

export interface Counted {
  readonly count: Count;
  /** Exit and digest of all output. */
  readonly output: string;
}

/** @param formOf whose memory layout a form of it is to have */
export function counted(image: Image, run: Run, formOf?: Image): Counted {
  const digest = createHash('sha256');
  const { exit, profile } = profileRun({
    image,
    ...(formOf !== undefined && { formOf }),
    input: guestInput(run),
    sink: (fd, bytes) => {
      digest.update(`${fd}:`).update(bytes);
    },
  });
  return {
    count: countOf(image, profileOf(profile, image)),
    output: `${JSON.stringify(exit)} ${digest.digest('hex').slice(0, 8)}`,
  };
}

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
