/**
 * Exact IEEE 754 arithmetic of binary32 and binary64 in bigint, as the F and D extensions define it (unprivileged manual, chapters
 * "F" 2.2 and "D" 2.2): five rounding modes, five flags, tininess detected after rounding, canonical NaN results.
 *
 * Every operation works on exact numbers `sig * 2^exp` and rounds once, in `round`. Quotients and roots, which are inexact before, keep
 * at least two bits more than the format and a sticky lowest bit, which rounding cannot tell from the exact value.
 */
import { internal } from '../base/errors.ts';
import type { FloatOp } from '../isa/row.ts';

/** Flags as in fflags. */
export const FLAG = { NX: 1, UF: 2, OF: 4, DZ: 8, NV: 16 } as const;
/** Rounding modes as in frm and in the rm field. */
export const ROUND = { RNE: 0, RTZ: 1, RDN: 2, RUP: 3, RMM: 4, DYNAMIC: 7 } as const;

export interface FloatResult {
  /** The result: a pattern (f32: zero-extended), an integer (unsigned 64-bit form, sign-extended from its width), or 0/1. */
  readonly value: bigint;
  readonly flags: number;
}

interface Format {
  readonly width: number;
  /** Significand bits with the implicit one. */
  readonly precision: number;
  readonly maxExponent: number;
  readonly minExponent: number;
  /** Bits of the stored fraction: precision - 1. */
  readonly fractionBits: bigint;
  readonly fractionMask: bigint;
  readonly signBit: bigint;
  readonly infinity: bigint;
  readonly nan: bigint;
  readonly quietBit: bigint;
}

const format = (width: number, precision: number): Format => {
  const exponentBits = width - precision;
  const fractionBits = BigInt(precision - 1);
  const infinity = ((1n << BigInt(exponentBits)) - 1n) << fractionBits;
  const quietBit = 1n << (fractionBits - 1n);
  return {
    width,
    precision,
    maxExponent: 2 ** (exponentBits - 1) - 1,
    minExponent: 2 - 2 ** (exponentBits - 1),
    fractionBits,
    fractionMask: (1n << fractionBits) - 1n,
    signBit: 1n << BigInt(width - 1),
    infinity,
    nan: infinity | quietBit,
    quietBit,
  };
};

const F32 = format(32, 24);
const F64 = format(64, 53);

/** A number taken apart: (-1)^negative * sig * 2^exp. For infinities and NaNs sig and exp mean nothing. */
interface Parts {
  readonly kind: 'zero' | 'finite' | 'infinite' | 'nan';
  readonly signalling: boolean;
  readonly negative: boolean;
  readonly sig: bigint;
  readonly exp: number;
}

const unpack = (f: Format, raw: bigint): Parts => {
  const pattern = BigInt.asUintN(f.width, raw);
  const negative = (pattern & f.signBit) !== 0n;
  const fraction = pattern & f.fractionMask;
  const biased = Number((pattern & f.infinity) >> f.fractionBits);
  if ((pattern & f.infinity) === f.infinity) {
    if (fraction === 0n) return { kind: 'infinite', signalling: false, negative, sig: 0n, exp: 0 };
    return { kind: 'nan', signalling: (fraction & f.quietBit) === 0n, negative, sig: 0n, exp: 0 };
  }
  const quantum = f.minExponent - (f.precision - 1);
  if (biased !== 0)
    return {
      kind: 'finite',
      signalling: false,
      negative,
      sig: fraction | (f.fractionMask + 1n),
      exp: quantum + biased - 1,
    };
  return { kind: fraction === 0n ? 'zero' : 'finite', signalling: false, negative, sig: fraction, exp: quantum };
};

/** Number of bits of a non-negative bigint. */
const bitLength = (value: bigint): number => {
  if (value === 0n) return 0;
  const digits = value.toString(16);
  return digits.length * 4 - Math.clz32(Number.parseInt(digits.charAt(0), 16)) + 28;
};

/** sig / 2^drop rounded to an integer; drop may be negative (exact). */
const roundShift = (
  sig: bigint,
  drop: number,
  rounding: number,
  negative: boolean,
): { value: bigint; inexact: boolean } => {
  if (drop <= 0) return { value: sig << BigInt(-drop), inexact: false };
  const by = BigInt(drop);
  const floor = sig >> by;
  const rest = sig - (floor << by);
  if (rest === 0n) return { value: floor, inexact: false };
  const half = 1n << (by - 1n);
  let up: boolean;
  switch (rounding) {
    case ROUND.RNE:
      up = rest > half || (rest === half && (floor & 1n) === 1n);
      break;
    case ROUND.RTZ:
      up = false;
      break;
    case ROUND.RDN:
      up = negative;
      break;
    case ROUND.RUP:
      up = !negative;
      break;
    case ROUND.RMM:
      up = rest >= half;
      break;
    default:
      throw internal(`rounding mode ${rounding}`);
  }
  return { value: up ? floor + 1n : floor, inexact: true };
};

const signed = (f: Format, negative: boolean, magnitude: bigint): bigint =>
  negative ? f.signBit | magnitude : magnitude;
const zero = (f: Format, negative: boolean): FloatResult => ({ value: signed(f, negative, 0n), flags: 0 });
const infinite = (f: Format, negative: boolean, flags = 0): FloatResult => ({
  value: signed(f, negative, f.infinity),
  flags,
});
const notANumber = (f: Format, invalid: boolean): FloatResult => ({ value: f.nan, flags: invalid ? FLAG.NV : 0 });

/** Rounds a number to a format and packs the result; no other code does. sig > 0. */
const round = (f: Format, rounding: number, negative: boolean, sig: bigint, exp: number): FloatResult => {
  const length = bitLength(sig);
  const exponent = exp + length - 1;
  const lowest = f.minExponent - (f.precision - 1);
  const drop = Math.max(length - f.precision, lowest - exp);
  const { value, inexact } = roundShift(sig, drop, rounding, negative);
  // Adding the significand with its implicit bit to the biased exponent less one lets a carry out of rounding raise the exponent,
  // and covers subnormals (no implicit bit, quantum `lowest`) without a separate case.
  const magnitude = (BigInt(exp + drop - lowest) << f.fractionBits) + value;
  if (magnitude >= f.infinity) {
    const toInfinity =
      rounding === ROUND.RNE ||
      rounding === ROUND.RMM ||
      (rounding === ROUND.RDN && negative) ||
      (rounding === ROUND.RUP && !negative);
    return { value: signed(f, negative, toInfinity ? f.infinity : f.infinity - 1n), flags: FLAG.OF | FLAG.NX };
  }
  if (!inexact) return { value: signed(f, negative, magnitude), flags: 0 };
  // Tiny after rounding: rounded as if the exponent had no lower bound, the number is still below the smallest normal number.
  const tiny =
    exponent < f.minExponent - 1 ||
    (exponent === f.minExponent - 1 &&
      bitLength(roundShift(sig, length - f.precision, rounding, negative).value) <= f.precision);
  return { value: signed(f, negative, magnitude), flags: tiny ? FLAG.UF | FLAG.NX : FLAG.NX };
};

const anySignalling = (...operands: Parts[]): boolean => operands.some((part) => part.signalling);
const anyNan = (...operands: Parts[]): boolean => operands.some((part) => part.kind === 'nan');
const negate = (part: Parts): Parts => ({ ...part, negative: !part.negative });

/** The sum of two finite numbers or zeros, rounded. */
const sumFinite = (f: Format, rounding: number, a: Parts, b: Parts): FloatResult => {
  let [high, low] = a.exp >= b.exp ? [a, b] : [b, a];
  if (high.sig === 0n) [high, low] = [low, high];
  let { sig: lowSig, exp: lowExp } = low;
  // Bounds the shift below: a low operand this far under the high operand's lowest bit acts as a sticky bit, whatever its value.
  const sticky = high.exp - f.precision - 4;
  if (lowSig !== 0n && lowExp + bitLength(lowSig) <= sticky) {
    lowSig = 1n;
    lowExp = sticky;
  }
  const exp = lowSig === 0n ? high.exp : Math.min(high.exp, lowExp);
  const term = (negative: boolean, sig: bigint, from: number) => {
    const aligned = sig << BigInt(from - exp);
    return negative ? -aligned : aligned;
  };
  const sum = term(high.negative, high.sig, high.exp) + (lowSig === 0n ? 0n : term(low.negative, lowSig, lowExp));
  if (sum === 0n) return zero(f, a.negative === b.negative ? a.negative : rounding === ROUND.RDN);
  return round(f, rounding, sum < 0n, sum < 0n ? -sum : sum, exp);
};

const add = (f: Format, rounding: number, a: Parts, b: Parts): FloatResult => {
  if (anyNan(a, b)) return notANumber(f, anySignalling(a, b));
  if (a.kind === 'infinite')
    return b.kind === 'infinite' && a.negative !== b.negative ? notANumber(f, true) : infinite(f, a.negative);
  if (b.kind === 'infinite') return infinite(f, b.negative);
  return sumFinite(f, rounding, a, b);
};

/** The exact product of two finite numbers or zeros. */
const product = (a: Parts, b: Parts): Parts => {
  const sig = a.sig * b.sig;
  const kind = sig === 0n ? 'zero' : 'finite';
  return { kind, signalling: false, negative: a.negative !== b.negative, sig, exp: a.exp + b.exp };
};

/** Infinity times zero. */
const invalidProduct = (a: Parts, b: Parts): boolean =>
  (a.kind === 'infinite' && b.kind === 'zero') || (a.kind === 'zero' && b.kind === 'infinite');

const multiply = (f: Format, rounding: number, a: Parts, b: Parts): FloatResult => {
  if (anyNan(a, b)) return notANumber(f, anySignalling(a, b));
  if (invalidProduct(a, b)) return notANumber(f, true);
  const negative = a.negative !== b.negative;
  if (a.kind === 'infinite' || b.kind === 'infinite') return infinite(f, negative);
  const exact = product(a, b);
  return exact.kind === 'zero' ? zero(f, negative) : round(f, rounding, negative, exact.sig, exact.exp);
};

/** a * b + c with one rounding. Infinity times zero is invalid even when c is a quiet NaN (chapter "F", 2.2.6). */
const fused = (f: Format, rounding: number, a: Parts, b: Parts, c: Parts): FloatResult => {
  const invalid = invalidProduct(a, b);
  if (invalid || anyNan(a, b, c)) return notANumber(f, invalid || anySignalling(a, b, c));
  if (a.kind === 'infinite' || b.kind === 'infinite')
    return add(f, rounding, { ...a, kind: 'infinite', negative: a.negative !== b.negative }, c);
  return add(f, rounding, product(a, b), c);
};

const divide = (f: Format, rounding: number, a: Parts, b: Parts): FloatResult => {
  if (anyNan(a, b)) return notANumber(f, anySignalling(a, b));
  const negative = a.negative !== b.negative;
  if (a.kind === 'infinite') return b.kind === 'infinite' ? notANumber(f, true) : infinite(f, negative);
  if (b.kind === 'infinite') return zero(f, negative);
  if (b.kind === 'zero') return a.kind === 'zero' ? notANumber(f, true) : infinite(f, negative, FLAG.DZ);
  if (a.kind === 'zero') return zero(f, negative);
  const shift = Math.max(0, f.precision + 3 + bitLength(b.sig) - bitLength(a.sig));
  const dividend = a.sig << BigInt(shift);
  const quotient = dividend / b.sig;
  const sticky = quotient * b.sig === dividend ? 0n : 1n;
  return round(f, rounding, negative, quotient | sticky, a.exp - b.exp - shift);
};

/** The integer square root, rounded down. */
const integerRoot = (value: bigint): bigint => {
  let root = BigInt(Math.floor(Math.sqrt(Number(value))));
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next === root || next === root + 1n || next === root - 1n) {
      root = next;
      break;
    }
    root = next;
  }
  while (root * root > value) root--;
  while ((root + 1n) * (root + 1n) <= value) root++;
  return root;
};

const squareRoot = (f: Format, rounding: number, a: Parts): FloatResult => {
  if (a.kind === 'nan') return notANumber(f, a.signalling);
  if (a.kind === 'zero') return zero(f, a.negative);
  if (a.negative) return notANumber(f, true);
  if (a.kind === 'infinite') return infinite(f, false);
  let shift = Math.max(0, 2 * (f.precision + 3) - bitLength(a.sig));
  if ((a.exp - shift) % 2 !== 0) shift++;
  const radicand = a.sig << BigInt(shift);
  const root = integerRoot(radicand);
  const sticky = root * root === radicand ? 0n : 1n;
  return round(f, rounding, false, root | sticky, (a.exp - shift) / 2);
};

/** The order of two patterns, neither a NaN: -1, 0 or 1. */
const order = (f: Format, a: bigint, b: bigint): number => {
  // Patterns of one sign are ordered as integers; mapping negative patterns below zero makes -0 equal to +0.
  const key = (raw: bigint) => {
    const pattern = BigInt.asUintN(f.width, raw);
    return pattern & f.signBit ? -(pattern ^ f.signBit) : pattern;
  };
  const left = key(a);
  const right = key(b);
  return left < right ? -1 : left > right ? 1 : 0;
};

const compare = (f: Format, a: bigint, b: bigint, quiet: boolean, holds: (order: number) => boolean): FloatResult => {
  const left = unpack(f, a);
  const right = unpack(f, b);
  if (anyNan(left, right)) return { value: 0n, flags: !quiet || anySignalling(left, right) ? FLAG.NV : 0 };
  return { value: holds(order(f, a, b)) ? 1n : 0n, flags: 0 };
};

/** IEEE 754-2019 minimumNumber and maximumNumber: a NaN loses against a number, -0 is below +0. */
const extreme = (f: Format, a: bigint, b: bigint, sign: 1 | -1): FloatResult => {
  const left = unpack(f, a);
  const right = unpack(f, b);
  const flags = anySignalling(left, right) ? FLAG.NV : 0;
  if (left.kind === 'nan' && right.kind === 'nan') return { value: f.nan, flags };
  if (left.kind === 'nan') return { value: BigInt.asUintN(f.width, b), flags };
  if (right.kind === 'nan') return { value: BigInt.asUintN(f.width, a), flags };
  const ordered = order(f, a, b) || (left.negative === right.negative ? 0 : left.negative ? -1 : 1);
  return { value: BigInt.asUintN(f.width, ordered * sign <= 0 ? a : b), flags };
};

/** A value out of range saturates and is invalid, never inexact; a NaN gives the largest integer (chapter "F", 2.2.7, table of limits). */
const toInteger = (rounding: number, a: Parts, bits: 32 | 64, isSigned: boolean): FloatResult => {
  const least = isSigned ? -(1n << BigInt(bits - 1)) : 0n;
  const most = isSigned ? (1n << BigInt(bits - 1)) - 1n : (1n << BigInt(bits)) - 1n;
  const result = (value: bigint, flags: number) => ({ value: BigInt.asUintN(64, BigInt.asIntN(bits, value)), flags });
  if (a.kind === 'nan') return result(most, FLAG.NV);
  if (a.kind === 'infinite') return result(a.negative ? least : most, FLAG.NV);
  const { value, inexact } = roundShift(a.sig, -a.exp, rounding, a.negative);
  const integer = a.negative ? -value : value;
  if (integer < least) return result(least, FLAG.NV);
  if (integer > most) return result(most, FLAG.NV);
  return result(integer, inexact ? FLAG.NX : 0);
};

const fromInteger = (f: Format, rounding: number, raw: bigint, bits: 32 | 64, isSigned: boolean): FloatResult => {
  const value = isSigned ? BigInt.asIntN(bits, raw) : BigInt.asUintN(bits, raw);
  if (value === 0n) return zero(f, false);
  return round(f, rounding, value < 0n, value < 0n ? -value : value, 0);
};

const convert = (to: Format, rounding: number, a: Parts): FloatResult => {
  if (a.kind === 'nan') return notANumber(to, a.signalling);
  if (a.kind === 'infinite') return infinite(to, a.negative);
  if (a.kind === 'zero') return zero(to, a.negative);
  return round(to, rounding, a.negative, a.sig, a.exp);
};

type Operation = (rounding: number, a: bigint, b: bigint, c: bigint) => FloatResult;

const operationsOf = (f: Format): [string, Operation][] => {
  const name = `f${f.width}`;
  const part = (raw: bigint) => unpack(f, raw);
  const integers = [
    ['i32', 32, true],
    ['u32', 32, false],
    ['i64', 64, true],
    ['u64', 64, false],
  ] as const;
  return [
    [`${name}.add`, (rounding, a, b) => add(f, rounding, part(a), part(b))],
    [`${name}.sub`, (rounding, a, b) => add(f, rounding, part(a), negate(part(b)))],
    [`${name}.mul`, (rounding, a, b) => multiply(f, rounding, part(a), part(b))],
    [`${name}.div`, (rounding, a, b) => divide(f, rounding, part(a), part(b))],
    [`${name}.sqrt`, (rounding, a) => squareRoot(f, rounding, part(a))],
    [`${name}.fma`, (rounding, a, b, c) => fused(f, rounding, part(a), part(b), part(c))],
    [`${name}.min`, (_, a, b) => extreme(f, a, b, 1)],
    [`${name}.max`, (_, a, b) => extreme(f, a, b, -1)],
    [`${name}.eq`, (_, a, b) => compare(f, a, b, true, (order) => order === 0)],
    [`${name}.lt`, (_, a, b) => compare(f, a, b, false, (order) => order < 0)],
    [`${name}.le`, (_, a, b) => compare(f, a, b, false, (order) => order <= 0)],
    ...integers.flatMap(([integer, bits, isSigned]): [string, Operation][] => [
      [`${name}.to.${integer}`, (rounding, a) => toInteger(rounding, part(a), bits, isSigned)],
      [`${name}.from.${integer}`, (rounding, a) => fromInteger(f, rounding, a, bits, isSigned)],
    ]),
  ];
};

const OPERATIONS = new Map<string, Operation>([
  ...operationsOf(F32),
  ...operationsOf(F64),
  ['f32.from.f64', (rounding, a) => convert(F32, rounding, unpack(F64, a))],
  ['f64.from.f32', (rounding, a) => convert(F64, rounding, unpack(F32, a))],
]);

/** All operations, in a fixed order. */
export const FLOAT_OPS = [...OPERATIONS.keys()] as readonly FloatOp[];

/**
 * Performs one operation.
 * @param rounding 0..4, already resolved (never 7); ignored by operations that cannot round
 * @param a operands as in Step.float: f32 as the 32-bit pattern (higher bits are ignored), integers as 64-bit register contents
 * @returns the result and the flags it raises (FLAG bits, as in fflags)
 */
export const softfloat = (op: FloatOp, rounding: number, a: bigint, b = 0n, c = 0n): FloatResult => {
  const operation = OPERATIONS.get(op);
  if (operation === undefined) throw internal(`no floating-point operation ${op}`);
  return operation(rounding, a, b, c);
};
