import { describe, expect, it } from 'vitest';
import { FLAG, FLOAT_OPS, ROUND, softfloat } from '../../src/domain/softfloat.ts';
import type { FloatOp } from '../../src/isa/row.ts';
import { doublePatterns, makeRandom, singlePatterns } from '../support/random.ts';

const buffer = new DataView(new ArrayBuffer(8));
const toDouble = (pattern: bigint): number => {
  buffer.setBigUint64(0, pattern);
  return buffer.getFloat64(0);
};
const fromDouble = (value: number): bigint => {
  if (Number.isNaN(value)) return 0x7ff8000000000000n;
  buffer.setFloat64(0, value);
  return buffer.getBigUint64(0);
};
const toSingle = (pattern: bigint): number => {
  buffer.setUint32(0, Number(pattern));
  return buffer.getFloat32(0);
};
const fromSingle = (value: number): bigint => {
  if (Number.isNaN(value)) return 0x7fc00000n;
  buffer.setFloat32(0, value);
  return BigInt(buffer.getUint32(0));
};

/** The host's own arithmetic: round to nearest even; for one binary32 operation, rounding a binary64 result again is exact (Figueroa). */
const HOST: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  sqrt: (a) => Math.sqrt(a),
};

describe('softfloat', () => {
  for (const [name, host] of Object.entries(HOST)) {
    it(`f64.${name} and f32.${name} give what the host gives`, () => {
      const random = makeRandom(1);
      for (let i = 0; i < 2000; i++) {
        const a = random.choose(doublePatterns(random));
        const b = random.choose(doublePatterns(random));
        const got = softfloat(`f64.${name}` as FloatOp, ROUND.RNE, a, b).value;
        expect(got, `${name} ${a.toString(16)} ${b.toString(16)}`).toBe(fromDouble(host(toDouble(a), toDouble(b))));
        const c = random.choose(singlePatterns(random));
        const d = random.choose(singlePatterns(random));
        const single = softfloat(`f32.${name}` as FloatOp, ROUND.RNE, c, d).value;
        expect(single, `${name} ${c.toString(16)} ${d.toString(16)}`).toBe(fromSingle(host(toSingle(c), toSingle(d))));
      }
    });
  }

  it('rounds the fused product once, and directed results enclose the exact one', () => {
    const random = makeRandom(2);
    // Exact value of a finite pattern as an integer multiple of 2^-2200, so that sums of products are plain integers.
    const exact = (pattern: bigint, scale: bigint): bigint => {
      const biased = (pattern >> 52n) & 0x7ffn;
      const fraction = pattern & 0xfffffffffffffn;
      const sig = biased === 0n ? fraction : fraction | (1n << 52n);
      const exp = (biased === 0n ? 1n : biased) - 1075n + scale;
      return (pattern >> 63n ? -sig : sig) << exp;
    };
    const finite = (pattern: bigint) => ((pattern >> 52n) & 0x7ffn) !== 0x7ffn;
    let checked = 0;
    for (let i = 0; i < 2500; i++) {
      const [a, b, c] = [0, 0, 0].map(() => random.choose(doublePatterns(random))) as [bigint, bigint, bigint];
      if (!finite(a) || !finite(b) || !finite(c)) continue;
      const truth = exact(a, 1100n) * exact(b, 1100n) + exact(c, 2200n);
      const by = (rounding: number) => softfloat('f64.fma', rounding, a, b, c);
      const down = by(ROUND.RDN);
      const up = by(ROUND.RUP);
      const nearest = by(ROUND.RNE);
      const away = by(ROUND.RMM);
      expect([down.value, up.value]).toContain(nearest.value);
      expect([down.value, up.value]).toContain(away.value);
      expect([down.value, up.value]).toContain(by(ROUND.RTZ).value);
      if (!finite(down.value) || !finite(up.value)) continue;
      const low = exact(down.value, 2200n);
      const high = exact(up.value, 2200n);
      expect(low <= truth && truth <= high).toBe(true);
      expect(down.flags & FLAG.NX).toBe(low === truth ? 0 : FLAG.NX);
      if (low === high) continue;
      checked++;
      const middle = low + high - 2n * truth;
      if (middle !== 0n) expect(nearest.value).toBe(middle > 0n ? down.value : up.value);
      else {
        expect(nearest.value & 1n).toBe(0n);
        expect(away.value).toBe(down.value >> 63n ? down.value : up.value);
      }
      const toward = truth < 0n ? up.value : down.value;
      expect(by(ROUND.RTZ).value).toBe(toward);
    }
    expect(checked).toBeGreaterThan(500);
  });

  const INF = 0x7ff0000000000000n;
  const QNAN = 0x7ff8000000000000n;
  const SNAN = 0x7ff0000000000001n;
  const ONE = 0x3ff0000000000000n;
  const NEG = 1n << 63n;
  const LEAST_NORMAL = 0x0010000000000000n;
  const MAX = 0x7fefffffffffffffn;
  const I64_MAX = (1n << 63n) - 1n;
  const U64_MAX = (1n << 64n) - 1n;
  const cases: [string, FloatOp, number, bigint[], bigint, number][] = [
    ['infinity times zero is invalid even with a quiet NaN', 'f64.fma', 0, [INF, 0n, QNAN], QNAN, FLAG.NV],
    ['a quiet NaN is quiet', 'f64.add', 0, [QNAN, ONE], QNAN, 0],
    ['a NaN result is canonical', 'f64.mul', 0, [0xfff8000000001234n, ONE], QNAN, 0],
    ['a signalling NaN is invalid', 'f64.mul', 0, [SNAN, ONE], QNAN, FLAG.NV],
    ['1/0', 'f64.div', 0, [ONE, NEG], INF | NEG, FLAG.DZ],
    ['0/0', 'f64.div', 0, [0n, 0n], QNAN, FLAG.NV],
    ['x - x is +0', 'f64.sub', ROUND.RNE, [ONE, ONE], 0n, 0],
    ['x - x is -0 when rounding down', 'f64.sub', ROUND.RDN, [ONE, ONE], NEG, 0],
    ['-0 - +0', 'f64.sub', ROUND.RNE, [NEG, 0n], NEG, 0],
    ['overflow to infinity', 'f64.add', ROUND.RNE, [MAX, MAX], INF, FLAG.OF | FLAG.NX],
    ['overflow toward zero', 'f64.add', ROUND.RTZ, [MAX, MAX], MAX, FLAG.OF | FLAG.NX],
    ['overflow downward, negative', 'f64.add', ROUND.RDN, [MAX | NEG, MAX | NEG], INF | NEG, FLAG.OF | FLAG.NX],
    ['overflow upward, negative', 'f64.add', ROUND.RUP, [MAX | NEG, MAX | NEG], MAX | NEG, FLAG.OF | FLAG.NX],
    // 2^-1022 * (1 - 2^-53) rounds up to the least normal number, but with an unbounded exponent it would be exact: tiny.
    ['tiny, rounded up to normal', 'f64.mul', 0, [LEAST_NORMAL, 0x3fefffffffffffffn], LEAST_NORMAL, FLAG.UF | FLAG.NX],
    // (2^-1022 - 2^-1074) * (1 + 2^-52) = 2^-1022 - 2^-1126: with an unbounded exponent it rounds up to 2^-1022, so it is not tiny.
    ['not tiny after rounding', 'f64.mul', 0, [0x000fffffffffffffn, 0x3ff0000000000001n], LEAST_NORMAL, FLAG.NX],
    ['half the least subnormal, to even', 'f64.mul', 0, [1n, 0x3fe0000000000000n], 0n, FLAG.UF | FLAG.NX],
    [
      'half the least subnormal, to max magnitude',
      'f64.mul',
      ROUND.RMM,
      [1n, 0x3fe0000000000000n],
      1n,
      FLAG.UF | FLAG.NX,
    ],
    ['exact subnormal raises nothing', 'f64.mul', 0, [LEAST_NORMAL, 0x3fe0000000000000n], 0x0008000000000000n, 0],
    ['sqrt(-0)', 'f64.sqrt', 0, [NEG], NEG, 0],
    ['sqrt(-1)', 'f64.sqrt', 0, [ONE | NEG], QNAN, FLAG.NV],
    ['min(-0, +0)', 'f64.min', 0, [0n, NEG], NEG, 0],
    ['max(-0, +0)', 'f64.max', 0, [NEG, 0n], 0n, 0],
    ['min(NaN, 1)', 'f64.min', 0, [QNAN, ONE], ONE, 0],
    ['min(sNaN, 1)', 'f64.min', 0, [SNAN, ONE], ONE, FLAG.NV],
    ['max(NaN, NaN)', 'f64.max', 0, [QNAN | NEG, QNAN], QNAN, 0],
    ['feq is quiet', 'f64.eq', 0, [QNAN, ONE], 0n, 0],
    ['feq of a signalling NaN', 'f64.eq', 0, [SNAN, ONE], 0n, FLAG.NV],
    ['flt is signalling', 'f64.lt', 0, [QNAN, ONE], 0n, FLAG.NV],
    ['-0 <= +0 and back', 'f64.le', 0, [0n, NEG], 1n, 0],
    ['-0 is not below +0', 'f64.lt', 0, [NEG, 0n], 0n, 0],
    ['NaN to i64', 'f64.to.i64', 0, [QNAN | NEG], I64_MAX, FLAG.NV],
    ['NaN to u32 is sign-extended', 'f64.to.u32', 0, [QNAN], U64_MAX, FLAG.NV],
    ['-infinity to i32', 'f64.to.i32', 0, [INF | NEG], 0xffffffff80000000n, FLAG.NV],
    ['-0.5 to u64 toward zero', 'f64.to.u64', ROUND.RTZ, [0xbfe0000000000000n], 0n, FLAG.NX],
    ['-0.5 to u64 downward', 'f64.to.u64', ROUND.RDN, [0xbfe0000000000000n], 0n, FLAG.NV],
    ['2^63 to i64', 'f64.to.i64', 0, [0x43e0000000000000n], I64_MAX, FLAG.NV],
    ['-2^63 to i64', 'f64.to.i64', 0, [0xc3e0000000000000n], 1n << 63n, 0],
    ['2.5 to i32, ties to even', 'f64.to.i32', ROUND.RNE, [0x4004000000000000n], 2n, FLAG.NX],
    ['2.5 to i32, ties away', 'f64.to.i32', ROUND.RMM, [0x4004000000000000n], 3n, FLAG.NX],
    ['3000000000 to u32', 'f64.to.u32', 0, [0x41e65a0bc0000000n], 0xffffffffb2d05e00n, 0],
    ['u64 max to f64', 'f64.from.u64', 0, [U64_MAX], 0x43f0000000000000n, FLAG.NX],
    ['i32 takes the low word', 'f64.from.i32', 0, [0x1ffffffffn], ONE | NEG, 0],
    ['0 from an integer is +0 in every mode', 'f32.from.i64', ROUND.RDN, [0n], 0n, 0],
    ['i64 to f32 rounds once', 'f32.from.i64', 0, [0x4000004000000001n], 0x5e800001n, FLAG.NX],
    ['narrowing a signalling NaN', 'f32.from.f64', 0, [SNAN], 0x7fc00000n, FLAG.NV],
    ['widening a subnormal', 'f64.from.f32', 0, [1n], 0x36a0000000000000n, 0],
  ];
  for (const [title, op, rounding, operands, value, flags] of cases) {
    it(title, () => {
      const [a = 0n, b, c] = operands;
      expect(softfloat(op, rounding, a, b, c)).toEqual({ value, flags });
    });
  }

  it('knows every operation the rows use, and no other', () => {
    expect(new Set(FLOAT_OPS).size).toBe(40);
    expect(() => softfloat('f64.pow' as FloatOp, 0, 0n)).toThrow(/f64.pow/);
  });
});
