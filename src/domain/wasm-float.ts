/**
 * Floating point in emitted code. Wasm rounds to nearest even only and has no flags, so each operation has a condition under which
 * wasm's result is right *and* no flag can be raised that is not raised already; otherwise a slow function, which is exact, is called.
 *
 * The condition rests on inexact (NX) being sticky: once NX is set, which any real computation does soon, a finite result of normal
 * size can raise no other flag. Underflow and NX together need a result below twice the smallest normal number (twice, because
 * tininess is judged after rounding); overflow, invalid and division by zero need a result that is not finite.
 */
import { F64, I64, type OpName } from '../base/wasm-opcodes.ts';
import type { FloatOp } from '../isa/row.ts';
import { FLOAT_OPS } from './softfloat.ts';
import type { WasmDomain, WasmValue } from './wasm.ts';
import { hasFused } from './wasm-fused.ts';

/** One use of a floating-point operation. */
export interface FloatSite {
  readonly domain: WasmDomain;
  /** The rounding mode field (0..4, 7 = dynamic); undefined for instructions without one. */
  readonly rounding: number | undefined;
  /** Addresses of the i32 with the flags, and of the i32 behind it with the dynamic rounding mode. */
  readonly flagsAt: number;
  readonly roundingAt: number;
  /** Function (FLOAT_OPS index, rounding mode, a, b, c) -> value that is always right and accrues the flags. */
  slow(op: FloatOp): number;
  /** Emits the exit that is taken because the dynamic rounding mode is invalid. */
  illegal(): void;
}

/** The index by which the slow function knows an operation. */
export const floatIndex = (op: FloatOp): number => FLOAT_OPS.indexOf(op);

const NEAREST_MODE = 0;
const DYNAMIC_MODE = 7;
/** Wasm's operation that rounds to an integral number, by rounding mode field; undefined if there is none. */
const INTEGRAL_OPS: readonly (OpName | undefined)[] = ['f64.nearest', 'f64.trunc', 'f64.floor', 'f64.ceil', undefined];

const RANGES = {
  i32: { low: -(2 ** 31), high: 2 ** 31, trunc: 'i64.trunc_sat_f64_s' },
  u32: { low: 0, high: 2 ** 32, trunc: 'i64.trunc_sat_f64_s' },
  i64: { low: -(2 ** 63), high: 2 ** 63, trunc: 'i64.trunc_sat_f64_s' },
  u64: { low: 0, high: 2 ** 64, trunc: 'i64.trunc_sat_f64_u' },
} as const;

/** Emits an operation. @returns its result, as Step.float has it */
export function emitFloat(site: FloatSite, op: FloatOp, a: WasmValue, b?: WasmValue, c?: WasmValue): WasmValue {
  return new FloatEmitter(site, op, [a, b, c]).emit();
}

class FloatEmitter {
  readonly #site: FloatSite;
  readonly #op: FloatOp;
  readonly #operands: readonly (WasmValue | undefined)[];
  readonly #domain: WasmDomain;
  /** The local that gets the result. */
  readonly #result: number;

  constructor(site: FloatSite, op: FloatOp, operands: readonly (WasmValue | undefined)[]) {
    this.#site = site;
    this.#op = op;
    this.#operands = operands;
    this.#domain = site.domain;
    this.#result = this.#domain.pool.take(I64);
  }

  emit(): WasmValue {
    const [width, what, type] = this.#op.split('.') as ['f32' | 'f64', string, string | undefined];
    const { code } = this.#domain;
    if (what === 'fma' && !hasFused()) {
      // The replacement for a host without fused multiply-add is too long to be emitted at each site: the slow function has it.
      this.#slow();
    } else {
      this.#fast(width, what, type);
      // The condition is on the stack.
      code.op('i32.eqz');
      code.if();
      this.#slow();
      code.end();
    }
    return { kind: 'i64', local: this.#result };
  }

  /** Emits the fast result into the local and leaves the condition for it on the stack. */
  #fast(width: 'f32' | 'f64', what: string, type: string | undefined): void {
    const { code } = this.#domain;
    switch (what) {
      case 'add':
      case 'sub':
      case 'mul':
      case 'div':
      case 'sqrt':
        this.#arithmetic(width, what);
        return;
      case 'fma':
        code.fusedMadd(
          width,
          [0, 1, 2].map((operand) => () => this.#push(width, operand)),
        );
        this.#keep(width);
        this.#pushSticky();
        this.#pushSized(width, true);
        code.op('i32.and');
        return;
      case 'min':
      case 'max':
      case 'eq':
      case 'lt':
      case 'le':
        this.#ordered(width, what);
        return;
      case 'to':
        this.#toInteger(width, type as keyof typeof RANGES);
        return;
      default:
        if (type === 'f64') this.#narrow();
        else if (type === 'f32') this.#widen();
        else this.#fromInteger(width, type as keyof typeof RANGES);
    }
  }

  #arithmetic(width: 'f32' | 'f64', what: 'add' | 'sub' | 'mul' | 'div' | 'sqrt'): void {
    const { code } = this.#domain;
    this.#push(width, 0);
    if (what !== 'sqrt') this.#push(width, 1);
    code.op(`${width}.${what}`);
    this.#keep(width);
    this.#pushSticky();
    // A sum that is subnormal is exact, so sums need not be normal, only finite.
    this.#pushSized(width, what !== 'add' && what !== 'sub');
    code.op('i32.and');
  }

  /** min, max and comparisons: wasm's results are right, and raise no flag, unless an operand is a NaN. */
  #ordered(width: 'f32' | 'f64', what: 'min' | 'max' | 'eq' | 'lt' | 'le'): void {
    const { code } = this.#domain;
    this.#push(width, 0);
    this.#push(width, 1);
    code.op(`${width}.${what}`);
    if (what === 'min' || what === 'max') this.#keep(width);
    else code.op('i64.extend_i32_u').set(this.#result);
    for (const operand of [0, 1]) {
      this.#push(width, operand);
      this.#push(width, operand);
      code.op(`${width}.eq`);
    }
    code.op('i32.and');
  }

  #toInteger(width: 'f32' | 'f64', type: keyof typeof RANGES): void {
    const { code, pool } = this.#domain;
    const { rounding } = this.#site;
    const { low, high, trunc } = RANGES[type];
    const toIntegral = INTEGRAL_OPS[rounding === DYNAMIC_MODE ? NEAREST_MODE : (rounding ?? NEAREST_MODE)];
    if (toIntegral === undefined) {
      code.i32(0);
      return;
    }
    const value = pool.take(F64);
    const integral = pool.take(F64);
    this.#push(width, 0);
    if (width === 'f32') code.op('f64.promote_f32');
    code.tee(value).op(toIntegral).tee(integral).truncSat(trunc);
    // 32-bit results are sign-extended, unsigned ones too.
    if (type === 'u32') code.op('i64.extend32_s');
    code.set(this.#result);
    // Comparisons with a NaN are false.
    code.get(integral).f64(low).op('f64.ge').get(integral).f64(high).op('f64.lt', 'i32.and');
    code.get(integral).get(value).op('f64.eq');
    this.#pushFlag();
    code.op('i32.or', 'i32.and');
    if (rounding === DYNAMIC_MODE) {
      this.#pushNearest();
      code.op('i32.and');
    }
  }

  #fromInteger(width: 'f32' | 'f64', type: keyof typeof RANGES): void {
    const { code } = this.#domain;
    const unsigned = type === 'u64';
    this.#pushInteger();
    code.op(unsigned ? `${width}.convert_i64_u` : `${width}.convert_i64_s`);
    this.#keep(width);
    const bits = width === 'f64' ? 53n : 24n;
    this.#pushNearest();
    if (width === 'f64' && (type === 'i32' || type === 'u32')) return;
    // Integers up to 2^bits in magnitude, all that the significand holds, are converted exactly.
    this.#pushInteger();
    if (unsigned) code.i64((1n << bits) + 1n).op('i64.lt_u');
    else
      code
        .i64(1n << bits)
        .op('i64.add')
        .i64((1n << (bits + 1n)) + 1n)
        .op('i64.lt_u');
    this.#pushFlag();
    code.op('i32.or', 'i32.and');
  }

  #narrow(): void {
    const { code } = this.#domain;
    this.#push('f64', 0);
    code.op('f32.demote_f64');
    this.#keep('f32');
    this.#pushSticky();
    this.#pushSized('f32', true);
    code.op('i32.and');
    // An exact result is right in every mode; the test for nearest even makes the slow function notice an invalid mode.
    code.get(this.#result).op('i32.wrap_i64', 'f32.reinterpret_i32', 'f64.promote_f32');
    this.#push('f64', 0);
    code.op('f64.eq');
    this.#pushNearest();
    code.op('i32.and', 'i32.or');
  }

  #widen(): void {
    const { code } = this.#domain;
    this.#push('f32', 0);
    code.op('f64.promote_f32');
    this.#keep('f64');
    this.#push('f32', 0);
    this.#push('f32', 0);
    code.op('f32.eq');
    this.#pushNearest();
    code.op('i32.and');
  }

  #slow(): void {
    const { code } = this.#domain;
    const { rounding, roundingAt, slow } = this.#site;
    if (rounding === DYNAMIC_MODE) {
      code.i32(roundingAt).access('i32.load', 0).i32(4).op('i32.gt_u');
      code.if();
      this.#site.illegal();
      code.end();
    }
    code.i32(floatIndex(this.#op));
    if (rounding === DYNAMIC_MODE) code.i32(roundingAt).access('i32.load', 0);
    else code.i32(rounding ?? NEAREST_MODE);
    for (const operand of this.#operands) {
      if (operand === undefined) code.i64(0n);
      else this.#domain.push(operand);
    }
    code.call(slow(this.#op)).set(this.#result);
  }

  #pushInteger(): void {
    this.#domain.push(this.#operands[0]!);
  }
  /** Pushes an operand as a floating-point number. */
  #push(width: 'f32' | 'f64', operand: number): void {
    const code = this.#domain.push(this.#operands[operand]!);
    if (width === 'f64') code.op('f64.reinterpret_i64');
    else code.op('i32.wrap_i64', 'f32.reinterpret_i32');
  }
  /** Makes the number on the stack the result. */
  #keep(width: 'f32' | 'f64'): void {
    const { code } = this.#domain;
    if (width === 'f64') code.op('i64.reinterpret_f64');
    else code.op('i32.reinterpret_f32', 'i64.extend_i32_u');
    code.set(this.#result);
  }
  /** Pushes: is the rounding mode to nearest even, and NX set? */
  #pushSticky(): void {
    const { code } = this.#domain;
    const { rounding, flagsAt } = this.#site;
    if (rounding === DYNAMIC_MODE)
      code.i32(flagsAt).access('i64.load', 0).i64(0x7_0000_0001n).op('i64.and').i64(1n).op('i64.eq');
    else if (rounding === NEAREST_MODE) this.#pushFlag();
    else code.i32(0);
  }
  /** Pushes: is NX set? (1 or 0) */
  #pushFlag(): void {
    this.#domain.code.i32(this.#site.flagsAt).access('i32.load', 0).i32(1).op('i32.and');
  }
  /** Pushes: is the rounding mode to nearest even? */
  #pushNearest(): void {
    const { code } = this.#domain;
    const { rounding, roundingAt } = this.#site;
    if (rounding === DYNAMIC_MODE) code.i32(roundingAt).access('i32.load', 0).op('i32.eqz');
    else code.i32(rounding === NEAREST_MODE ? 1 : 0);
  }
  /** Pushes: is the result finite and, if `normal`, at least twice the smallest normal number? */
  #pushSized(width: 'f32' | 'f64', normal: boolean): void {
    const { code } = this.#domain;
    const [fraction, top] = width === 'f64' ? [53n, 0x7ffn] : [24n, 0xffn];
    code.get(this.#result).i64(1n).op('i64.shl');
    // The shift has moved the sign of a single's pattern to bit 32.
    if (width === 'f32') code.i64(0xffff_ffffn).op('i64.and');
    if (normal) code.i64(2n << fraction).op('i64.sub');
    code.i64((top - (normal ? 2n : 0n)) << fraction).op('i64.lt_u');
  }
}
