/**
 * Is anything wrong ever called proved of frames, saved registers, and what is left of frames that were given back (assumptions A3 and A8)?
 * Random pieces of code, changed as optimizers do, rightly and wrongly; what is called proved is run on states in which pointers lead to each
 * other and into the stack:
 *
 *     node test/run.mjs campaign/frames --count 20000 --seed 1 [--states 60] [--findings 1]
 *
 * States on which the original breaks an assumption show nothing. Prints the seed and a line of score; of a finding what is left of it once
 * all has been taken out that does not matter, and the state; and exits 1.
 */
import { parseArgs } from 'node:util';
import { type Reg, SP } from '../../src/base/units.ts';
import type { EntryProof } from '../../src/verify/prove/superblock.ts';
import { proof, textOf as reasonOf } from '../support/prove-pieces.ts';
import { makeRandom, type Random } from '../support/random.ts';
import { type Code, type Item, isAccess, isBranch, optimized, original, programText, savesIn } from './frames/code.ts';
import { randomOptimized, randomOriginal } from './frames/generate.ts';
import { type Assumed, compare, type Hints, randomStart, type Start } from './frames/machine.ts';

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
const states = Number(values.states);
const most = Number(values.findings);

/** sp, the saved and the argument registers. */
const LIVE: readonly Reg[] = [2, 8, 9, 18, 19, 10, 11, 12, 13, 14, 15, 16, 17, 5, 6];

interface Pair {
  readonly was: readonly Item[];
  readonly is: readonly Item[];
  readonly folded: boolean;
  /** Of the saves that there are; undefined: A3 is not made. */
  readonly saves: (id: number) => boolean | undefined;
  readonly withSaves: boolean;
  readonly options: Omit<Assumed, 'saves'>;
}
interface Made {
  readonly code: Code;
  readonly made: Code;
  readonly assumed: Assumed;
}

function makeOf({ was, is, folded, saves, withSaves, options }: Pair): Made {
  const { code, at, end } = original(was);
  const kept = savesIn(was).filter(saves);
  return {
    code,
    made: optimized(is, folded, end),
    assumed: { ...options, saves: withSaves ? kept.map((id) => at.get(id)!) : undefined },
  };
}

function proved({ code, made, assumed }: Made): EntryProof | Error {
  const { saves, live, ...rest } = assumed;
  const options = { ...rest, ...(saves && { saves }), ...(live && { live }) };
  try {
    return proof(programText(code), programText(made), options);
  } catch (error) {
    return error as Error;
  }
}

function hintsOf(was: readonly Item[]): Hints {
  const accesses = was.filter(isAccess);
  const slots = accesses.filter(({ rs1 }) => rs1 === SP).map(({ imm }) => imm!);
  const offsets = accesses.filter(({ rs1 }) => rs1 !== SP).map(({ imm }) => imm!);
  return {
    slots,
    offsets: offsets.length === 0 ? [0] : offsets,
    zeros: was.filter(isBranch).map(({ rs1 }) => rs1!),
  };
}

const score = { pairs: 0, proved: 0, 'by A3': 0, 'by A8': 0, states: 0, useless: 0, findings: 0 };

interface Found {
  readonly start: Start;
  readonly how: string;
}
function search(
  pair: Pair,
  made: Made,
  random: Random,
  tries: number,
  first: readonly Start[] = [],
): Found | undefined {
  const hints = hintsOf(pair.was);
  const fences = pair.was.some(({ op }) => op === 'fence');
  for (let i = -first.length; i < tries; i++) {
    const start = i < 0 ? first[i + first.length]! : randomStart(random, hints, fences && random.oneIn(2));
    const outcome = compare(made.code, made.made, start, made.assumed);
    score.states++;
    if (outcome.kind === 'useless') score.useless++;
    if (outcome.kind === 'differs') return { start, how: outcome.how };
  }
  return undefined;
}

/** Takes out what does not matter. */
function minimised(pair: Pair, found: Found | Error): readonly [Pair, Found | Error] {
  let [best, shown]: [Pair, Found | Error] = [pair, found];
  const attempt = (next: Pair): boolean => {
    const made = makeOf(next);
    const result = proved(made);
    if (shown instanceof Error || result instanceof Error) {
      if (!(shown instanceof Error && result instanceof Error && shown.message === result.message)) return false;
      best = next;
      return true;
    }
    if (result.verdict !== 'proved') return false;
    const again = search(next, made, makeRandom(7), 200, [shown.start]);
    if (again === undefined) return false;
    [best, shown] = [next, again];
    return true;
  };
  const without = (items: readonly Item[], id: number): Item[] =>
    items
      .filter((item) => item.id !== id)
      .map((item) => (item.stub ? { ...item, stub: item.stub.filter((each) => each.id !== id) } : item));
  for (let again = true; again; ) {
    again = false;
    for (const id of new Set([...best.was, ...best.is].map((item) => item.id))) {
      const both = { ...best, was: without(best.was, id), is: without(best.is, id) };
      const one = { ...best, was: without(best.was, id) };
      const other = { ...best, is: without(best.is, id) };
      const changes = (next: Pair) => next.was.length < best.was.length || next.is.length < best.is.length;
      for (const next of [both, one, other])
        if (changes(next) && attempt(next)) {
          again = true;
          break;
        }
    }
    // A frame goes as a whole.
    const moves = best.was.filter(({ rd }) => rd === SP);
    for (const a of moves)
      for (const b of moves)
        if (a.imm! < 0 && a.imm! + b.imm! === 0 && best.was.includes(a) && best.was.includes(b)) {
          const drop = (items: readonly Item[]) => without(without(items, a.id), b.id);
          if (attempt({ ...best, was: drop(best.was), is: drop(best.is) })) again = true;
        }
  }
  return [best, shown];
}

const hexed = (value: bigint): string => `0x${value.toString(16)}`;
function show(pair: Pair, found: Found | Error): void {
  const made = makeOf(pair);
  const result = proved(made);
  const numbered = (code: Code) =>
    programText(code)
      .split('\n')
      .map((line, i) => `  ${([...code.keys()][i]!).toString(16)}: ${line}`)
      .join('\n');
  const { saves, ...rest } = made.assumed;
  console.log(`original:\n${numbered(made.code)}\noptimized:\n${numbered(made.made)}`);
  console.log(`options: ${JSON.stringify({ ...rest, saves: saves?.map((at) => at.toString(16)) })}`);
  if (found instanceof Error || result instanceof Error) {
    console.log(found instanceof Error ? found.stack : '');
    return;
  }
  const { start, how } = found;
  console.log(`proved by ${result.assumptions}`);
  const used = new Set([...made.code.values()].flatMap(({ rs1, rs2 }) => [rs1, rs2]));
  console.log(
    `state: ${[...used]
      .sort((a, b) => a - b)
      .map((reg) => `x${reg}=${hexed(start.registers[reg]!)}`)
      .join(
        ' ',
      )}; memory of seed ${start.seed}, leading to ${start.pool.map((at) => at.toString(16))}; others store at fences: ${start.others}`,
  );
  console.log(`difference: ${how}`);
}

console.log(`seed ${seed}`);
const reasons = new Map<string, number>();
const began = Date.now();
for (let i = 0; score.pairs < count && score.findings < most; i++) {
  const random = makeRandom(Math.imul(seed, 0x9e3779b1) + i);
  const was = randomOriginal(random);
  for (let variant = 0; variant < 4 && score.findings < most; variant++) {
    const part = random.next();
    const kind = random.below(20);
    const saves = (id: number) => (kind === 0 ? false : kind < 3 ? ((part >>> (id % 31)) & 1) === 0 : true);
    const options = {
      deadFrames: !random.oneIn(8),
      watched: random.oneIn(16),
      live: random.oneIn(8) ? undefined : LIVE,
    };
    const is = randomOptimized(was, random);
    const folded = options.watched ? random.oneIn(8) : !random.oneIn(4);
    const pair: Pair = { was, is, folded, saves, withSaves: kind !== 19, options };
    const made = makeOf(pair);
    const result = proved(made);
    score.pairs++;
    if (result instanceof Error) {
      score.findings++;
      console.log(`case ${i} variant ${variant} of seed ${seed}: the prover fails`);
      show(...minimised(pair, result));
      continue;
    }
    if (result.verdict !== 'proved') {
      if (values.reasons) {
        const text = reasonOf(result).replace(/0x[0-9a-f]+/g, '_');
        reasons.set(text, (reasons.get(text) ?? 0) + 1);
      }
      continue;
    }
    score.proved++;
    if (result.assumptions.includes('A3')) score['by A3']++;
    if (result.assumptions.includes('A8')) score['by A8']++;
    const found = search(pair, made, random, states);
    if (found === undefined) continue;
    score.findings++;
    console.log(
      `case ${i} variant ${variant} of seed ${seed}, after ${Math.round((Date.now() - began) / 1000)} s: wrongly proved`,
    );
    show(...minimised(pair, found));
  }
}
for (const [text, times] of [...reasons].sort(([, a], [, b]) => b - a).slice(0, 20)) console.log(`${times} ${text}`);
console.log(
  Object.entries(score)
    .map(([name, number]) => `${name} ${number}`)
    .join(', '),
);
process.exitCode = score.findings > 0 ? 1 : 0;
