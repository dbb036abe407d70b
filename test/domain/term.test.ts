import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concrete, evaluate } from '../../src/domain/concrete.ts';
import { facts } from '../../src/domain/record.ts';
import { ROUND, softfloat } from '../../src/domain/softfloat.ts';
import { runTerms, type Term, Terms } from '../../src/domain/term.ts';
import { makeInsn } from '../../src/isa/encode.ts';
import type { FloatOp } from '../../src/isa/row.ts';
import { ROWS } from '../../src/isa/table.ts';
import { insnOf } from '../support/insns.ts';
import { INTEGER_EDGES } from '../support/random.ts';

const BINARY = [
  'add',
  'sub',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
  'sar',
  'mul',
  'mulhs',
  'mulhu',
  'mulhsu',
  'divs',
  'divu',
  'rems',
  'remu',
  'eq',
  'ltS',
  'ltU',
] as const;
const EXTEND = ['sext', 'zext'] as const;
const COUNT = ['clz', 'ctz', 'cpop'] as const;
const WIDTHS = [8, 16, 32] as const;

/** Amounts and masks that rules look for, besides numbers at the edges. */
const CONSTANTS = [...INTEGER_EDGES, 8n, 16n, 24n, 31n, 32n, 33n, 48n, 56n, 63n, 64n, 0xffffn, 0xffffffffn];
const value = fc.oneof(fc.constantFrom(...CONSTANTS), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }));

/** Inputs with what is known of their widths, and values that keep to it. */
const INPUTS = [
  { name: 'a', widths: {}, clip: (v: bigint) => v },
  { name: 'b', widths: {}, clip: (v: bigint) => v },
  { name: 'word', widths: { signed: 32 }, clip: (v: bigint) => BigInt.asUintN(64, BigInt.asIntN(32, v)) },
  { name: 'byte', widths: { unsigned: 8 }, clip: (v: bigint) => v & 0xffn },
  { name: 'half', widths: { unsigned: 16 }, clip: (v: bigint) => v & 0xffffn },
  { name: 'short', widths: { signed: 16 }, clip: (v: bigint) => BigInt.asUintN(64, BigInt.asIntN(16, v)) },
] as const;

type Tree =
  | { readonly kind: 'const'; readonly value: bigint }
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'binary'; readonly op: (typeof BINARY)[number]; readonly a: Tree; readonly b: Tree }
  | { readonly kind: 'extend'; readonly op: 'sext' | 'zext'; readonly bits: 8 | 16 | 32; readonly a: Tree }
  | { readonly kind: 'count'; readonly op: (typeof COUNT)[number]; readonly a: Tree }
  | { readonly kind: 'select'; readonly c: Tree; readonly a: Tree; readonly b: Tree }
  /** The same tree on both sides: many rules ask for identical operands. */
  | { readonly kind: 'twice'; readonly op: (typeof BINARY)[number]; readonly a: Tree };

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'tree' },
    { arbitrary: fc.nat(INPUTS.length - 1).map((index): Tree => ({ kind: 'input', index })), weight: 3 },
    { arbitrary: value.map((v): Tree => ({ kind: 'const', value: v })), weight: 2 },
    {
      arbitrary: fc
        .tuple(fc.constantFrom(...BINARY), tie('tree'), tie('tree'))
        .map(([op, a, b]): Tree => ({ kind: 'binary', op, a, b })),
      weight: 6,
    },
    // Shifts and masks by constants, which is where most rules are.
    {
      arbitrary: fc
        .tuple(fc.constantFrom('shl', 'shr', 'sar', 'and', 'add' as const), tie('tree'), fc.constantFrom(...CONSTANTS))
        .map(
          ([op, a, v]): Tree => ({
            kind: 'binary',
            op: op as (typeof BINARY)[number],
            a,
            b: { kind: 'const', value: v },
          }),
        ),
      weight: 6,
    },
    {
      arbitrary: fc.tuple(tie('tree'), fc.constantFrom(32n, 48n, 56n, 40n), fc.constantFrom('shr', 'sar' as const)).map(
        ([a, by, op]): Tree => ({
          kind: 'binary',
          op: op as 'shr' | 'sar',
          a: { kind: 'binary', op: 'shl', a, b: { kind: 'const', value: by } },
          b: { kind: 'const', value: by },
        }),
      ),
      weight: 2,
    },
    // What is shifted up and down again, within a word too.
    {
      arbitrary: fc
        .tuple(
          tie('tree'),
          fc.constantFrom(32n, 48n, 56n, 40n, 16n, 24n, 8n, 112n),
          fc.constantFrom(0n, 0n, 1n, 2n, 3n, 8n),
          fc.constantFrom('shr', 'sar' as const),
          fc.constantFrom('sext', 'zext', undefined),
        )
        .map(([a, by, less, op, word]): Tree => {
          const up: Tree = { kind: 'binary', op: 'shl', a, b: { kind: 'const', value: by } };
          const low: Tree = word === undefined ? up : { kind: 'extend', op: word, bits: 32, a: up };
          return { kind: 'binary', op, a: low, b: { kind: 'const', value: by - less } };
        }),
      weight: 4,
    },
    {
      arbitrary: fc
        .tuple(fc.constantFrom(...EXTEND), fc.constantFrom(...WIDTHS), tie('tree'))
        .map(([op, bits, a]): Tree => ({ kind: 'extend', op, bits, a })),
      weight: 5,
    },
    {
      arbitrary: fc.tuple(fc.constantFrom(...COUNT), tie('tree')).map(([op, a]): Tree => ({ kind: 'count', op, a })),
      weight: 1,
    },
    {
      arbitrary: fc
        .tuple(tie('tree'), tie('tree'), tie('tree'))
        .map(([c, a, b]): Tree => ({ kind: 'select', c, a, b })),
      weight: 2,
    },
    {
      arbitrary: fc.tuple(fc.constantFrom(...BINARY), tie('tree')).map(([op, a]): Tree => ({ kind: 'twice', op, a })),
      weight: 1,
    },
  ),
}));

function build(terms: Terms, node: Tree): Term {
  switch (node.kind) {
    case 'const':
      return terms.const(node.value);
    case 'input': {
      const { name, widths } = INPUTS[node.index]!;
      return terms.input(name, widths);
    }
    case 'binary':
      return terms[node.op](build(terms, node.a), build(terms, node.b));
    case 'twice':
      return terms[node.op](build(terms, node.a), build(terms, node.a));
    case 'extend':
      return terms[node.op](build(terms, node.a), node.bits);
    case 'count':
      return terms[node.op](build(terms, node.a));
    case 'select':
      return terms.select(build(terms, node.c), build(terms, node.a), build(terms, node.b));
  }
}

function compute(node: Tree, inputs: readonly bigint[]): bigint {
  switch (node.kind) {
    case 'const':
      return node.value;
    case 'input':
      return inputs[node.index]!;
    case 'binary':
      return concrete[node.op](compute(node.a, inputs), compute(node.b, inputs));
    case 'twice':
      return concrete[node.op](compute(node.a, inputs), compute(node.a, inputs));
    case 'extend':
      return concrete[node.op](compute(node.a, inputs), node.bits);
    case 'count':
      return concrete[node.op](compute(node.a, inputs));
    case 'select':
      return concrete.select(compute(node.c, inputs), compute(node.a, inputs), compute(node.b, inputs));
  }
}

const EXTENSION = /^([sz]ext)(8|16|32)$/;

/** The value of a simplified term; checks the width facts of every term on the way. */
function meaningOf(term: Term, input: (name: string) => bigint, known = new Map<Term, bigint>()): bigint {
  const seen = known.get(term);
  if (seen !== undefined) return seen;
  const args = term.args.map((arg) => meaningOf(arg, input, known));
  const extension = EXTENSION.exec(term.op);
  let result: bigint;
  if (term.op === 'const') result = term.value!;
  else if (term.op === 'input') result = input(term.name!);
  else if (term.op === 'apply') result = softfloat(term.name as FloatOp, ROUND.RNE, args[0]!, args[1], args[2]).value;
  else if (term.op === 'select') result = concrete.select(args[0]!, args[1]!, args[2]!);
  else if (extension) result = concrete[extension[1] as 'sext' | 'zext'](args[0]!, Number(extension[2]) as 8 | 16 | 32);
  else result = concrete[term.op as (typeof BINARY)[number]](args[0]!, args[1]!);
  if (BigInt.asUintN(64, BigInt.asIntN(term.signed, result)) !== result)
    throw new Error(`${term.op} = 0x${result.toString(16)} is not ${term.signed} bits signed`);
  if (BigInt.asUintN(term.unsigned, result) !== result)
    throw new Error(`${term.op} = 0x${result.toString(16)} is not ${term.unsigned} bits unsigned`);
  known.set(term, result);
  return result;
}

const inputsOf = (values: readonly bigint[]) => INPUTS.map(({ clip }, i) => clip(values[i]!));
const named = (inputs: readonly bigint[]) => (name: string) =>
  inputs[INPUTS.findIndex((input) => input.name === name)]!;
const values = fc.array(fc.tuple(value, value, value, value, value, value), { minLength: 1, maxLength: 4 });

describe('terms', () => {
  test('simplify to the same value, and are as wide as they say', () => {
    fc.assert(
      fc.property(tree, values, (node, states) => {
        const term = build(new Terms(), node);
        for (const state of states) {
          const inputs = inputsOf(state);
          expect(meaningOf(term, named(inputs))).toBe(compute(node, inputs));
        }
      }),
      { numRuns: 6_000, seed: 20 },
    );
  });

  test('every operation with every pair of constants at the edges', () => {
    const terms = new Terms();
    for (const op of BINARY)
      for (const a of INTEGER_EDGES)
        for (const b of INTEGER_EDGES) {
          const folded = terms[op](terms.const(a), terms.const(b));
          if (folded.value !== concrete[op](a, b)) expect.fail(`${op} ${a} ${b} gives ${folded.value}`);
          // One side unknown: the rule may look at the constant only.
          for (const [x, y] of [
            [a, undefined],
            [undefined, b],
          ] as const) {
            const half = terms[op](
              x === undefined ? terms.input('a') : terms.const(x),
              y === undefined ? terms.input('b') : terms.const(y),
            );
            const found = meaningOf(half, (name) => (name === 'a' ? a : b));
            if (found !== concrete[op](a, b)) expect.fail(`${op} ${x ?? 'a'} ${y ?? 'b'} gives ${found}`);
          }
        }
  });

  test('equal computations are one term', () => {
    const terms = new Terms();
    const [a, b] = [terms.input('a'), terms.input('b')];
    expect(terms.add(a, b)).toBe(terms.add(b, a));
    expect(terms.add(terms.add(a, terms.const(5n)), terms.const(-5n))).toBe(a);
    expect(terms.sub(terms.add(a, terms.const(5n)), terms.const(7n))).toBe(terms.add(a, terms.const(-2n)));
    expect(terms.sar(terms.shl(a, terms.const(32n)), terms.const(32n))).toBe(terms.sext(a, 32));
    expect(terms.shr(terms.shl(a, terms.const(48n)), terms.const(48n))).toBe(terms.zext(a, 16));
    // Shorts as compilers extend them, by shifts of the word; an index that is extended and scaled at once.
    const shift = terms.const(16n);
    expect(terms.sar(terms.sext(terms.shl(a, shift), 32), shift)).toBe(terms.sext(a, 16));
    expect(terms.sext(terms.shr(terms.zext(terms.shl(a, shift), 32), shift), 32)).toBe(terms.zext(a, 16));
    expect(terms.shr(terms.shl(a, terms.const(32n)), terms.const(30n))).toBe(
      terms.shl(terms.zext(a, 32), terms.const(2n)),
    );
    const word = terms.input('w', { signed: 32 });
    expect(terms.sext(word, 32)).toBe(word);
    expect(terms.sext(terms.zext(word, 32), 32)).toBe(word);
    const byte = terms.input('y', { unsigned: 8 });
    expect(terms.and(byte, terms.const(0xffn))).toBe(byte);
    expect(terms.zext(byte, 32)).toBe(byte);
    expect(terms.sext(byte, 32)).toBe(byte);
    expect(terms.sext(byte, 8)).not.toBe(byte);
    expect(terms.sext(terms.add(word, terms.const(1n)), 32)).not.toBe(terms.add(word, terms.const(1n)));
  });
});

describe('rows over terms', () => {
  /** Rows whose every instruction is pure: no memory, no flags, no rounding, no control. */
  const pureRows = ROWS.filter((row) => facts(makeInsn(row, { rd: row.operands.includes('fd') ? 33 : 5 })).pure);

  test('there are as many as one would think', () => expect(pureRows.length).toBeGreaterThan(50));

  test.each(pureRows.map((row) => [row.name, row] as const))('%s computes what it does over values', (_, row) => {
    fc.assert(
      fc.property(insnOf(row), value, value, value, fc.nat(2 ** 30), fc.nat(7), (insn, x, y, z, at, constants) => {
        const operands = [x, y, z];
        const pc = BigInt(at * 2);
        const terms = new Terms();
        const names = ['rs1', 'rs2', 'rs3'] as const;
        // Some operands are known, as constants, so that folding is met too; x0 is.
        const term = (i: number) =>
          insn[names[i]!] === 0 || (constants >> i) & 1
            ? terms.const(insn[names[i]!] === 0 ? 0n : operands[i]!)
            : terms.input(names[i]!);
        const { result } = runTerms(
          terms,
          insn,
          { rs1: term(0), rs2: term(1), rs3: term(2), pc: terms.add(terms.input('pc'), terms.const(4n)) },
          () => terms.input('opaque'),
        );
        const expected = evaluate(insn, { rs1: x, rs2: y, rs3: z, pc: pc + 4n });
        expect(expected).toBeDefined();
        // Nothing is opaque in a pure row: what is has no operands, and would seem the same with others.
        expect(usesInput(result!, 'opaque')).toBe(false);
        const found = meaningOf(result!, (name) => (name === 'pc' ? pc : operands[names.indexOf(name as 'rs1')]!));
        expect(found).toBe(expected);
      }),
      { numRuns: 40, seed: 7 },
    );
  });

  test('conditions of branches', () => {
    const branches = ROWS.filter((row) => row.format === 'B');
    expect(branches).toHaveLength(6);
    for (const row of branches)
      fc.assert(
        fc.property(value, value, fc.boolean(), (x, y, same) => {
          const terms = new Terms();
          const b = same ? x : y;
          const operands = { rs1: terms.input('x'), rs2: same ? terms.input('x') : terms.input('y') };
          const insn = makeInsn(row, { rs1: 5, rs2: 6, imm: 8 });
          const { condition } = runTerms(terms, insn, { ...operands, pc: terms.const(0n) }, () => terms.input('?'));
          let taken: boolean | undefined;
          const step = { rs1: () => x, rs2: () => b, branch: (c: bigint) => (taken = c !== 0n) };
          row.semantics(step as never, concrete);
          expect(meaningOf(condition!, (name) => (name === 'x' ? x : y)) !== 0n).toBe(taken);
        }),
        { numRuns: 300, seed: 3 },
      );
  });
});

const usesInput = (term: Term, name: string): boolean =>
  term.name === name || term.args.some((arg) => usesInput(arg, name));
