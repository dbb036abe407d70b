/**
 * Damaged forms of the files that isoform writes and reads again (address maps, saved counterexamples, profiles, kept code), with checksums that fit:
 * each is refused in one line, or read and gone through to the end, or done without. What never may be is an internal error.
 *
 *     node test/run.mjs campaign/readers --count 2000 --seed 1 [--only map,case,profile,cache] [--from 0]
 *
 * Each round has random numbers of its own, so that `--from ROUND --count 1` repeats it. Prints the seed and a score for each reader; exits 1 if
 * something was wrong.
 */
import { parseArgs } from 'node:util';
import { makeRandom } from '../support/random.ts';
import { makeReaders } from '../support/reader-mutations.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: 'map,case,profile,cache' },
    from: { type: 'string', default: '0' },
  },
});
console.log(`seed ${values.seed}`);
const readers = makeReaders();
for (const name of values.only.split(',')) {
  const tally = { refused: 0, read: 0, wrong: 0 };
  let slowest = 0;
  for (let round = Number(values.from); round < Number(values.from) + Number(values.count); round++) {
    const begun = performance.now();
    try {
      tally[readers[name]!(makeRandom(Number(values.seed) * 1_000_003 + round))]++;
    } catch (error) {
      tally.wrong++;
      console.log(`${name}, round ${round}: ${(error as Error)?.stack ?? error}`);
    }
    slowest = Math.max(slowest, performance.now() - begun);
  }
  console.log(
    `${name}: ${tally.refused} refused, ${tally.read} read, ${tally.wrong} WRONG; slowest ${Math.round(slowest)} ms`,
  );
  if (tally.wrong > 0) process.exitCode = 1;
}
