/** Damaged forms of an executable, taken the whole way: each must end in an error of ours, or in a result; in nothing else. */
import { IsoformError } from '../../src/base/errors.ts';
import type { Image } from '../../src/elf/image.ts';
import { parseImage } from '../../src/elf/read.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import type { ImageProfile } from '../../src/profile/profile.ts';
import { profileOf } from '../../src/profile/store.ts';
import { makeRandom, type Random } from './random.ts';

const MEMORY = 2 ** 25;
const LIMIT = 50_000;
const HOTTEST = { coldShare: 0.03, closureShare: 0.03, unroll: 1 };

export interface Sample {
  readonly bytes: Uint8Array;
  readonly stdin: Uint8Array;
}

/** Values that sizes, offsets and addresses go wrong at. */
const EDGES: readonly bigint[] = [
  0n,
  1n,
  2n,
  0xfffn,
  0x1000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  2n ** 48n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 0x1000n,
  2n ** 64n - 1n,
];

/** One damaged form. The same random numbers give the same bytes. */
export function mutate(sample: Uint8Array, random: Random): Uint8Array {
  let bytes = Uint8Array.from(sample);
  const view = new DataView(bytes.buffer);
  const headers = Number(view.getBigUint64(32, true));
  const sections = Number(view.getBigUint64(40, true));
  /** Where it is worth while: the ELF header, the program headers, the section headers, code, everything. */
  const [from, to] = random.choose([
    [0, 64],
    [headers, headers + 56 * view.getUint16(56, true)],
    [sections, sections + 64 * view.getUint16(60, true)],
    [headers, Math.min(bytes.length, headers + 4096)],
    [0, bytes.length],
  ] as const);
  const at = (size: number) => Math.max(0, Math.min(from + random.below(to - from), bytes.length - size));
  for (let edits = 1 + random.below(4); edits > 0; edits--) {
    switch (random.below(6)) {
      case 0:
        bytes[at(1)] = random.below(256);
        break;
      case 1:
        bytes[at(1)]! ^= 1 << random.below(8);
        break;
      case 2:
        view.setBigUint64(at(8) & ~7, random.choose(EDGES) + BigInt(random.below(3)) - 1n, true);
        break;
      case 3:
        view.setUint32(at(4) & ~3, random.oneIn(2) ? random.next() : Number(random.choose(EDGES) & 0xffff_ffffn), true);
        break;
      case 4: {
        // A stretch from elsewhere in the file.
        const length = 1 + random.below(64);
        bytes.copyWithin(at(length), random.below(bytes.length - length), random.below(bytes.length));
        break;
      }
      default: {
        const length = 1 + random.below(32);
        bytes.fill(random.oneIn(2) ? 0 : 255, at(length), at(length) + length);
      }
    }
  }
  if (random.oneIn(12)) bytes = bytes.slice(0, random.below(bytes.length + 1));
  else if (random.oneIn(30)) bytes = Uint8Array.from([...bytes, ...bytes.subarray(0, random.below(4096))]);
  return bytes;
}

/** What happened to one damaged form: how far it got, `parse`, `load`, `run`, `optimize`, and what stopped it. */
export interface Fate {
  readonly reached: 'parsed' | 'ran' | 'optimized' | 'nothing';
  /** Something that must not happen. */
  readonly crash: string | undefined;
}

/** The error is one that a user could see, in one clear line. */
function tellsUser(error: unknown): boolean {
  return error instanceof IsoformError && error.code !== 'internal' && !/\n|undefined|NaN|\[object/.test(error.line());
}

/** How much work a form is worth. */
export interface Effort {
  /** Only the hottest superblocks; everything is done to them that is done to all. */
  readonly few: boolean;
  /** Optimize by the profile of its own run too. */
  readonly own: boolean;
}

/** The whole way: parse, load, run for a while, optimize by the sample's profile and perhaps by its own. */
export function takeTheWay(bytes: Uint8Array, stdin: Uint8Array, profile: ImageProfile, effort: Effort): Fate {
  let reached: Fate['reached'] = 'nothing';
  /** @returns undefined where an error was in order */
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (tellsUser(error)) return undefined;
      throw error;
    }
  };
  const form = (image: Image, counts: ImageProfile) => {
    const optimized = attempt(() => optimize(image, counts, effort.few ? { select: HOTTEST } : {}));
    if (optimized === undefined) return;
    // What we write, we read.
    parseImage(optimized.bytes, 'optimized');
    reached = 'optimized';
  };
  try {
    const image = attempt(() => parseImage(bytes, 'damaged'));
    if (image === undefined) return { reached, crash: undefined };
    reached = 'parsed';
    const run = attempt(() =>
      profileRun({
        image,
        input: { stdin, grants: [], cwd: '/', memorySize: MEMORY },
        limitInstructions: LIMIT,
      }),
    );
    if (run !== undefined) reached = 'ran';
    form(image, profile);
    if (run !== undefined && effort.own) form(image, profileOf(run.profile, image));
    return { reached, crash: undefined };
  } catch (error) {
    return { reached, crash: `${(error as Error)?.stack ?? error}` };
  }
}

/** The profile that the undamaged sample gives, in so many instructions as the damaged ones run. */
export function sampleProfile({ bytes, stdin }: Sample): ImageProfile {
  const image = parseImage(bytes, 'sample');
  const run = profileRun({ image, input: { stdin, grants: [], cwd: '/' }, limitInstructions: LIMIT });
  return profileOf(run.profile, image);
}

export interface Round {
  readonly round: number;
  readonly fate: Fate;
  readonly milliseconds: number;
}

/** Rounds `first` to `last` - 1 of a campaign. Each round has its own random numbers, so that one can be repeated alone. */
export function* mutationRounds(sample: Sample, seed: number, first: number, last: number): Generator<Round> {
  const profile = sampleProfile(sample);
  for (let round = first; round < last; round++) {
    const bytes = mutate(sample.bytes, makeRandom(seed * 1_000_003 + round));
    const start = performance.now();
    const fate = takeTheWay(bytes, sample.stdin, profile, { few: round % 8 !== 0, own: round % 4 === 0 });
    yield { round, fate, milliseconds: performance.now() - start };
  }
}
