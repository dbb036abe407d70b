import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { buildReport } from '../../src/report/build.ts';
import { command } from '../../src/report/shell.ts';
import { exampleInput } from './example.ts';

const schema = JSON.parse(readFileSync(new URL('../../src/report/schema.json', import.meta.url), 'utf8'));
const validate = new Ajv({ strict: true, allErrors: true }).compile(schema);

const small = exampleInput(
  [
    { name: 'a', length: 4, odd: 0, zero: 0 },
    { name: 'b', length: 2, odd: 0.5, zero: 0.5 },
  ],
  10,
);

describe('the report model', () => {
  const model = buildReport(small);

  it('fits the schema, and survives JSON unchanged', () => {
    for (const each of [
      model,
      buildReport(exampleInput()),
      buildReport({ ...small, detailed: 0, passes: [], assumptions: [] }),
      buildReport({ ...small, passes: undefined }),
    ]) {
      const plain = JSON.parse(JSON.stringify(each));
      expect(validate(plain), JSON.stringify(validate.errors)).toBe(true);
      expect(plain).toEqual(each);
    }
  });

  it('has a schema that refuses what is wrong', () => {
    const wrong = [
      { ...model, verdict: 'perhaps' },
      { ...model, bytesAdded: 1.5 },
      { ...model, extra: 1 },
      { ...model, superblocks: [{ ...model.superblocks[0], weight: undefined }] },
      { ...model, superblocks: [{ ...model.superblocks[0], head: 66_560 }] },
      { ...model, original: { ...model.original, takenBranches: -1 } },
    ];
    for (const each of wrong) expect(validate(JSON.parse(JSON.stringify(each)))).toBe(false);
  });

  it('compares the two files', () => {
    expect(model.verdict).toBe('equivalent');
    expect(model.original.instructions).toBe(843);
    expect(model.bytesAdded).toBe(model.optimized.bytes - model.original.bytes);
    // Per loop slli, srli and the jump go; per entry comes the patch's jump instead of the patched instruction; the odd way pays
    // for its stub (7 times) and, where the loop ends, for a jump (3 times: of 10 turns back, 4 come from it).
    expect(model.original.instructions - model.optimized.instructions).toBe(40 * 3 + 15 * 2 + 8 - 7 * 3 - 20 - 3);
    expect(model.ratio.instructions).toBeCloseTo(model.optimized.instructions / 843, 8);
  });

  it('accounts for every executed instruction once', () => {
    const inside = model.superblocks.reduce((sum, { weight }) => sum + weight, 0);
    const total = model.optimized.instructions;
    // Outside: main, and the patched instruction of each call.
    expect(total - inside).toBe(63 + 20);
    expect(model.coverage.inside).toBeCloseTo(inside / total, 8);
    expect(model.functions.reduce((sum, { after }) => sum + after, 0)).toBe(total);
    expect(model.functions.reduce((sum, { before }) => sum + before, 0)).toBe(843);
    // What superblocks did instead of the original is all of the original but main.
    expect(model.superblocks.reduce((sum, { instructions }) => sum + instructions.before, 0)).toBe(843 - 63);
  });

  it('shows what became of each instruction', () => {
    const loop = model.superblocks[0]!;
    expect(loop.symbol).toBe('a+0x10');
    expect(loop.count).toBe(40);
    expect(loop.exits.map(({ kind, count }) => [kind, count])).toEqual([
      ['side', 0],
      ['side', 0],
      ['loop', 30],
      ['final', 10],
    ]);
    expect(
      loop.original?.flatMap(({ lines }) => lines.map(({ text, fate }) => `${fate} ${text.split(' ')[0]}`)),
    ).toEqual([
      'kept add',
      'kept lbu',
      'kept beq',
      'sunk slli',
      'sunk srli',
      'kept andi',
      'kept bne',
      'kept xor',
      'removed jal',
      'kept addi',
      'kept blt',
    ]);
    const out = model.superblocks.find(({ symbol }) => symbol === 'a+0x44');
    expect(out?.original?.[0]?.lines.map(({ fate }) => fate)).toEqual(['changed', 'kept', 'kept', 'kept']);
    expect(out?.exits).toEqual([{ kind: 'return', site: expect.stringMatching(/^0x/), count: 10 }]);
  });

  it('is different when one input is, or when there is a difference', () => {
    const [first, ...others] = small.verify.inputs;
    const one = buildReport({
      ...small,
      verify: {
        inputs: [first!, ...others.map((each) => ({ ...each, verdict: 'different' as const }))],
        differences: [],
      },
    });
    expect(one.verdict).toBe('different');
    const two = buildReport({
      ...small,
      verify: { ...small.verify, differences: [{ input: 'x', what: 'output', expected: 'a', found: 'b' }] },
    });
    expect(two.verdict).toBe('different');
    expect(() => buildReport({ ...small, verify: { inputs: [], differences: [] } })).toThrow(
      'a report needs a verified run',
    );
  });

  it('names functions by their entries where there are no symbols', () => {
    const stripped = buildReport({
      ...small,
      original: { ...small.original, image: { ...small.original.image, symbols: [] } },
    });
    expect(stripped.functions.map(({ name }) => name)).toEqual(
      model.functions.map(({ address }) => `fn_${address.slice(2)}`),
    );
  });

  it('says how few superblocks hold most of the run', () => {
    const { coverage, superblocks, optimized } = model;
    const held = (n: number) =>
      superblocks.slice(0, n).reduce((sum, { weight }) => sum + weight, 0) / optimized.instructions;
    expect(held(coverage.superblocks50!)).toBeGreaterThanOrEqual(0.5);
    expect(held(coverage.superblocks50! - 1)).toBeLessThan(0.5);
    expect(coverage.superblocks99).toBeUndefined();
    expect(coverage.curve.at(-1)).toEqual({ superblocks: superblocks.length, share: coverage.inside });
  });
});

it('quotes commands for a shell', () => {
  expect(command(['a', 'b c', "it's", '', '--x=1', '$HOME'])).toBe("a 'b c' 'it'\\''s' '' --x=1 '$HOME'");
});
