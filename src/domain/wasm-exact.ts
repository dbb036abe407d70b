/**
 * The second step of floating point in emitted code, behind wasm-float's conditions: functions that show by error-free transformations
 * that a result is exact, or that a fused multiply-add is rounded right, and call softfloat only if they can show neither.
 *
 * TwoSum is Knuth's ("The Art of Computer Programming" 2, 4.2.2), TwoProduct Dekker's with Veltkamp's splitting ("A floating-point
 * technique for extending the available precision", 1971). TwoSum is exact unless it overflows; TwoProduct needs exponents that
 * keep the product's last bit representable and the splitting from overflowing, which `pushTame` tests.
 */
import type { ModuleBuilder } from '../base/wasm.ts';
import { Code } from '../base/wasm-code.ts';
import { F32, F64, I32, I64 } from '../base/wasm-opcodes.ts';
import type { FloatOp } from '../isa/row.ts';

/** Parameters of these functions and of softfloat's import: FLOAT_OPS index, rounding mode, three operands as patterns. */
const ROUNDING_PARAMETER = 1;
const FIRST_OPERAND = 2;
const PARAMETER_COUNT = 5;

/** The functions of a module, each made when first asked for. */
export class ExactFunctions {
  readonly #module: ModuleBuilder;
  readonly #softfloat: number;
  readonly #flagsAt: number;
  readonly #made = new Map<FloatOp, number>();

  /**
   * @param softfloat index of the imported function of the same type
   * @param flagsAt address of the i32 with the accrued flags
   */
  constructor(module: ModuleBuilder, softfloat: number, flagsAt: number) {
    this.#module = module;
    this.#softfloat = softfloat;
    this.#flagsAt = flagsAt;
  }

  /** The function for an operation; softfloat's import for operations without a transformation here. */
  of(op: FloatOp): number {
    const [width, what] = op.split('.') as ['f32' | 'f64', string];
    if (!['add', 'sub', 'mul', 'div', 'sqrt', 'fma'].includes(what)) return this.#softfloat;
    let made = this.#made.get(op);
    if (made === undefined) {
      made = this.#module.declare(this.#module.type([I32, I32, I64, I64, I64], [I64]));
      const emitter = width === 'f64' ? new Exact64(this.#flagsAt) : new Exact32(this.#flagsAt);
      const { code } = emitter;
      // Wasm rounds to nearest even only.
      code.get(ROUNDING_PARAMETER).op('i32.eqz');
      code.if();
      emitter.emit(what as Operation);
      code.end();
      for (let i = 0; i < PARAMETER_COUNT; i++) code.get(i);
      code.call(this.#softfloat);
      this.#module.define(made, code);
      this.#made.set(op, made);
    }
    return made;
  }
}

type Operation = 'add' | 'sub' | 'mul' | 'div' | 'sqrt' | 'fma';
type Halves = { readonly high: number; readonly low: number };
type NineLocals = [number, number, number, number, number, number, number, number, number];

/** The code of one function, and the algorithms over its f64 locals. */
abstract class Exact {
  readonly code = new Code(PARAMETER_COUNT);
  readonly #flagsAt: number;
  /** Operands as f64 (f32 ones widened, which is exact). */
  readonly operands: readonly [number, number, number];

  constructor(flagsAt: number) {
    this.#flagsAt = flagsAt;
    this.operands = [this.local(), this.local(), this.local()];
  }
  abstract emit(what: Operation): void;

  local(): number {
    return this.code.local(F64);
  }
  /** Pushes: is NX set? */
  pushInexact(): Code {
    return this.code.i32(this.#flagsAt).access('i32.load', 0).i32(1).op('i32.and');
  }
  /** Pushes: is |x| finite? */
  pushFinite(x: number): Code {
    return this.code.get(x).op('f64.abs').f64(Number.POSITIVE_INFINITY).op('f64.lt');
  }
  /** sum := x + y rounded, error := (x + y) - sum exactly. */
  twoSum(x: number, y: number, sum: number, error: number): void {
    const part = this.local();
    this.code.get(x).get(y).op('f64.add').tee(sum).get(x).op('f64.sub').set(part);
    this.code.get(x).get(sum).get(part).op('f64.sub', 'f64.sub');
    this.code.get(y).get(part).op('f64.sub', 'f64.add').set(error);
  }
  /** product := x * y rounded, error := (x * y) - product exactly. x and y must be tame (pushTame). */
  twoProduct(x: number, y: number, product: number, error: number): void {
    const { code } = this;
    const halves = [x, y].map((value) => {
      const high = this.local();
      const low = this.local();
      code.get(value).f64(134217729).op('f64.mul').tee(high).get(high).get(value).op('f64.sub', 'f64.sub').set(high);
      code.get(value).get(high).op('f64.sub').set(low);
      return { high, low };
    });
    const [a, b] = halves as [Halves, Halves];
    code.get(a.high).get(b.high).op('f64.mul');
    code.get(x).get(y).op('f64.mul').tee(product).op('f64.sub');
    code.get(a.high).get(b.low).op('f64.mul', 'f64.add');
    code.get(a.low).get(b.high).op('f64.mul', 'f64.add');
    code.get(a.low).get(b.low).op('f64.mul', 'f64.add').set(error);
  }
  /** Pushes: is the exponent of x between -480 and 480? */
  pushTame(x: number): Code {
    this.code.get(x).op('i64.reinterpret_f64').i64(52n).op('i64.shr_u').i64(0x7ffn).op('i64.and');
    return this.code
      .i64(BigInt(1023 - 480))
      .op('i64.sub')
      .i64(961n)
      .op('i64.lt_u');
  }
  /** Pushes: is x not a NaN? */
  pushOrdered(x: number): Code {
    return this.code.get(x).get(x).op('f64.eq');
  }
  pushZero(x: number): Code {
    return this.code.get(x).f64(0).op('f64.eq');
  }
}

class Exact64 extends Exact {
  emit(what: Operation): void {
    const { code } = this;
    for (const [i, operand] of this.operands.entries())
      code
        .get(FIRST_OPERAND + i)
        .op('f64.reinterpret_i64')
        .set(operand);
    const [x, y] = this.operands;
    const result = this.local();
    const error = this.local();
    switch (what) {
      case 'add':
      case 'sub':
        if (what === 'sub') code.get(y).op('f64.neg').set(y);
        this.twoSum(x, y, result, error);
        this.pushFinite(result);
        this.pushZero(error).op('i32.and');
        this.#returnIf(result);
        break;
      case 'mul':
        code.get(x).get(y).op('f64.mul').set(result);
        this.#zeroProduct(x, y, result);
        this.#ifTame(x, y, () => {
          this.twoProduct(x, y, result, error);
          this.pushZero(error);
          this.#returnIf(result);
        });
        break;
      case 'div':
        code.get(x).get(y).op('f64.div').set(result);
        this.pushZero(x);
        this.pushOrdered(result).op('i32.and');
        this.#returnIf(result);
        this.#exactInverse(result, y, x);
        break;
      case 'sqrt':
        code.get(x).op('f64.sqrt').set(result);
        this.pushZero(x);
        this.#returnIf(result);
        this.#exactInverse(result, result, x);
        break;
      default:
        this.#fma();
    }
  }

  #returnIf(result: number): void {
    this.code.if();
    this.code.get(result).op('i64.reinterpret_f64', 'return').end();
  }
  #ifTame(x: number, y: number, emit: () => void): void {
    this.pushTame(x);
    this.pushTame(y).op('i32.and');
    this.code.if();
    emit();
    this.code.end();
  }
  /** Returns the result if x or y is zero: the product, or a sum with the product, is then exact unless it is a NaN. */
  #zeroProduct(x: number, y: number, result: number): void {
    this.pushZero(x);
    this.pushZero(y).op('i32.or');
    this.pushOrdered(result).op('i32.and');
    this.#returnIf(result);
  }
  /** Returns the result if result * factor is exactly the operand. */
  #exactInverse(result: number, factor: number, operand: number): void {
    const product = this.local();
    const error = this.local();
    this.#ifTame(result, factor, () => {
      this.twoProduct(result, factor, product, error);
      this.pushZero(error).get(product).get(operand).op('f64.eq', 'i32.and');
      this.#returnIf(result);
    });
  }

  /**
   * x * y + z = sum + (e1 + e2) exactly, and low is e1 + e2 rounded. If low is exact, sum + low is rounded once. Else the true value
   * lies between sum + low * (1 - 2^-51) and sum + low * (1 + 2^-51), and rounding is monotonic: a result that both bounds give is right.
   */
  #fma(): void {
    const { code } = this;
    const [x, y, z] = this.operands;
    const [product, e1, sum, e2, low, e3, result, e4, other] = Array.from({ length: 9 }, () =>
      this.local(),
    ) as NineLocals;
    code.get(x).get(y).op('f64.mul').get(z).op('f64.add').set(result);
    this.#zeroProduct(x, y, result);
    this.#ifTame(x, y, () => {
      // With this bound on z every sum is far from overflow.
      code
        .get(z)
        .op('f64.abs')
        .f64(2 ** 1000)
        .op('f64.lt');
      code.if();
      this.twoProduct(x, y, product, e1);
      this.twoSum(product, z, sum, e2);
      this.twoSum(e2, e1, low, e3);
      this.pushZero(e3);
      code.if();
      // A subnormal sum is exact, so an inexact sum has a result of normal size.
      this.twoSum(sum, low, result, e4);
      this.pushZero(e4);
      this.pushInexact().op('i32.or');
      this.#returnIf(result);
      code.else();
      const bound = (to: number, factor: number) => code.get(sum).get(low).f64(factor).op('f64.mul', 'f64.add').set(to);
      bound(result, 1 + 2 ** -51);
      bound(other, 1 - 2 ** -51);
      this.pushInexact().get(result).get(other).op('f64.eq', 'i32.and');
      code
        .get(result)
        .op('f64.abs')
        .f64(2 ** -1021)
        .op('f64.ge', 'i32.and');
      this.#returnIf(result);
      code.end();
      code.end();
    });
  }
}

/** Singles, computed as doubles: products are exact, and sums nearly so. */
class Exact32 extends Exact {
  emit(what: Operation): void {
    const { code } = this;
    for (const [i, operand] of this.operands.entries())
      code
        .get(FIRST_OPERAND + i)
        .op('i32.wrap_i64', 'f32.reinterpret_i32', 'f64.promote_f32')
        .set(operand);
    const [x, y, z] = this.operands;
    const result = code.local(F32);
    const wide = this.local();
    const value = this.local();
    const error = this.local();
    switch (what) {
      case 'add':
      case 'sub':
        if (what === 'sub') code.get(y).op('f64.neg').set(y);
        this.twoSum(x, y, value, error);
        this.#narrow(value, result, wide);
        this.pushFinite(wide);
        this.pushZero(error).op('i32.and').get(wide).get(value).op('f64.eq', 'i32.and');
        break;
      case 'mul':
        code.get(x).get(y).op('f64.mul').set(value);
        this.#narrow(value, result, wide);
        code.get(wide).get(value).op('f64.eq');
        break;
      case 'div':
        // A quotient that is a single multiplies back exactly; any other quotient fails the test, even rounded twice.
        code.get(x).get(y).op('f64.div').set(value);
        this.#narrow(value, result, wide);
        code.get(wide).get(y).op('f64.mul').get(x).op('f64.eq');
        break;
      case 'sqrt':
        code.get(x).op('f64.sqrt').set(value);
        this.#narrow(value, result, wide);
        code.get(wide).get(wide).op('f64.mul').get(x).op('f64.eq');
        break;
      default: {
        // Rounding to a double first changes nothing unless the double lies in the middle between two singles.
        const product = this.local();
        code.get(x).get(y).op('f64.mul').set(product);
        this.twoSum(product, z, value, error);
        this.#narrow(value, result, wide);
        this.pushZero(error);
        code.get(wide).get(value).op('f64.eq', 'i32.and');
        this.pushInexact();
        this.pushZero(error);
        code.get(value).op('i64.reinterpret_f64').i64(0x1fff_ffffn).op('i64.and').i64(0x1000_0000n).op('i64.ne');
        code.op('i32.or', 'i32.and');
        this.pushFinite(wide).op('i32.and');
        code
          .get(wide)
          .op('f64.abs')
          .f64(2 ** -125)
          .op('f64.ge', 'i32.and');
        code.op('i32.or');
      }
    }
    code.if();
    code.get(result).op('i32.reinterpret_f32', 'i64.extend_i32_u', 'return').end();
  }

  #narrow(value: number, result: number, wide: number): void {
    this.code.get(value).op('f32.demote_f64').tee(result).op('f64.promote_f32').set(wide);
  }
}
