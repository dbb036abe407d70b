/**
 * The wasm domain: running a row's semantics over this domain emits code. Each operation is emitted at once and its result kept in a
 * local, so that effects stay in the row's order and a value can be used any number of times; constants stay constants until used.
 */

import { MASK64 } from '../base/bits.ts';
import type { Code } from '../base/wasm-code.ts';
import { I32, I64, type OpName, type ValueType } from '../base/wasm-opcodes.ts';
import type { Domain } from '../isa/row.ts';

/**
 * A 64-bit value in emitted code: a known constant, an i64 local, an i64 local plus a constant (added at each use), or a truth value
 * (1 or 0) in an i32 local.
 */
export type WasmValue =
  | { readonly kind: 'const'; readonly value: bigint }
  | { readonly kind: 'i64'; readonly local: number }
  | { readonly kind: 'sum'; readonly local: number; readonly offset: bigint }
  | { readonly kind: 'bool'; readonly local: number };

/** Locals shared by pieces of code that do not overlap in time: `reset` makes all of them free again. */
export class LocalPool {
  readonly #code: Code;
  readonly #free = new Map<ValueType, { locals: number[]; next: number }>();

  constructor(code: Code) {
    this.#code = code;
  }
  take(type: ValueType): number {
    let pool = this.#free.get(type);
    if (pool === undefined) this.#free.set(type, (pool = { locals: [], next: 0 }));
    if (pool.next === pool.locals.length) pool.locals.push(this.#code.local(type));
    return pool.locals[pool.next++]!;
  }
  reset(): void {
    for (const pool of this.#free.values()) pool.next = 0;
  }
}

export class WasmDomain implements Domain<WasmValue> {
  readonly code: Code;
  readonly pool: LocalPool;

  constructor(code: Code, pool: LocalPool) {
    this.code = code;
    this.pool = pool;
  }

  /** Pushes the value as an i64. */
  push(value: WasmValue): Code {
    if (value.kind === 'const') return this.code.i64(value.value);
    this.code.get(value.local);
    if (value.kind === 'sum') return this.code.i64(value.offset).op('i64.add');
    return value.kind === 'bool' ? this.code.op('i64.extend_i32_u') : this.code;
  }
  /** Pushes an i32 that is nonzero if the value is. */
  pushCondition(value: WasmValue): Code {
    if (value.kind === 'bool') return this.code.get(value.local);
    return this.push(value).i64(0n).op('i64.ne');
  }
  /** Takes the i64 on the stack into a local. */
  pop(): WasmValue {
    const local = this.pool.take(I64);
    this.code.set(local);
    return { kind: 'i64', local };
  }
  /** Takes the i32 on the stack, 1 or 0, into a local. */
  popBool(): WasmValue {
    const local = this.pool.take(I32);
    this.code.set(local);
    return { kind: 'bool', local };
  }
  /** An i64 local with the value: the value's own, or a new one for a value of another kind. */
  local(value: WasmValue): number {
    if (value.kind === 'i64') return value.local;
    this.push(value);
    const local = this.pool.take(I64);
    this.code.set(local);
    return local;
  }

  const(value: bigint): WasmValue {
    return { kind: 'const', value: value & MASK64 };
  }
  add(a: WasmValue, b: WasmValue): WasmValue {
    if (a.kind === 'const' && b.kind !== 'const') return this.add(b, a);
    if (b.kind === 'const') {
      if (b.value === 0n) return a;
      if (a.kind === 'const') return this.const(a.value + b.value);
      if (a.kind === 'i64') return { kind: 'sum', local: a.local, offset: b.value };
      if (a.kind === 'sum') return { kind: 'sum', local: a.local, offset: (a.offset + b.value) & MASK64 };
    }
    return this.#binary('i64.add', a, b);
  }
  sub(a: WasmValue, b: WasmValue): WasmValue {
    return this.#binary('i64.sub', a, b);
  }
  and(a: WasmValue, b: WasmValue): WasmValue {
    return this.#binary('i64.and', a, b);
  }
  or(a: WasmValue, b: WasmValue): WasmValue {
    return this.#binary('i64.or', a, b);
  }
  xor(a: WasmValue, b: WasmValue): WasmValue {
    return this.#binary('i64.xor', a, b);
  }
  // Wasm takes shift amounts modulo 64, as the domain does.
  shl(a: WasmValue, b: WasmValue): WasmValue {
    return this.#binary('i64.shl', a, b);
  }
  shr(a: WasmValue, b: WasmValue): WasmValue {
    return this.#binary('i64.shr_u', a, b);
  }
  sar(a: WasmValue, b: WasmValue): WasmValue {
    return this.#binary('i64.shr_s', a, b);
  }
  mul(a: WasmValue, b: WasmValue): WasmValue {
    return this.#binary('i64.mul', a, b);
  }
  /** The upper half from four products of 32-bit halves (Warren, "Hacker's Delight", section 8-2). */
  mulhu(a: WasmValue, b: WasmValue): WasmValue {
    const mask = this.const(0xffff_ffffn);
    const half = this.const(32n);
    const aLow = this.and(a, mask);
    const aHigh = this.shr(a, half);
    const bLow = this.and(b, mask);
    const bHigh = this.shr(b, half);
    const carry = this.shr(this.mul(aLow, bLow), half);
    const middle = this.add(this.mul(aHigh, bLow), carry);
    const other = this.add(this.mul(aLow, bHigh), this.and(middle, mask));
    return this.add(this.add(this.mul(aHigh, bHigh), this.shr(middle, half)), this.shr(other, half));
  }
  mulhs(a: WasmValue, b: WasmValue): WasmValue {
    return this.sub(this.mulhsu(a, b), this.and(this.sar(b, this.const(63n)), a));
  }
  mulhsu(a: WasmValue, b: WasmValue): WasmValue {
    return this.sub(this.mulhu(a, b), this.and(this.sar(a, this.const(63n)), b));
  }
  // Wasm's divisions trap on 0, and i64.div_s on overflow: the emitted tests keep such divisors away from them.
  divs(a: WasmValue, b: WasmValue): WasmValue {
    return this.#divide('i64.div_s', a, b, () => this.push(this.const(-1n)), true);
  }
  divu(a: WasmValue, b: WasmValue): WasmValue {
    return this.#divide('i64.div_u', a, b, () => this.push(this.const(-1n)), false);
  }
  rems(a: WasmValue, b: WasmValue): WasmValue {
    return this.#divide('i64.rem_s', a, b, () => this.push(a), false);
  }
  remu(a: WasmValue, b: WasmValue): WasmValue {
    return this.#divide('i64.rem_u', a, b, () => this.push(a), false);
  }
  eq(a: WasmValue, b: WasmValue): WasmValue {
    return this.#compare('i64.eq', a, b);
  }
  ltS(a: WasmValue, b: WasmValue): WasmValue {
    return this.#compare('i64.lt_s', a, b);
  }
  ltU(a: WasmValue, b: WasmValue): WasmValue {
    return this.#compare('i64.lt_u', a, b);
  }
  select(condition: WasmValue, a: WasmValue, b: WasmValue): WasmValue {
    this.push(a);
    this.push(b);
    this.pushCondition(condition).op('select');
    return this.pop();
  }
  sext(a: WasmValue, bits: 8 | 16 | 32): WasmValue {
    if (a.kind === 'const') return this.const(BigInt.asIntN(bits, a.value));
    this.push(a).op(bits === 8 ? 'i64.extend8_s' : bits === 16 ? 'i64.extend16_s' : 'i64.extend32_s');
    return this.pop();
  }
  zext(a: WasmValue, bits: 8 | 16 | 32): WasmValue {
    if (a.kind === 'const') return this.const(BigInt.asUintN(bits, a.value));
    return this.and(a, this.const((1n << BigInt(bits)) - 1n));
  }

  clz(a: WasmValue): WasmValue {
    return this.#unary('i64.clz', a);
  }
  ctz(a: WasmValue): WasmValue {
    return this.#unary('i64.ctz', a);
  }
  cpop(a: WasmValue): WasmValue {
    return this.#unary('i64.popcnt', a);
  }

  #unary(op: OpName, a: WasmValue): WasmValue {
    this.push(a).op(op);
    return this.pop();
  }
  #binary(op: OpName, a: WasmValue, b: WasmValue): WasmValue {
    this.push(a);
    this.push(b).op(op);
    return this.pop();
  }
  #compare(op: OpName, a: WasmValue, b: WasmValue): WasmValue {
    // Comparing a truth value with 0 negates the value: common where a row inverts a condition.
    if (op === 'i64.eq' && a.kind === 'bool' && b.kind === 'const' && b.value === 0n)
      this.code.get(a.local).op('i32.eqz');
    else {
      this.push(a);
      this.push(b).op(op);
    }
    return this.popBool();
  }
  #divide(op: OpName, a: WasmValue, b: WasmValue, byZero: () => void, overflows: boolean): WasmValue {
    this.push(b).op('i64.eqz');
    this.code.if(I64);
    byZero();
    this.code.else();
    if (overflows) {
      // Division by -1 is negation, in which the only case that overflows wraps as the M extension defines.
      this.push(b).i64(-1n).op('i64.eq');
      this.code.if(I64);
      this.code.i64(0n);
      this.push(a).op('i64.sub');
      this.code.else();
    }
    this.push(a);
    this.push(b).op(op);
    if (overflows) this.code.end();
    this.code.end();
    return this.pop();
  }
}
