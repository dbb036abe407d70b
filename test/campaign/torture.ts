/**
 * gcc's c-torture/execute tests, optimized: they must still end with status 0.
 *
 *     node test/run.mjs campaign/torture [--levels=-O0,-O2,-O3] [--tests REGEX] [--shard 1/2] [--state FILE] [--library some|whole] [--causes]
 *
 * The tests come from Debian's gcc source package, into the cache. Each is built at each level, with a tiny C library where that does or (`--with whole`) with glibc; what exits with status 0 under qemu in a few
 * seconds is profiled, optimized, proved, verified by rerun, and run under qemu. With a state file, one line a test and level, what is in
 * it is not done again. Prints what was skipped, and why, what failed, and a one-line score; exits 1 on a failure.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findTool, leaveOut, needs, scratch } from '../support/tools.ts';
import { DEFAULT_FORM, type Found } from './optimized/check.ts';
import { type Checker, makeChecker } from './optimized/checker.ts';
import { keep, readState } from './state.ts';
import { build, LEVELS } from './torture/builds.ts';
import { type Test, testsIn, tortureFolder } from './torture/sources.ts';

const { values } = parseArgs({
  options: {
    levels: { type: 'string', default: LEVELS.join(',') },
    tests: { type: 'string', default: '' },
    shard: { type: 'string', default: '1/1' },
    state: { type: 'string' },
    with: { type: 'string', default: 'some' },
    causes: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '60' },
  },
});

/** Instructions of a few seconds under the VM. */
const LIMIT = 1_000_000_000;

interface Line {
  readonly test: string;
  readonly level: string;
  readonly library?: 'tiny' | 'whole';
  /** Why it is of no use: a word that is counted, and more. */
  readonly skipped?: string;
  readonly more?: string;
  readonly failures: readonly Found[];
  readonly superblocks: number;
  readonly unproved: readonly string[];
}

/** With the tiny library where that does; its own executable is no worse a test, and takes a fifth of the time. */
async function checkTest(folder: string, test: Test, level: string, work: string, checker: Checker): Promise<Line> {
  const nothing = { test: test.name, level, failures: [], superblocks: 0, unproved: [] };
  const file = join(work, 'program');
  let line: Line = { ...nothing, skipped: 'not built' };
  for (const library of values.with === 'whole' ? (['whole'] as const) : (['tiny', 'whole'] as const))
    try {
      const why = build(folder, test, level, library, file);
      if (why !== undefined) {
        line = { ...nothing, skipped: 'not built', more: why };
        continue;
      }
      const { causes } = values;
      const job = {
        file,
        runs: [[]],
        forms: [DEFAULT_FORM],
        limit: LIMIT,
        verify: true,
        onlyStatus: 0,
        folder: work,
        causes,
      };
      const checked = await checker.check(job, Number(values.seconds) * (causes ? 10 : 1));
      const { skipped, found: failures, superblocks, unproved } = checked;
      if (skipped === undefined) return { ...nothing, library, failures, superblocks, unproved };
      line = { ...nothing, library, skipped };
    } finally {
      rmSync(file, { force: true });
    }
  return line;
}

function tell({ test, level, failures, unproved }: Line): void {
  for (const { kind, what, cause } of failures)
    console.log(`${test} ${level}: ${kind}: ${what}${cause ? `; ${cause}` : ''}`);
  for (const why of unproved) console.log(`${test} ${level}: not proved: ${why}`);
}

if (needs('campaign/torture', 'gcc', 'qemu', 'tar') && findTool('apt') !== undefined) {
  const { state } = values;
  const [shard, shards] = values.shard.split('/').map(Number) as [number, number];
  const done = new Map(readState<Line>(state).map((line) => [`${line.test} ${line.level}`, line]));
  const folder = await tortureFolder();
  const wanted = new RegExp(values.tests);
  const tests = testsIn(folder).filter(({ name }, k) => wanted.test(name) && k % shards === shard - 1);
  const levels = values.levels.split(',');
  const work = scratch('torture');
  const checker = makeChecker();
  const lines: Line[] = [];
  try {
    for (const test of tests)
      for (const level of levels) {
        let line = done.get(`${test.name} ${level}`);
        if (line === undefined) {
          line = await checkTest(folder, test, level, work, checker);
          keep(state, line);
        }
        tell(line);
        lines.push(line);
      }
  } finally {
    checker.close();
    rmSync(work, { recursive: true, force: true });
  }
  const skipped = new Map<string, string[]>();
  for (const { test, level, skipped: why } of lines)
    if (why !== undefined) skipped.set(why, [...(skipped.get(why) ?? []), `${test} ${level}`]);
  for (const [why, names] of skipped) console.log(`skipped, ${why}: ${names.length}: ${names.join(', ')}`);
  const failed = lines.filter(({ failures }) => failures.length > 0);
  const tried = lines.filter((line) => line.skipped === undefined).length;
  const sum = (of: (line: Line) => number) => lines.reduce((total, line) => total + of(line), 0);
  console.log(
    `torture: ${tests.length} tests x ${levels.length} levels, ${tried} executables tried (${lines.filter(({ library, skipped: why }) => library === 'tiny' && why === undefined).length} with the tiny library), ${failed.length} failed, ${[...skipped].map(([why, { length }]) => `${length} ${why}`).join(', ') || 'none skipped'}; ${sum(({ superblocks }) => superblocks)} superblocks formed, ${sum(({ unproved }) => unproved.length)} not proved`,
  );
  process.exitCode = failed.length === 0 ? 0 : 1;
} else {
  leaveOut('campaign/torture', 'needs the cross compiler, qemu, and apt-get to fetch the sources');
  process.exitCode = 2;
}
