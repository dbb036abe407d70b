/**
 * Random superblocks against the oracle, as many as wanted:
 *
 *     node test/run.mjs campaign/superblocks --count 20000 --seed 1
 *
 * Prints the seed and a line of score; a failure prints the superblock, before and after, and what was emitted, and exits 1.
 */
import { parseArgs } from 'node:util';
import { PASSES } from '../../passes/index.ts';
import { makeRandom } from '../support/random.ts';
import { randomRecipe } from '../support/random-superblock.ts';
import { Bench, checkTogether } from '../support/superblock-campaign.ts';

const { values } = parseArgs({ options: { count: { type: 'string' }, seed: { type: 'string' } } });
const cases = Number(values.count ?? 20_000);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
console.log(`seed ${seed}`);
const random = makeRandom(seed);
const bench = new Bench();
for (let i = 0; i < cases; i++) {
  const together = random.oneIn(3) ? 3 : 1;
  const recipes = Array.from({ length: together }, () => randomRecipe(random, random.choose([4, 12, 40])));
  const plan = {
    without: random.oneIn(2) ? 0 : random.below(2 ** PASSES.length),
    fuel: random.oneIn(4) ? random.below(12) : 1e9,
    far: random.oneIn(2),
    target: random.oneIn(2) ? 'rva23u64' : undefined,
    seed: random.next(),
  };
  try {
    checkTogether(bench, recipes, plan, 4);
  } catch (error) {
    console.log(`case ${i} of seed ${seed} fails: ${(error as Error).message}\nplan ${JSON.stringify(plan)}`);
    process.exitCode = 1;
    break;
  }
}
console.log(
  Object.entries(bench.tally)
    .map(([name, count]) => `${name} ${count}`)
    .join(', '),
);
