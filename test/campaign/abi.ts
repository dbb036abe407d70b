/**
 * Random C programs that use the ABI's corners, optimized: what they do must stay the same, on the input that trained and on three others.
 *
 *     node test/run.mjs campaign/abi --programs 3000 --seed 1 [--shard 1/2] [--state FILE] [--builds 4] [--forms some|default]
 *         [--causes] [--only PIECE,...] [--print] [--keep DIR]
 *
 * Each seed's program is built four times (abi/builds.ts) and each executable tried in the default form, every other one in another form as
 * well (optimized/check.ts). `--builds n` makes n of the four, `--forms default` tries no other form. With a state file, one line a seed, what is in it is not done again. `--shard i/n` does every n-th seed. `--causes` looks for the pass
 * or assumption behind a difference, `--only` makes programs of the named pieces, `--print` shows the seed's program, `--keep` keeps
 * programs and executables that fail. Prints the seed and a one-line score; on a difference, what and where, and exits 1.
 */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { leaveOut, needs, scratch } from '../support/tools.ts';
import { type Build, build, buildName, buildsFor } from './abi/builds.ts';
import { generate, type Program } from './abi/generate.ts';
import { DEFAULT_FORM, type Form, type Found, OTHER_FORMS } from './optimized/check.ts';
import { makeChecker } from './optimized/checker.ts';
import { keep, readState } from './state.ts';

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    shard: { type: 'string', default: '1/1' },
    state: { type: 'string' },
    builds: { type: 'string', default: '4' },
    forms: { type: 'string', default: 'some' },
    causes: { type: 'boolean', default: false },
    only: { type: 'string' },
    print: { type: 'boolean', default: false },
    keep: { type: 'string' },
    seconds: { type: 'string', default: '60' },
  },
});
const first = Number(values.seed);
const programs = Number(values.programs);
const [shard, shards] = values.shard.split('/').map(Number) as [number, number];
const only = values.only?.split(',');

/** A program that needs more under the VM is too long. */
const LIMIT = 50_000_000;

interface Line {
  readonly seed: number;
  readonly builds: number;
  readonly skipped: readonly string[];
  readonly differences: readonly (Found & { readonly build: string })[];
  readonly superblocks: number;
  readonly unproved: readonly string[];
  readonly seconds: number;
}

/** The original's lines of one build, without the pieces that it has not. */
function comparable(program: Program, { compiler }: Build, outcome: string): string {
  return outcome
    .split('\n')
    .slice(0, -1)
    .filter((_, k) => compiler === 'gcc' || !program.gccOnly.includes(k % program.pieces.length))
    .filter((line) => !line.startsWith('rounding'))
    .join('\n');
}

async function checkSeed(seed: number, folder: string, checker: ReturnType<typeof makeChecker>): Promise<Line> {
  const program = generate(seed, only);
  if (values.print) console.log(program.text, program.runs);
  const started = performance.now();
  const differences: Line['differences'][number][] = [];
  const skipped: string[] = [];
  const unproved: string[] = [];
  const references = new Map<string, { name: string; text: string }>();
  let [superblocks, builds] = [0, 0];
  for (const [index, how] of buildsFor(seed).slice(0, Number(values.builds)).entries()) {
    const name = buildName(how);
    const file = join(folder, 'program');
    try {
      build(program, how, file);
      const number = seed * 4 + index;
      const other =
        values.forms !== 'default' && number % 2 === 0 ? [OTHER_FORMS[(number / 2) % OTHER_FORMS.length]!] : [];
      const forms: Form[] = [DEFAULT_FORM, ...other];
      const parts = program.pieces.map((piece, k) => ({ name: piece, argument: `${2 ** k}` }));
      const job = { file, parts, runs: program.runs, forms, limit: LIMIT, folder, causes: values.causes };
      const checked = await checker.check(job, Number(values.seconds) * (values.causes ? 10 : 1));
      builds++;
      if (checked.skipped !== undefined) skipped.push(`${name}: ${checked.skipped}`);
      superblocks += checked.superblocks;
      unproved.push(...checked.unproved.map((what) => `${name}, ${what}`));
      for (const found of checked.found) differences.push({ ...found, build: name });
      // A program whose builds do not agree is not what it should be.
      for (const [run, outcome] of checked.expected.entries()) {
        const text = comparable(program, how, outcome);
        const key = `${how.compiler === 'gcc' || program.gccOnly.length === 0} ${run}`;
        const before = references.get(key);
        if (before === undefined) references.set(key, { name, text });
        else if (before.text !== text)
          skipped.push(`${name} and ${before.name} differ on ${run}: ${firstDifference(before.text, text)}`);
        if (!/\[status \d+\]$/.test(outcome)) skipped.push(`${name} ends with ${outcome.split('\n').at(-1)}`);
      }
      if (values.keep !== undefined && checked.found.length > 0) {
        mkdirSync(values.keep, { recursive: true });
        const kept = join(values.keep, `${seed}-${index}`);
        copyFileSync(file, kept);
        writeFileSync(
          `${kept}.c`,
          `${program.text}/* ${name}\n${program.runs.map((r) => r.join(' ')).join('\n')} */\n`,
        );
      }
    } catch (error) {
      skipped.push(`${name}: ${error instanceof Error ? error.message : error}`);
    } finally {
      rmSync(file, { force: true });
    }
  }
  const seconds = Math.round((performance.now() - started) / 10) / 100;
  return { seed, builds, skipped, differences, superblocks, unproved, seconds };
}

function firstDifference(one: string, other: string): string {
  const lines = other.split('\n');
  return one
    .split('\n')
    .flatMap((line, k) => (line === lines[k] ? [] : [`${line}, ${lines[k]}`]))
    .join('; ');
}

function tell({ seed, differences, skipped, unproved, seconds, superblocks }: Line): void {
  for (const { build: how, form, kind, what, cause, parts = [] } of differences)
    console.log(
      `seed ${seed} ${how}, ${form}: ${kind}${parts.length > 0 ? ` (${parts.join(', ')})` : ''}: ${what}${cause ? `; ${cause}` : ''}`,
    );
  for (const why of skipped) console.log(`seed ${seed} skipped: ${why}`);
  console.error(
    `${seed}: ${seconds} s, ${superblocks} superblocks, ${unproved.length} not proved, ${differences.length} differences`,
  );
}

if (needs('campaign/abi', 'gcc', 'clang', 'qemu')) {
  const { state } = values;
  const done = new Map(readState<Line>(state).map((line) => [line.seed, line]));
  console.log(`seed ${first}`);
  const folder = scratch('abi-campaign');
  const checker = makeChecker();
  const lines: Line[] = [];
  try {
    for (let seed = first + shard - 1; seed < first + programs; seed += shards) {
      let line = done.get(seed);
      if (line === undefined) {
        line = await checkSeed(seed, folder, checker);
        keep(state, line);
        tell(line);
      } else if (line.differences.length > 0) tell(line);
      lines.push(line);
    }
  } finally {
    checker.close();
    rmSync(folder, { recursive: true, force: true });
  }
  const sum = (of: (line: Line) => number) => lines.reduce((total, line) => total + of(line), 0);
  const kinds = new Map<string, number>();
  for (const { kind } of lines.flatMap(({ differences }) => differences)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const differences = sum((line) => line.differences.length);
  console.log(
    `abi: ${lines.length} programs, ${sum(({ builds }) => builds)} executables, ${lines.filter((line) => line.differences.length > 0).length} programs with ${differences} differences${[...kinds].map(([kind, n]) => ` (${kind} ${n})`).join('')}, ${sum((line) => line.skipped.length)} skipped; ${sum((line) => line.superblocks)} superblocks formed, ${sum((line) => line.unproved.length)} not proved; ${sum((line) => line.seconds).toFixed(0)} s`,
  );
  process.exitCode = differences === 0 ? 0 : 1;
} else {
  leaveOut('campaign/abi', 'needs the cross compiler, clang and qemu');
  process.exitCode = 2;
}
