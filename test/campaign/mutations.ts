/**
 * Is anything wrong ever called proved? Single changes to optimized code, patches and address maps, over samples and real programs:
 *
 *     node test/run.mjs campaign/mutations [--count 170] [--seed 1] [--only sort,lua] [--kinds]
 *
 * `count` changes to the code of each program, and a quarter as many each to its map and its file. Prints a line for each program and a
 * score; exits 1 if something wrong was proved, or if something right was not.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { type GuestInput, profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { hasSolver, makeSolver } from '../../src/verify/prove/solver.ts';
import { PROGRAMS, program } from '../support/programs.ts';
import { Mutations, newScore, type Score, scoreText } from '../support/prove-mutations.ts';
import { ROOT } from '../support/tools.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '170' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    kinds: { type: 'boolean', default: false },
  },
});
const count = Number(values.count);
const seed = Number(values.seed);
const only = values.only?.split(',');
const samples: string[] = JSON.parse(readFileSync(join(ROOT, 'samples/samples.json'), 'utf8')).map(
  ({ name }: { name: string }) => name,
);

async function guestOf(name: string): Promise<{ file: string; input: GuestInput }> {
  if (samples.includes(name)) {
    const folder = join(ROOT, 'samples', name);
    return { file: join(folder, `${name}.elf`), input: { stdin: readFileSync(join(folder, 'input')) } };
  }
  const { file, train } = await program(name);
  const { args, stdin, dir } = train;
  return { file, input: { args, ...(stdin && { stdin }), grants: [dir], cwd: dir } };
}

const total = newScore();
let unproved = 0;
function add(score: Score): void {
  for (const what of ['made', 'caught', 'doubted', 'harmless'] as const) total[what] += score[what];
  total.missed.push(...score.missed);
  for (const [kind, of] of score.byKind) {
    const sum = total.byKind.get(kind) ?? { made: 0, caught: 0, doubted: 0, harmless: 0 };
    for (const what of ['made', 'caught', 'doubted', 'harmless'] as const) sum[what] += of[what];
    total.byKind.set(kind, sum);
  }
}

const solver = makeSolver();
console.log(`seed ${seed}${hasSolver() ? '' : "; no solver: npm's z3-solver is not installed"}`);
for (const name of only ?? [...samples, ...PROGRAMS]) {
  const { file, input } = await guestOf(name);
  const original = readImage(file);
  const { profile } = profileRun({ image: original, input });
  const optimized = parseImage(optimize(original, profileOf(profile, original)).bytes, `${name}.isoform`);
  const { superblocks, file: checks } = prove(original, optimized, mapOf(original, optimized));
  const open = superblocks.filter(({ verdict }) => verdict !== 'proved').length;
  unproved += open + checks.filter(({ problems }) => problems.length > 0).length;
  const mutations = new Mutations(name, original, optimized, solver);
  const score = newScore();
  mutations.code(count, seed, score);
  mutations.mapEntries(Math.ceil(count / 4), seed + 1, score);
  mutations.file(Math.ceil(count / 4), seed + 2, score);
  add(score);
  console.log(`${name}: ${superblocks.length - open} of ${superblocks.length} superblocks proved; ${scoreText(score)}`);
  for (const line of score.missed) console.log(`  ${line}`);
}
if (values.kinds) for (const [kind, of] of total.byKind) console.log(`${kind}: ${JSON.stringify(of)}`);
console.log(scoreText(total));
process.exitCode = total.missed.length > 0 || unproved > 0 ? 1 : 0;
