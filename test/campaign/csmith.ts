/**
 * Random C programs, optimized: the outcome must stay the same.
 *
 *     node test/run.mjs campaign/csmith --programs 400 --seed 1 [--levels O0,O1,O2,O3,Os] [--sets plain,...|all] [--forms default|two|all]
 *         [--state FILE] [--kind csmith|flow]
 *
 * Each seed's program is built at each level, with `--sets all` once more at one level with flags that go round by the seed; every
 * tenth, at one level, against glibc. See csmith/check.ts for what is done with each. With a state file, one line a seed, what is in it is not done
 * again. `--forms`: what users get, alone, with another form that goes round by the seed (default), or with all that check.ts has. `--kind flow`: programs of our own, for what csmith leaves out (csmith/flow.ts). Prints the seed and a score; on a difference, what and where, and exits 1.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { leaveOut, needs, scratch } from '../support/tools.ts';
import { ALL_FORMS, check, DEFAULT_FORM, type Form, formsFor } from './csmith/check.ts';
import { generateFlow } from './csmith/flow.ts';
import { build, canGenerate, FLAG_SETS, generate, LEVELS } from './csmith/programs.ts';
import { keep, readState } from './state.ts';

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    levels: { type: 'string', default: LEVELS.join(',') },
    sets: { type: 'string', default: 'plain' },
    limit: { type: 'string', default: '20000000' },
    state: { type: 'string' },
    kind: { type: 'string', default: 'csmith' },
    forms: { type: 'string', default: 'two' },
  },
});
const first = Number(values.seed);
const programs = Number(values.programs);
const levels = values.levels.split(',');
const others = Object.keys(FLAG_SETS).filter((name) => name !== 'plain' && name !== 'glibc');

const FORMS: Readonly<Record<string, (number: number) => readonly Form[]>> = {
  default: () => [DEFAULT_FORM],
  two: formsFor,
  all: () => ALL_FORMS,
};
const forms = FORMS[values.forms];
if (forms === undefined) throw new Error(`--forms ${values.forms}: there are ${Object.keys(FORMS).join(', ')}`);

interface Line {
  readonly seed: number;
  readonly checked: number;
  readonly skipped: number;
  readonly differences: readonly string[];
  /** Superblocks formed, and those that were neither proved nor refuted (absent in older state files). */
  readonly superblocks?: number;
  readonly unproved?: readonly string[];
}

function setsFor(seed: number, level: number): readonly string[] {
  const own = values.sets === 'all' ? ['plain'] : values.sets.split(',');
  if (values.sets === 'all' && seed % levels.length === level) own.push(others[seed % others.length]!);
  if (seed % 50 === 10 * level && !own.includes('glibc')) own.push('glibc');
  return own;
}

function checkSeed(seed: number, folder: string): Line {
  const source = values.kind === 'flow' ? generateFlow(seed) : generate(seed);
  const differences: string[] = [];
  let [checked, skipped, superblocks] = [0, 0, 0];
  const unproved: string[] = [];
  if (source === undefined) return { seed, checked, skipped: levels.length, differences };
  for (const [index, level] of levels.entries())
    for (const set of setsFor(seed, index)) {
      const file = join(folder, `${seed}-${level}-${set}`);
      const started = performance.now();
      try {
        // A program that compiler or linker refuse (gp-relative relocations out of reach, say) tests nothing.
        try {
          build(source, level, FLAG_SETS[set]!, file);
        } catch (error) {
          console.error(`${seed} ${level} ${set}: ${error instanceof Error ? error.message : error}`);
          skipped++;
          continue;
        }
        const number = seed * levels.length + index;
        const result = check(file, {
          args: number % 3 === 0 ? ['1'] : [],
          forms: forms!(number),
          limit: Number(values.limit),
          seed: number,
          folder,
        });
        if (result.skipped === undefined) checked++;
        else skipped++;
        const seconds = ((performance.now() - started) / 1000).toFixed(2);
        superblocks += result.superblocks;
        unproved.push(...result.unproved.map((what) => `seed ${seed} -${level} ${set}, ${what}`));
        const { instructions, ratio } = result;
        console.error(
          `${seed} ${level} ${set}: ${result.skipped ?? ratio.toFixed(4)}, ${instructions} instructions, ${seconds} s`,
        );
        for (const { form, what, cause } of result.found)
          differences.push(`seed ${seed} -${level} ${set}, ${form}: ${what}; ${cause}`);
      } catch (error) {
        differences.push(`seed ${seed} -${level} ${set}: ${error instanceof Error ? error.stack : error}`);
      } finally {
        rmSync(file, { force: true });
      }
    }
  for (const difference of differences) console.log(difference);
  for (const what of unproved) console.log(`not proved: ${what}`);
  return { seed, checked, skipped, differences, superblocks, unproved };
}

if (needs('campaign/csmith', 'csmith', 'gcc', 'qemu') && canGenerate()) {
  const { state } = values;
  const done = new Map(readState<Line>(state).map((line) => [line.seed, line]));
  console.log(`seed ${first}`);
  const folder = scratch('csmith-campaign');
  let [tested, skipped, differences, superblocks, unproved] = [0, 0, 0, 0, 0];
  try {
    for (let seed = first; seed < first + programs; seed++) {
      let line = done.get(seed);
      if (line === undefined) {
        line = checkSeed(seed, folder);
        keep(state, line);
      } else for (const difference of line.differences) console.log(difference);
      tested += line.checked;
      skipped += line.skipped;
      differences += line.differences.length;
      superblocks += line.superblocks ?? 0;
      unproved += line.unproved?.length ?? 0;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(
    `${values.kind}: ${programs} programs x ${levels.length} levels, ${tested} executables compared, ${differences} differences, ${skipped} skipped; ${superblocks} superblocks formed, ${unproved} not proved`,
  );
  process.exitCode = differences === 0 ? 0 : 1;
} else {
  leaveOut('campaign/csmith', 'needs csmith, libcsmith-dev, the cross compiler and qemu');
  process.exitCode = 2;
}
