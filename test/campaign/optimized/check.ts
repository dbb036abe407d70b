/**
 * One executable against its optimized forms, as a user would try them: profiled on its first input, optimized and proved, then run under
 * qemu-riscv64 on all of its inputs. What the original does under qemu is right.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hex } from '../../../src/base/units.ts';
import type { Image } from '../../../src/elf/image.ts';
import { parseImage } from '../../../src/elf/read.ts';
import { type AssumptionId, AVOIDABLE_ASSUMPTIONS } from '../../../src/emit/assumptions.ts';
import { profileRun } from '../../../src/pipeline/profile-run.ts';
import { optimizeProved } from '../../../src/pipeline/proved.ts';
import type { OptimizeOptions } from '../../../src/pipeline/setting.ts';
import type { ImageProfile } from '../../../src/profile/profile.ts';
import { profileOf } from '../../../src/profile/store.ts';
import { rerun } from '../../../src/verify/rerun.ts';
import { qemu } from '../../support/tools.ts';
import { causeOf } from '../csmith/check.ts';

/** What the optimizer may do, by the command's own options; as text, so that it can be sent and kept. */
export type Form = 'default' | 'strict' | 'none' | 'target' | `without ${string}`;

/** The forms other than the default one, to go round by a number. */
export const OTHER_FORMS: readonly Form[] = [
  'strict',
  'none',
  'target',
  ...AVOIDABLE_ASSUMPTIONS.map((id): Form => `without ${id}`),
];

export const DEFAULT_FORM: Form = 'default';

type Options = Omit<OptimizeOptions, 'fuel' | 'observe'>;

function optionsOf(form: Form): Options {
  if (form === 'default') return {};
  if (form === 'strict') return { without: AVOIDABLE_ASSUMPTIONS };
  if (form === 'none') return { passes: 'none' };
  if (form === 'target') return { target: 'rva22u64' };
  return { without: [form.slice('without '.length) as AssumptionId] };
}

export interface Job {
  /** The original executable. */
  readonly file: string;
  /** Arguments of each input; the first one trains. */
  readonly runs: readonly (readonly string[])[];
  readonly forms: readonly Form[];
  /** More than this under the VM is too long. */
  readonly limit: number;
  /** A program that ends otherwise is of no use. */
  readonly onlyStatus?: number;
  /** Verify by rerun on the first input as well. */
  readonly verify?: boolean;
  /** A folder for the optimized file. */
  readonly folder: string;
  /** Parts of the program that can be run alone, by one argument more; on a difference they are, to tell which it is. */
  readonly parts?: readonly { readonly name: string; readonly argument: string }[];
  /** Find the pass, or the assumption, without which a difference is gone: that takes a while. */
  readonly causes?: boolean;
}

/**
 * - output: an optimized form, all of it proved, does something else
 * - verify: the rerun says that an optimized form does something else
 * - refuted: a superblock was shown to be wrong before it would have shipped
 * - error: an internal error, or a refusal of the whole program
 * - vm: the VM runs the original otherwise than qemu
 * - time: no answer in time
 */
export type Kind = 'output' | 'verify' | 'refuted' | 'error' | 'vm' | 'time';

export interface Found {
  readonly form: Form | 'original';
  readonly kind: Kind;
  readonly what: string;
  readonly cause?: string;
  /** output: the parts that alone differ as well. */
  readonly parts?: readonly string[];
}

export interface Checked {
  /** Why the program is of no use. */
  readonly skipped?: string;
  readonly found: readonly Found[];
  /** Of all forms together: superblocks formed, and those that ship in their identity form because they are not proved. */
  readonly superblocks: number;
  readonly unproved: readonly string[];
  /** What is right, by input. */
  readonly expected: readonly string[];
}

/** Of a run under qemu, in milliseconds: what is tried takes tenths of a second. */
const HOST_TIMEOUT = 5000;
const HANGS = '[does not end]';

/** What a program did, as text: what it printed and how it ended. */
function outcome(file: string, args: readonly string[]): string {
  try {
    const { stdout, status } = qemu(file, args, { timeout: HOST_TIMEOUT });
    return `${stdout.toString('latin1')}[${statusText(status)}]`;
  } catch (error) {
    if (error instanceof Error && error.message.includes('ETIMEDOUT')) return HANGS;
    throw error;
  }
}

const statusText = (status: number): string => (status > 128 ? `signal ${status - 128}` : `status ${status}`);

const inputOf = ({ file, runs }: Job) => ({
  args: [...runs[0]!],
  programName: basename(file),
  env: [],
  memorySize: 2 ** 27,
});

function train(image: Image, job: Job): { outcome: string; profile: ImageProfile } {
  let output = '';
  const { exit, profile } = profileRun({
    image,
    input: inputOf(job),
    limitInstructions: job.limit,
    sink: (fd, bytes) => {
      if (fd === 1) output += Buffer.from(bytes).toString('latin1');
    },
  });
  const end =
    exit.kind === 'status' ? statusText(exit.status) : exit.kind === 'signal' ? `signal ${exit.signal}` : exit.kind;
  return { outcome: `${output}[${end}]`, profile: profileOf(profile, image) };
}

/** Checks one executable file. Throws only what is a bug of the checking itself. */
export function check(job: Job): Checked {
  const { file, runs, forms, folder } = job;
  const expected = runs.map((args) => outcome(file, args));
  const nothing = { found: [], superblocks: 0, unproved: [], expected };
  if (expected.includes(HANGS)) return { ...nothing, skipped: 'does not end under qemu' };
  if (job.onlyStatus !== undefined && !expected.every((each) => each.endsWith(`[${statusText(job.onlyStatus!)}]`)))
    return { ...nothing, skipped: 'fails under qemu' };
  const image = parseImage(readFileSync(file), file);
  let trained: ReturnType<typeof train>;
  try {
    trained = train(image, job);
  } catch (error) {
    return { ...nothing, found: [{ form: 'original', kind: 'error', what: `profiling: ${messageOf(error)}` }] };
  }
  if (trained.outcome.endsWith('[limit]')) return { ...nothing, skipped: 'too long' };
  const { profile } = trained;
  const found: Found[] = [];
  // Addresses that a program prints are others there; where only its status matters, they may be.
  const ending = (text: string) => (job.onlyStatus === undefined ? text : text.slice(text.lastIndexOf('[')));
  if (ending(trained.outcome) !== ending(expected[0]!))
    found.push({ form: 'original', kind: 'vm', what: `${clip(trained.outcome)}, qemu ${clip(expected[0]!)}` });

  let superblocks = 0;
  const unproved: string[] = [];
  const target = join(folder, `${basename(file)}o`);
  /** What is wrong with it. */
  const attempt = (form: Form, changed: Omit<OptimizeOptions, 'observe'>, first: boolean): Found | undefined => {
    try {
      const made = optimizeProved(image, profile, { ...optionsOf(form), ...changed, output: target });
      if (first) {
        superblocks += made.map.superblocks.length;
        unproved.push(...made.rejected.map(({ head, reason }) => `${form}: ${hex(head)}: ${reason}`));
      }
      // It would not have shipped: all the same it is a fault of what made it.
      const refuted = made.rejected.find(({ verdict }) => verdict !== 'unproved');
      writeFileSync(target, made.bytes, { mode: 0o755 });
      const outcomes: { run: number; found: string }[] = [];
      for (const [run, args] of runs.entries()) {
        const there = outcome(target, args);
        if (there !== expected[run]) outcomes.push({ run, found: there });
        if (there === HANGS) break;
      }
      const [wrong] = outcomes;
      if (wrong !== undefined) {
        const where = outcomes.map(({ run }) => `[${runs[run]!.join(' ')}]`).join(', ');
        const what = `on ${where}: ${difference(expected[wrong.run]!, wrong.found)}`;
        return {
          form,
          kind: 'output',
          what,
          ...(first && {
            parts: guilty(
              job,
              target,
              outcomes.map(({ run }) => runs[run]!),
            ),
          }),
        };
      }
      if (job.verify) {
        const again = rerun({ original: image, optimized: made.image, input: inputOf(job), localize: false });
        const [first] = again.differences;
        if (first !== undefined)
          return { form, kind: 'verify', what: `${first.kind}, ${first.what}: ${first.found}, not ${first.expected}` };
      }
      return refuted && { form, kind: 'refuted', what: `${hex(refuted.head)}: ${refuted.reason}` };
    } catch (error) {
      return { form, kind: 'error', what: messageOf(error) };
    } finally {
      rmSync(target, { force: true });
    }
  };
  for (const form of forms) {
    const wrong = attempt(form, {}, true);
    if (wrong === undefined) continue;
    const bad = (changed: Omit<OptimizeOptions, 'observe'>) => attempt(form, changed, false)?.kind === wrong.kind;
    found.push(job.causes ? { ...wrong, cause: causeOf(optionsOf(form).without ?? [], bad) } : wrong);
  }
  return { found, superblocks, unproved, expected };
}

/** Which parts alone do something else on one of these inputs? */
function guilty({ file, parts = [] }: Job, target: string, runs: readonly (readonly string[])[]): readonly string[] {
  const differs = (argument: string) =>
    runs.some((args) => outcome(file, [...args, argument]) !== outcome(target, [...args, argument]));
  return parts.filter(({ argument }) => differs(argument)).map(({ name }) => name);
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return text.split('\n').slice(0, 6).join(' | ');
}

/** The first line in which two outcomes differ. */
function difference(expected: string, found: string): string {
  const [right, wrong] = [expected.split('\n'), found.split('\n')];
  const at = right.findIndex((line, index) => line !== wrong[index]);
  return `${clip(wrong[at] ?? '')}, not ${clip(right[at] ?? '')}`;
}

const clip = (text: string): string => JSON.stringify(text.length > 120 ? `...${text.slice(-120)}` : text);
