/** Terms as a solver sees them, and what it adds to the prover. Asks the solver itself: the package z3-solver, left out where it is not installed. */
import { describe, expect, test } from 'vitest';
import { concrete } from '../../src/domain/concrete.ts';
import { type Term, Terms } from '../../src/domain/term.ts';
import type { Fact, Facts } from '../../src/verify/prove/facts.ts';
import { type Goal, goalText } from '../../src/verify/prove/smt.ts';
import { hasSolver, makeSolver } from '../../src/verify/prove/solver.ts';
import { proveEntry } from '../../src/verify/prove/superblock.ts';
import { entry, proof, sidesOf } from '../support/prove-pieces.ts';
import { INTEGER_EDGES, makeRandom } from '../support/random.ts';
import { leaveOut } from '../support/tools.ts';

const BINARY = 'add sub and or xor shl shr sar mul mulhs mulhu mulhsu divs divu rems remu eq ltS ltU'.split(' ') as (
  | 'add'
  | 'sub'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shr'
  | 'sar'
  | 'mul'
  | 'mulhs'
  | 'mulhu'
  | 'mulhsu'
  | 'divs'
  | 'divu'
  | 'rems'
  | 'remu'
  | 'eq'
  | 'ltS'
  | 'ltU'
)[];
const COUNT = ['clz', 'ctz', 'cpop'] as const;
const WIDTHS = [8, 16, 32] as const;

const factsOf = (...list: Fact[]): Facts => list.reduce<Facts>((rest, item) => ({ item, rest }), undefined);

test('a script declares what is unknown once, states its width, and that the goal does not hold', () => {
  const terms = new Terms();
  const byte = terms.input('byte', { unsigned: 8 });
  const loaded = terms.apply('load8', [terms.input('memory'), byte]);
  const facts = factsOf({ condition: terms.ltU(byte, terms.const(9n)), holds: true });
  const text = goalText({ facts, oneOf: [[loaded, terms.add(loaded, byte)]] });
  expect(text.match(/declare-fun/g)).toHaveLength(3);
  expect(text).toContain('(assert (= t1 ((_ zero_extend 56) ((_ extract 7 0) t1))))');
  expect(text.trimEnd().split('\n').at(-1)).toBe('(assert (distinct t4 t5))');
});

if (!hasSolver()) leaveOut('the solver', "needs npm's z3-solver, not installed");
describe.runIf(hasSolver())('with a solver', () => {
  const solver = makeSolver();

  test('every operation means there what it means in the concrete domain', () => {
    const random = makeRandom(5);
    const values = [...INTEGER_EDGES, 63n, 64n, 0x123456789abcdef0n, 0xfedcba9876543210n];
    const goals: Goal[] = [];
    const add = (value: bigint, of: (terms: Terms, x: Term, y: Term, z: Term) => Term, xyz: readonly bigint[]) => {
      const terms = new Terms();
      const inputs = ['x', 'y', 'z'].map((name) => terms.input(name));
      const facts = factsOf(
        ...inputs.map((input, i) => ({ condition: terms.eq(input, terms.const(xyz[i]!)), holds: true })),
      );
      const result = of(terms, inputs[0]!, inputs[1]!, inputs[2]!);
      goals.push({ facts, oneOf: [[result, terms.const(value)]] });
      goals.push({ facts, oneOf: [[result, terms.const(value ^ 1n)]] });
    };
    const any = () => values[random.below(values.length)]!;
    for (let round = 0; round < 6; round++) {
      const [x, y, z] = [any(), round === 0 ? 0n : any(), any()];
      for (const op of BINARY) add(concrete[op](x, y), (terms, a, b) => terms[op](a, b), [x, y, z]);
      for (const op of COUNT) add(concrete[op](x), (terms, a) => terms[op](a), [x, y, z]);
      for (const bits of WIDTHS) {
        add(concrete.sext(x, bits), (terms, a) => terms.sext(a, bits), [x, y, z]);
        add(concrete.zext(x, bits), (terms, a) => terms.zext(a, bits), [x, y, z]);
      }
      add(concrete.select(x, y, z), (terms, a, b, c) => terms.select(a, b, c), [x, y, z]);
    }
    const answers = solver.holds(goals);
    const wrong = goals.filter((_, index) => answers[index] !== (index % 2 === 0)).map(goalText);
    expect(wrong).toEqual([]);
  });

  test('what nothing is known of is equal for equal operands only; its width is known', () => {
    const terms = new Terms();
    const [x, y] = [terms.input('x'), terms.input('y')];
    const same = factsOf({ condition: terms.eq(x, y), holds: true });
    const f = (a: Term) => terms.apply('load1', [terms.input('memory'), a], { unsigned: 8 });
    const small: [Term, Term] = [terms.ltU(f(x), terms.const(256n)), terms.const(1n)];
    const goals: Goal[] = [
      { facts: same, oneOf: [[f(x), f(y)]] },
      { facts: undefined, oneOf: [[f(x), f(y)]] },
      { facts: undefined, oneOf: [small] },
      {
        facts: factsOf({ condition: terms.ltU(x, y), holds: true }, { condition: terms.ltU(y, x), holds: true }),
        oneOf: [],
      },
      { facts: factsOf({ condition: terms.ltU(x, y), holds: true }), oneOf: [] },
    ];
    expect(solver.holds(goals)).toEqual([true, false, true, true, false]);
  });

  const solved = (original: string, optimized: string) => {
    expect(proof(original, optimized).verdict).toBe('unproved');
    return proveEntry(sidesOf(original, optimized), entry, solver);
  };

  test('values that rewriting does not make the same', () => {
    const original = 'and a3,a0,a1\n or a4,a0,a1\n add a2,a3,a4\n addi a3,zero,0\n addi a4,zero,0';
    const sum = 'add a2,a0,a1\n addi a3,zero,0\n addi a4,zero,0\n jal zero,0x1014';
    expect(solved(original, sum)).toMatchObject({ verdict: 'proved', solved: 1, assumptions: [] });
    expect(solved(original, sum.replace('add a2', 'sub a2')).verdict).toBe('unproved');
  });

  test('what is stored, and where', () => {
    const original = 'and a3,a0,a1\n or a4,a0,a1\n add a3,a3,a4\n sd a3,0(a3)\n addi a3,zero,0\n addi a4,zero,0';
    const sum = 'add a3,a0,a1\n sd a3,0(a3)\n addi a3,zero,0\n addi a4,zero,0\n jal zero,0x1018';
    expect(solved(original, sum)).toMatchObject({ verdict: 'proved' });
    expect(solved(original, sum.replace('sd a3,0(a3)', 'sd a3,8(a3)')).verdict).toBe('unproved');
    expect(solved(original, sum.replace('sd a3,0(a3)', 'sd a0,0(a3)')).verdict).toBe('unproved');
  });

  test('a branch that arithmetic decides', () => {
    const original = 'andi a2,a0,7\n sltiu a3,a2,12\n beq a3,zero,0x1800\n addi a4,a4,1';
    const known = 'andi a2,a0,7\n addi a3,zero,1\n addi a4,a4,1\n jal zero,0x1010';
    expect(solved(original, known)).toMatchObject({ verdict: 'proved' });
    expect(solved(original.replace('a2,12', 'a2,7'), known).verdict).toBe('unproved');
  });

  test('a load above the guard that makes it safe is refused all the same', () => {
    const original = 'beq a0,zero,0x1800\n ld a1,0(a0)';
    const above = 'ld a2,0(a0)\n beq a0,zero,0x9010\n addi a1,a2,0\n jal zero,0x1008\n jal zero,0x1800';
    expect(solved(original, above).verdict).toBe('unproved');
  });
});

test('a goal is asked once; no answer is none', () => {
  const terms = new Terms();
  const goals = ['x', 'y', 'z'].map(
    (name): Goal => ({ facts: undefined, oneOf: [[terms.input(name), terms.input('w')]] }),
  );
  const asked: number[] = [];
  const solver = makeSolver((scripts) => {
    asked.push(scripts.length);
    return [true];
  });
  // The three differ in names only, which a script does not have.
  expect(solver.holds(goals)).toEqual([true, true, true]);
  const known = { facts: factsOf({ condition: terms.input('x'), holds: true }), oneOf: [] };
  const wide: Goal = { facts: undefined, oneOf: [[terms.add(terms.input('x'), terms.input('w')), terms.input('w')]] };
  expect(solver.holds([known, wide, goals[0]!])).toEqual([true, false, true]);
  expect(asked).toEqual([1, 2]);
});
