/**
 * Is anything wrong ever called proved of frames, saved registers, and what is left of frames that were given back (assumptions A3 and A8)?
 * Random pieces of code, changed as optimizers do, rightly and wrongly; what is called proved is run on states in which pointers lead to each
 * other and into the stack:
 *
 *     node test/run.mjs campaign/frames --count 20000 --seed 1 [--states 60] [--findings 1] [--reasons]
 *
 * States on which the original breaks an assumption show nothing. `--reasons` says why how many are not proved. Prints the seed and a line of score; of a finding what is left of it once
 * all has been taken out that does not matter, and the state; and exits 1.
 */
import { parseArgs } from 'node:util';
import { textOf } from '../support/prove-pieces.ts';
import { findingText, makeOf, minimised, proved, randomPairs, search } from './frames/pairs.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '20000' },
    seed: { type: 'string' },
    states: { type: 'string', default: '60' },
    findings: { type: 'string', default: '1' },
    reasons: { type: 'boolean', default: false },
  },
});
const count = Number(values.count);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);

const score = { pairs: 0, proved: 0, 'by A3': 0, 'by A8': 0, states: 0, useless: 0, findings: 0 };
const reasons = new Map<string, number>();
console.log(`seed ${seed}`);
for (const { name, pair, random } of randomPairs(seed)) {
  if (score.pairs >= count || score.findings >= Number(values.findings)) break;
  const made = makeOf(pair);
  const result = proved(made);
  score.pairs++;
  if (result instanceof Error) {
    score.findings++;
    console.log(`${name}: the prover fails\n${findingText(...minimised(pair, result))}`);
    continue;
  }
  if (result.verdict !== 'proved') {
    const text = textOf(result).replace(/0x[0-9a-f]+/g, '_');
    reasons.set(text, (reasons.get(text) ?? 0) + 1);
    continue;
  }
  score.proved++;
  if (result.assumptions.includes('A3')) score['by A3']++;
  if (result.assumptions.includes('A8')) score['by A8']++;
  const found = search(pair, made, random, Number(values.states), [], score);
  if (found === undefined) continue;
  score.findings++;
  console.log(`${name}: wrongly proved\n${findingText(...minimised(pair, found))}`);
}
const often = [...reasons].sort(([, a], [, b]) => b - a).slice(0, 20);
if (values.reasons) for (const [text, times] of often) console.log(`${times} ${text}`);
const parts = Object.entries(score).map(([name, number]) => `${name} ${number}`);
console.log(`frames: ${parts.join(', ')}`);
process.exitCode = score.findings > 0 ? 1 : 0;
