/**
 * One program against its optimized forms: by proof, in the VM, under qemu-riscv64, and by rerun. Forms differ in what the optimizer may do and
 * in the profile it is given: besides the true one, profiles that predict wrongly, so that the code behind side exits runs too.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Fuel, makeFuel } from '../../../src/base/fuel.ts';
import { hex } from '../../../src/base/units.ts';
import type { Image } from '../../../src/elf/image.ts';
import { parseImage } from '../../../src/elf/read.ts';
import { type AssumptionId, AVOIDABLE_ASSUMPTIONS } from '../../../src/emit/assumptions.ts';
import { makeEngine } from '../../../src/engine/engines.ts';
import { execute } from '../../../src/engine/execute.ts';
import { createProcess } from '../../../src/machine/process.ts';
import { firstBad } from '../../../src/pipeline/bisect.ts';
import { optimizeProved, type ProvedForm } from '../../../src/pipeline/proved.ts';
import type { OptimizeOptions } from '../../../src/pipeline/setting.ts';
import { LinkMap } from '../../../src/place/link-map.ts';
import { collect } from '../../../src/profile/collect.ts';
import type { ImageProfile } from '../../../src/profile/profile.ts';
import { profileOf } from '../../../src/profile/store.ts';
import { rerun } from '../../../src/verify/rerun.ts';
import { makeRandom } from '../../support/random.ts';
import { qemu } from '../../support/tools.ts';

export interface Form {
  readonly name: string;
  readonly options: Omit<OptimizeOptions, 'fuel' | 'observe'>;
  /** full: of the run itself. prefix: of its first part. other: of a run on other initial data, which may go anywhere. */
  readonly profile: 'full' | 'prefix' | 'other';
}

const EVERYTHING = { coldShare: 0, closureShare: 0 };
/** What users get. */
export const DEFAULT_FORM: Form = { name: 'default', options: {}, profile: 'full' };
const FORMS: readonly Form[] = [
  DEFAULT_FORM,
  { name: 'identity', options: { passes: 'none', select: EVERYTHING }, profile: 'full' },
  { name: 'strict', options: { without: AVOIDABLE_ASSUMPTIONS, narrow: true, select: EVERYTHING }, profile: 'full' },
  { name: 'everything', options: { select: { ...EVERYTHING, minArrival: 0 } }, profile: 'full' },
  {
    name: 'guards',
    options: { select: { ...EVERYTHING, guardShare: 0.3, maxCopied: 400, copyArrival: 0, copyShare: 0 } },
    profile: 'full',
  },
  { name: 'prefix', options: { select: EVERYTHING }, profile: 'prefix' },
  { name: 'prefix guards', options: { select: { ...EVERYTHING, guardShare: 0.3 } }, profile: 'prefix' },
  { name: 'other', options: { select: EVERYTHING }, profile: 'other' },
  {
    name: 'other long',
    options: {
      select: { ...EVERYTHING, maxInsns: 1000, maxInline: 400, unroll: 8, maxUnrolled: 500, guardShare: 0.5 },
    },
    profile: 'other',
  },
  { name: 'tiny', options: { select: { ...EVERYTHING, maxInsns: 6, unroll: 1 } }, profile: 'other' },
];

/** Always the default and, by the number, one of the others. */
export function formsFor(number: number): readonly Form[] {
  const others = FORMS.slice(1);
  return [DEFAULT_FORM, others[number % others.length]!];
}
export const ALL_FORMS = FORMS;

export interface Found {
  readonly form: string;
  readonly what: string;
  /** The pass or assumption without which it is gone, as far as found. */
  readonly cause: string;
}

export interface Checked {
  /** Why the program is of no use. */
  readonly skipped?: string;
  readonly instructions: number;
  /** Optimized instructions relative to the original's, default form. */
  readonly ratio: number;
  readonly found: readonly Found[];
  /** Superblocks formed, of all forms together. */
  readonly superblocks: number;
  /** Those that could be neither proved nor refuted, and why; they ship in their identity form. */
  readonly unproved: readonly string[];
}

export interface CheckOptions {
  readonly args: readonly string[];
  readonly stdin?: Uint8Array | undefined;
  readonly forms: readonly Form[];
  /** Programs that need more instructions are skipped. */
  readonly limit: number;
  /** Of the profiles that predict wrongly. */
  readonly seed: number;
  /** A folder for the optimized file. */
  readonly folder: string;
}

interface Ran {
  readonly output: string;
  readonly exit: string;
  readonly instructions: number;
  readonly profile: ImageProfile;
}

const inputOf = ({ args, stdin }: Pick<CheckOptions, 'args' | 'stdin'>) => ({
  args,
  ...(stdin !== undefined && { stdin }),
  programName: 'program',
  env: [],
  memorySize: 2 ** 26,
});

/** @param as the image that the profile is of; the one run may differ from it in data only */
function inMachine(image: Image, { args, stdin }: CheckOptions, limit: number, as: Image): Ran {
  let output = '';
  const process = createProcess({
    image,
    ...inputOf({ args, stdin }),
    sink: (_fd, bytes) => {
      output += Buffer.from(bytes).toString('latin1');
    },
  });
  const engine = makeEngine('dispatch', process.memory);
  const { exit, instructions } = execute(process, engine, { limitInstructions: limit });
  const links = new LinkMap([process.place.holding(as)]);
  const counted = { transfers: engine.transfers(), starts: process.starts, stops: process.stops, links, instructions };
  const ended =
    exit.kind === 'status' ? `status ${exit.status}` : exit.kind === 'signal' ? `signal ${exit.signal}` : exit.kind;
  return { output, exit: ended, instructions, profile: profileOf(collect(counted), as) };
}

/** The image with some bytes of its data changed, so that it runs other ways: into a fault or a loop, for all we care. */
function otherData(image: Image, seed: number): Image {
  const random = makeRandom(seed);
  const segments = image.segments.map((segment) => {
    if (!segment.flags.write || segment.bytes.length === 0) return segment;
    const bytes = Uint8Array.from(segment.bytes);
    const changes = Math.ceil(bytes.length / 64);
    for (let i = 0; i < changes; i++) bytes[random.below(bytes.length)] = random.below(256);
    return { ...segment, bytes };
  });
  return { ...image, segments };
}

/** Checks one executable file. Throws only what is a bug of the checking itself. */
export function check(file: string, options: CheckOptions): Checked {
  const { args, stdin, limit, seed } = options;
  const host = { timeout: 20_000, ...(stdin !== undefined && { stdin }) };
  const image = parseImage(readFileSync(file), file);
  const original = inMachine(image, options, limit, image);
  const nothing = { instructions: original.instructions, ratio: 1, found: [], superblocks: 0, unproved: [] };
  if (original.exit === 'limit') return { ...nothing, skipped: 'too long' };
  const native = qemu(file, args, host);
  const expected = outcomeOf(original.output, original.exit);
  const reference = outcomeOf(native.stdout.toString('latin1'), statusOf(native.status));
  const found: Found[] = [];
  if (expected !== reference) {
    found.push({ form: 'original', what: `VM ${clip(expected)}, qemu ${clip(reference)}`, cause: 'the VM' });
    return { ...nothing, found };
  }
  const profiles = new Map<string, ImageProfile>([['full', original.profile]]);
  const profileFor = (form: Form): ImageProfile => {
    let profile = profiles.get(form.profile);
    if (profile === undefined) {
      const random = makeRandom(seed);
      profile =
        form.profile === 'prefix'
          ? inMachine(image, options, Math.ceil((original.instructions * (1 + random.below(60))) / 100), image).profile
          : inMachine(otherData(image, seed), options, original.instructions, image).profile;
      profiles.set(form.profile, profile);
    }
    return profile;
  };

  let ratio = 1;
  let superblocks = 0;
  const unproved: string[] = [];
  const target = join(options.folder, 'optimized');
  const wrong = (choice: Omit<OptimizeOptions, 'observe'>, profile: ImageProfile, first?: Form) => {
    let made: ProvedForm;
    try {
      made = optimizeProved(image, profile, { ...choice, output: file });
    } catch (error) {
      return `optimizing threw ${error instanceof Error ? error.message : error}`;
    }
    const { bytes, image: form, rejected } = made;
    // It would not have shipped: all the same it is a fault of what made it.
    const refuted = rejected.find(({ verdict }) => verdict !== 'unproved');
    if (refuted !== undefined) return `refuted: the superblock ${hex(refuted.head)}: ${refuted.reason}`;
    if (first !== undefined) {
      superblocks += made.map.superblocks.length;
      unproved.push(...rejected.map(({ head, reason }) => `${first.name}: ${hex(head)}: ${reason}`));
    }
    const ran = inMachine(form, options, 4 * original.instructions + 2 ** 20, form);
    if (first === DEFAULT_FORM) ratio = ran.instructions / original.instructions;
    const outcome = outcomeOf(ran.output, ran.exit);
    if (outcome !== expected) return `in the VM ${clip(outcome)}, not ${clip(expected)}`;
    const again = rerun({
      original: image,
      optimized: form,
      input: inputOf(options),
      localize: false,
    });
    const [difference] = again.differences;
    if (difference !== undefined)
      return `rerun: ${difference.kind}, ${difference.what}, expected ${difference.expected}, found ${difference.found}`;
    writeFileSync(target, bytes, { mode: 0o755 });
    try {
      const result = qemu(target, args, host);
      const there = outcomeOf(result.stdout.toString('latin1'), statusOf(result.status));
      if (there !== expected) return `under qemu ${clip(there)}, not ${clip(expected)}`;
    } finally {
      rmSync(target, { force: true });
    }
    return undefined;
  };

  for (const form of options.forms) {
    const profile = profileFor(form);
    const what = wrong(form.options, profile, form);
    if (what === undefined) continue;
    const bad = (changed: Omit<OptimizeOptions, 'observe'>) =>
      wrong({ ...form.options, ...changed }, profile) !== undefined;
    found.push({ form: form.name, what, cause: causeOf(form.options.without ?? [], bad) });
  }
  return { instructions: original.instructions, ratio, found, superblocks, unproved };
}

/** The first bad rewrite, or the assumption without which all is well. */
export function causeOf(
  without: readonly AssumptionId[],
  bad: (changed: { fuel?: Fuel; without?: readonly AssumptionId[] }) => boolean,
): string {
  const causes: string[] = [];
  for (const id of AVOIDABLE_ASSUMPTIONS)
    if (!without.includes(id) && !bad({ without: [...without, id] })) causes.push(`gone without ${id}`);
  if (bad({ fuel: makeFuel(0) })) causes.push('there without any rewrite');
  else {
    const all = makeFuel();
    bad({ fuel: all });
    const fuel = firstBad(0, all.spent, (number) => bad({ fuel: makeFuel(number) }));
    const last = makeFuel(fuel);
    bad({ fuel: last });
    causes.push(`fuel ${fuel}: ${last.last}`);
  }
  return causes.join('; ');
}

const outcomeOf = (output: string, exit: string): string => `${output}[${exit}]`;
const statusOf = (status: number): string => (status > 128 ? `signal ${status - 128}` : `status ${status}`);
const clip = (text: string): string => JSON.stringify(text.length > 120 ? `...${text.slice(-120)}` : text);
