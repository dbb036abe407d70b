/** Only what is proved ships: wrong and unprovable work is planted, and what becomes of it is looked at. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { PASSES } from '../../passes/index.ts';
import { invert } from '../../passes/invert.ts';
import type { Addr } from '../../src/base/units.ts';
import { facts } from '../../src/domain/record.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { optimizeProved, type ProvedForm } from '../../src/pipeline/proved.ts';
import type { Op, Superblock } from '../../src/superblock/form.ts';
import type { Pass } from '../../src/superblock/pass.ts';
import { mapOf } from '../../src/verify/prove/prove.ts';
import { rerun } from '../../src/verify/rerun.ts';
import { sample } from '../support/samples.ts';

const base64 = sample('base64');
const branches = ({ insn }: Op) => facts(insn).control === 'branch';

/** The superblock with a branch that is entered most often. */
const hottest = optimize(base64.image, base64.profile)
  .superblocks.filter(({ ops }) => ops.some(branches))
  .sort((a, b) => b.count - a.count)[0]!.head;

/** Leaves one superblock by its first branch when it must not. */
function turnBranch(superblock: Superblock, head: Addr): Superblock {
  if (superblock.head !== head) return superblock;
  const first = superblock.ops.find(branches)!;
  const leaves = first.leaves === 'taken' ? ('untaken' as const) : ('taken' as const);
  return { ...superblock, ops: superblock.ops.map((op) => (op === first ? { ...op, leaves } : op)) };
}

/** A pass that is wrong in one superblock, among those that are right. */
const among = (wrong: Pass): readonly Pass[] => [...PASSES.slice(0, 3), wrong, ...PASSES.slice(3)];
const turning = (head: Addr): Pass => ({
  name: 'turn',
  description: 'wrong in one superblock',
  run: (superblock) => turnBranch(superblock, head),
});

/** Everything in the file is proved, and it runs as the original does. */
function expectSound({ image, proof }: ProvedForm, { image: original, input } = base64): void {
  expect(proof.superblocks.filter(({ verdict }) => verdict !== 'proved')).toEqual([]);
  expect(proof.file.flatMap(({ problems }) => problems)).toEqual([]);
  expect(rerun({ original, optimized: image, input }).differences).toEqual([]);
}

afterEach(() => vi.restoreAllMocks());

test('what is right ships as the optimizer made it', () => {
  const made = optimizeProved(base64.image, base64.profile);
  expect(made.rejected).toEqual([]);
  expect(Buffer.compare(made.bytes, optimize(base64.image, base64.profile).bytes)).toBe(0);
  expect(made.proof.superblocks.length).toBe(made.map.superblocks.length);
  expectSound(made);
});

describe('a pass that is wrong in one superblock', () => {
  const passes = among(turning(hottest));
  const made = optimizeProved(base64.image, base64.profile, { passes, proveEach: true });

  test('is named, and that superblock ships in its identity form', () => {
    expect(made.rejected).toMatchObject([{ head: hottest, form: 'identity', verdict: 'refuted', pass: 'turn' }]);
    expect(made.rejected[0]!.counterexample).toBeDefined();
    const broken = made.each!.filter(({ broken }) => broken.length > 0);
    expect(broken.map(({ pass, broken: list }) => [pass, list.map(({ head }) => head)])).toEqual([['turn', [hottest]]]);
    expect(made.each!.map(({ pass }) => pass)).toEqual([undefined, ...made.passes.map(({ name }) => name)]);
    const right = made.each!.slice(0, 4);
    expect(right.every(({ proved, superblocks }) => proved === superblocks && proved > 10)).toBe(true);
  });

  test('the file says so, and is right', () => {
    expectSound(made);
    const mapped = mapOf(base64.image, made.image).data.superblocks;
    const bad = mapped.filter(({ rejected }) => rejected !== undefined);
    expect(bad).toMatchObject([{ head: hottest, identity: true, rejected: made.rejected[0]!.reason }]);
    // What the other passes did stays.
    expect(made.passes.some(({ superblocks }) => superblocks > 0)).toBe(true);
    expect(made.passes.find(({ name }) => name === 'turn')!.superblocks).toBe(0);
  });

  test('what is refuted never ships', () => {
    const tested = optimizeProved(base64.image, base64.profile, { passes, allow: 'tested' });
    expect(tested.rejected.map(({ head, form }) => [head, form])).toEqual([[hottest, 'identity']]);
    expect(Buffer.compare(tested.bytes, made.bytes)).toBe(0);
  });
});

test('wrong in the identity form too: left out', () => {
  const right = invert.run.bind(invert);
  vi.spyOn(invert, 'run').mockImplementation((superblock, context) => turnBranch(right(superblock, context), hottest));
  const made = optimizeProved(base64.image, base64.profile);
  expect(made.rejected).toMatchObject([{ head: hottest, form: 'none' }]);
  expect(made.map.superblocks.some(({ head }) => head === hottest)).toBe(false);
  expect(made.map.superblocks.length).toBeGreaterThan(10);
  expectSound(made);
});

describe('what is right but cannot be proved', () => {
  const nbody = sample('nbody');
  let swapped: Addr | undefined;
  /** Floating-point arithmetic is a function of its operands to the prover, in their order. */
  const SWAPPED = new Set(['fadd.d', 'fmul.d']);
  const swap: Pass = {
    name: 'swap',
    description: 'changes operands round',
    run(superblock) {
      const op = superblock.ops.find(({ insn }) => SWAPPED.has(insn.row.name) && insn.rs1 !== insn.rs2);
      if (op === undefined || (swapped ?? superblock.head) !== superblock.head) return superblock;
      swapped = superblock.head;
      const [insn, rs1, rs2] = [{ ...op.insn, rs1: op.insn.rs2, rs2: op.insn.rs1 }, op.rs2!, op.rs1!];
      return { ...superblock, ops: superblock.ops.map((each) => (each === op ? { ...op, insn, rs1, rs2 } : each)) };
    },
  };
  const passes = [...PASSES, swap];

  test('does not ship', () => {
    const made = optimizeProved(nbody.image, nbody.profile, { passes });
    expect(made.rejected).toMatchObject([{ head: swapped, form: 'identity', verdict: 'unproved' }]);
    expectSound(made, nbody);
  });

  test('unless tested is allowed', () => {
    const made = optimizeProved(nbody.image, nbody.profile, { passes, allow: 'tested' });
    expect(made.rejected).toEqual([]);
    const open = made.proof.superblocks.filter(({ verdict }) => verdict !== 'proved');
    expect(open).toMatchObject([{ head: swapped, verdict: 'unproved', identity: false }]);
    expect(rerun({ original: nbody.image, optimized: made.image, input: nbody.input }).differences).toEqual([]);
  });
});
