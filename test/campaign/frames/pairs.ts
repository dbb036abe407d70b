/** Pairs of an original piece of code and a changed one: made at random, proved, run on states that may tell them apart, and cut down to what matters. */
import { type Reg, SP } from '../../../src/base/units.ts';
import type { EntryProof } from '../../../src/verify/prove/superblock.ts';
import { proof } from '../../support/prove-pieces.ts';
import { makeRandom, type Random } from '../../support/random.ts';
import { type Code, type Item, isAccess, isBranch, optimized, original, programText, savesIn } from './code.ts';
import { randomOptimized, randomOriginal } from './generate.ts';
import { type Assumed, compare, type Hints, randomStart, type Start } from './machine.ts';

/** sp, the saved and the argument registers. */
const LIVE: readonly Reg[] = [2, 8, 9, 18, 19, 10, 11, 12, 13, 14, 15, 16, 17, 5, 6];

export interface Pair {
  readonly was: readonly Item[];
  readonly is: readonly Item[];
  readonly folded: boolean;
  /** Of the saves that there are; undefined: A3 is not made. */
  readonly saves: (id: number) => boolean | undefined;
  readonly withSaves: boolean;
  readonly options: Omit<Assumed, 'saves'>;
}
export interface Made {
  readonly code: Code;
  readonly made: Code;
  readonly assumed: Assumed;
}

/** Both forms, and what may be assumed of the original. */
export function makeOf({ was, is, folded, saves, withSaves, options }: Pair): Made {
  const { code, at, end } = original(was);
  const kept = savesIn(was).filter(saves);
  return {
    code,
    made: optimized(is, folded, end),
    assumed: { ...options, saves: withSaves ? kept.map((id) => at.get(id)!) : undefined },
  };
}

/** What the prover says, or how it fails. */
export function proved({ code, made, assumed }: Made): EntryProof | Error {
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

export interface Found {
  readonly start: Start;
  readonly how: string;
}
/** Looks for a state that shows that they differ. @param first states to try before others */
export function search(
  pair: Pair,
  made: Made,
  random: Random,
  tries: number,
  first: readonly Start[] = [],
  count: { states: number; useless: number } = { states: 0, useless: 0 },
): Found | undefined {
  const hints = hintsOf(pair.was);
  const fences = pair.was.some(({ op }) => op === 'fence');
  for (let i = -first.length; i < tries; i++) {
    const start = i < 0 ? first[i + first.length]! : randomStart(random, hints, fences && random.oneIn(2));
    const outcome = compare(made.code, made.made, start, made.assumed);
    count.states++;
    if (outcome.kind === 'useless') count.useless++;
    if (outcome.kind === 'differs') return { start, how: outcome.how };
  }
  return undefined;
}

/** Takes out what does not matter. */
export function minimised(pair: Pair, found: Found | Error): readonly [Pair, Found | Error] {
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
/** A finding as text. */
export function findingText(pair: Pair, found: Found | Error): string {
  const made = makeOf(pair);
  const result = proved(made);
  const numbered = (code: Code) =>
    programText(code)
      .split('\n')
      .map((line, i) => `  ${([...code.keys()][i]!).toString(16)}: ${line}`)
      .join('\n');
  const { saves, ...rest } = made.assumed;
  const lines = [
    `original:\n${numbered(made.code)}\noptimized:\n${numbered(made.made)}`,
    `options: ${JSON.stringify({ ...rest, saves: saves?.map((at) => at.toString(16)) })}`,
  ];
  if (found instanceof Error || result instanceof Error)
    return [...lines, found instanceof Error ? found.stack : ''].join('\n');
  const { start, how } = found;
  const used = [...new Set([...made.code.values()].flatMap(({ rs1, rs2 }) => [rs1, rs2]))].sort((a, b) => a - b);
  const registers = used.map((reg) => `x${reg}=${hexed(start.registers[reg]!)}`).join(' ');
  const pool = start.pool.map((at) => at.toString(16)).join(', ');
  return [
    ...lines,
    `proved by ${result.assumptions}`,
    `state: ${registers}; memory of seed ${start.seed}, leading to ${pool}; others store at fences: ${start.others}`,
    `difference: ${how}`,
  ].join('\n');
}

/** Four pairs of each original, without an end; the same for the same seed. */
export function* randomPairs(
  seed: number,
): Generator<{ readonly name: string; readonly pair: Pair; readonly random: Random }> {
  for (let i = 0; ; i++) {
    const random = makeRandom(Math.imul(seed, 0x9e3779b1) + i);
    const was = randomOriginal(random);
    for (let variant = 0; variant < 4; variant++) {
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
      yield {
        name: `case ${i} variant ${variant} of seed ${seed}`,
        pair: { was, is, folded, saves, withSaves: kind !== 19, options },
        random,
      };
    }
  }
}
