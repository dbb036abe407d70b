/** A fault of the optimizer's own costs the superblock that it is met with, is told, and hides from nobody. */
import { describe, expect, test } from 'vitest';
import { PASSES } from '../../passes/index.ts';
import { badOption, internal } from '../../src/base/errors.ts';
import type { Addr } from '../../src/base/units.ts';
import { emitWithout, type Failure, type Rejection } from '../../src/pipeline/failures.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { optimizeProved } from '../../src/pipeline/proved.ts';
import type { Superblock } from '../../src/superblock/form.ts';
import type { Pass } from '../../src/superblock/pass.ts';
import { rerun } from '../../src/verify/rerun.ts';
import { sample } from '../support/samples.ts';

const { image, profile, input } = sample('base64');
const whole = optimizeProved(image, profile);
const { head } = [...whole.superblocks].sort((a, b) => b.count - a.count)[0]!;

/** A pass that does something else with one superblock, among those that are right. */
const among = (change: (superblock: Superblock) => Superblock): readonly Pass[] => [
  ...PASSES.slice(0, 3),
  { name: 'faulty', description: 'fails', run: (one) => (one.head === head ? change(one) : one) },
  ...PASSES.slice(3),
];
const FAULTS: Readonly<Record<string, (superblock: Superblock) => Superblock>> = {
  'throws an internal error': () => {
    throw internal('planted');
  },
  'throws anything else': (superblock) => (superblock as unknown as { nothing: string[] }).nothing.map(String) as never,
  'breaks a law of the form': (superblock) => ({ ...superblock, ops: superblock.ops.slice(1) }),
};

describe.each(Object.entries(FAULTS))('a pass that %s in one superblock', (_, change) => {
  const passes = among(change);
  const made = optimizeProved(image, profile, { passes });

  test('costs that one: it ships in its identity form, all others as they would', () => {
    const others = (form: typeof whole) =>
      form.map.superblocks
        .filter((one) => one.head !== head)
        .map(({ head: at, identity }) => [at, identity] as const)
        .sort(([a], [b]) => a - b);
    expect(others(made)).toEqual(others(whole));
    expect(made.map.superblocks.find((one) => one.head === head)).toMatchObject({ identity: true });
    expect(made.proof.superblocks.filter(({ verdict }) => verdict !== 'proved')).toEqual([]);
    expect(rerun({ original: image, optimized: made.image, input }).differences).toEqual([]);
  });

  test('is told, as a fault of a kind of its own', () => {
    expect(made.rejected).toEqual([
      {
        head,
        form: 'identity',
        verdict: 'failed',
        reason: expect.stringMatching(/^internal error in the pass faulty: .+ \(please report this\)$/),
        counterexample: undefined,
      },
    ]);
  });

  test('is thrown where nobody asks for failures', () => {
    expect(() => optimize(image, profile, { passes })).toThrow();
  });
});

test('what is meant for the user is thrown', () => {
  const passes = among(() => {
    throw badOption('planted');
  });
  expect(() => optimizeProved(image, profile, { passes })).toThrow('planted');
});

describe('superblocks that no file can be made with', () => {
  const heads = Array.from({ length: 20 }, (_, i) => 0x1000 + i);
  /** Fails as long as one of these is there. */
  function attempt(bad: readonly Addr[], error: Error) {
    const told: Failure[] = [];
    const rejected = new Map<Addr, Rejection>();
    const emit = (without: ReadonlyMap<Addr, Rejection> = new Map()) => {
      if (bad.some((at) => without.get(at)?.form !== 'none')) throw error;
      return heads.filter((at) => without.get(at)?.form !== 'none');
    };
    const make = () =>
      emitWithout({ emit }, heads, rejected, new Set(), (failure) => {
        told.push(failure);
        rejected.set(failure.head, failure);
      });
    return { make, told };
  }
  test.each([[[0x1003]], [[0x1000, 0x1013]], [[0x1005, 0x1006, 0x1007]]])('%j are left out, and no others', (bad) => {
    const { make, told } = attempt(bad, internal('planted'));
    expect(make()).toEqual(heads.filter((at) => !bad.includes(at)));
    expect(told.map((failure) => failure.head).sort()).toEqual(bad);
    for (const { form, reason } of told) expect([form, reason]).toEqual(['none', expect.stringContaining('planted')]);
  });
  test('what is meant for the user is thrown there too', () => {
    expect(attempt([0x1003], badOption('no')).make).toThrow('no');
  });
});
