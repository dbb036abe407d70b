/** Fuel and bisecting: so much fuel, so many rewrites; a bad rewrite that is planted among good ones is found. */
import { describe, expect, test } from 'vitest';
import { PASSES } from '../../passes/index.ts';
import { makeFuel } from '../../src/base/fuel.ts';
import type { Addr } from '../../src/base/units.ts';
import { facts } from '../../src/domain/record.ts';
import type { Image } from '../../src/elf/image.ts';
import { invertBranch } from '../../src/isa/idioms.ts';
import { bisect, firstBad } from '../../src/pipeline/bisect.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import type { Pass } from '../../src/superblock/pass.ts';
import { sample } from '../support/samples.ts';

/** A sample on the beginning of its input: many runs are made. */
const short = () => {
  const { image, input } = sample('base64');
  const stdin = input.stdin.subarray(0, 3000);
  return { image, stdin, ...runOf(image, stdin) };
};

function runOf(image: Image, stdin: Uint8Array) {
  const out: Buffer[] = [];
  const { profile, exit } = profileRun({
    image,
    input: { stdin },
    limitInstructions: 2 ** 21,
    sink: (_, bytes) => {
      out.push(Buffer.from(bytes));
    },
  });
  return {
    profile: profileOf(profile, image),
    result: `${JSON.stringify(exit)}${Buffer.concat(out).toString('latin1')}`,
  };
}

describe('fuel', () => {
  const { image, profile } = short();
  const make = (limit?: number) => {
    const fuel = makeFuel(limit);
    return { fuel, made: optimize(image, profile, { fuel }) };
  };
  const all = make();

  test('so much fuel, so many rewrites, up to all there are', () => {
    expect(all.fuel.spent).toBeGreaterThan(50);
    for (const limit of [0, 7, all.fuel.spent - 1, all.fuel.spent + 10])
      expect(make(limit).fuel.spent).toBe(Math.min(limit, all.fuel.spent));
    expect(Buffer.compare(make(all.fuel.spent).made.bytes, all.made.bytes)).toBe(0);
  });

  test('none is as no pass at all', () => {
    const none = optimize(image, profile, { passes: 'none' });
    expect(Buffer.compare(make(0).made.bytes, none.bytes)).toBe(0);
  });

  test('one more rewrite changes one superblock at most', () => {
    const texts = (limit: number) =>
      new Map(make(limit).made.superblocks.map((s) => [s.head, JSON.stringify(s, show)]));
    for (const limit of [20]) {
      const [before, after] = [texts(limit), texts(limit + 1)];
      const changed = [...after].filter(([head, text]) => before.get(head) !== text);
      expect(changed.length).toBeLessThanOrEqual(1);
    }
  });
});

const show = (_: string, value: unknown) =>
  typeof value === 'bigint' ? `${value}` : value instanceof Map ? [...value] : value;

describe('bisecting', () => {
  test('the first number that is bad', () => {
    for (const bad of [1, 2, 17, 99, 100]) expect(firstBad(0, 100, (n) => n >= bad)).toBe(bad);
  });

  test('a bad rewrite among good ones', () => {
    const { image, stdin, profile, result } = short();
    let planted: Addr | undefined;
    /** Turns round the branch of one hot superblock and not what it leaves for, after other rewrites of the same kind that are right. */
    const bad: Pass = {
      name: 'bad',
      description: 'right but once',
      run(superblock, { fuel }) {
        const op = superblock.ops.find((each) => facts(each.insn).control === 'branch');
        if (op === undefined || !fuel.spend('bad', superblock.head)) return superblock;
        const wrong = superblock.head === planted;
        const leaves = op.leaves === 'taken' ? ('untaken' as const) : ('taken' as const);
        const changed = { ...op, insn: invertBranch(op.insn), leaves: wrong ? op.leaves! : leaves };
        return { ...superblock, ops: superblock.ops.map((each) => (each === op ? changed : each)) };
      },
    };
    const request = {
      image,
      profile,
      options: { passes: [...PASSES, bad] },
      equivalent: (form: Image) => runOf(form, stdin).result === result,
    };
    expect(bisect(request).kind).toBe('equivalent');

    const hot = optimize(image, profile).superblocks;
    const branching = hot.filter((s) => s.ops.some((op) => facts(op.insn).control === 'branch'));
    planted = branching.sort((a, b) => b.count - a.count)[0]!.head;
    const found = bisect(request);
    expect(found).toMatchObject({ kind: 'found', rewrite: `bad@0x${planted.toString(16)}` });
    if (found.kind !== 'found') return;
    expect(found.fuel).toBeLessThanOrEqual(found.rewrites);
    expect(found.before.head).toBe(planted);
    expect(found.after.head).toBe(planted);
    expect(JSON.stringify(found.before, show)).not.toBe(JSON.stringify(found.after, show));
  });
});
