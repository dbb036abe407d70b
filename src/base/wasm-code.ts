/** The code of one wasm function. */

import { concat } from './bits.ts';
import { internal } from './errors.ts';
import { putSigned32, putSigned64, putUnsigned, unsignedBytes } from './wasm-bytes.ts';
import { ACCESS, type AccessName, OP, type OpName, type ValueType, VECTOR } from './wasm-opcodes.ts';

/** The type of a block that leaves nothing on the stack. */
const EMPTY_BLOCK_TYPE = 0x40;

/** A target of branches. Valid until its block ends. */
export interface Label {
  readonly depth: number;
}

/** The code of one function: appended in order; parameters are locals 0 .. n-1, further locals are taken with `local`. */
export class Code {
  readonly #bytes: number[] = [];
  readonly #locals: ValueType[] = [];
  readonly #parameters: number;
  /** Branches with a hint: offset in `#bytes`, and whether the condition is expected to hold. */
  readonly #hints: { readonly at: number; readonly likely: boolean }[] = [];
  #depth = 0;

  /** @param parameters number of parameters of the function's type */
  constructor(parameters: number) {
    this.#parameters = parameters;
  }
  /** A new local. @returns its index */
  local(type: ValueType): number {
    this.#locals.push(type);
    return this.#parameters + this.#locals.length - 1;
  }
  op(...names: OpName[]): this {
    for (const name of names) this.#bytes.push(OP[name]);
    return this;
  }
  /** Truncation to an integer; a value out of range gives the nearest integer and never traps. */
  truncSat(name: 'i64.trunc_sat_f64_s' | 'i64.trunc_sat_f64_u'): this {
    this.#bytes.push(0xfc, name === 'i64.trunc_sat_f64_s' ? 6 : 7);
    return this;
  }
  /** a * b + c in the first lane of vectors, rounded once or twice as the host does. Each of `operands` pushes one operand when called. */
  fusedMadd(width: 'f32' | 'f64', operands: readonly (() => void)[]): this {
    for (const push of operands) {
      push();
      this.#vector(width === 'f64' ? VECTOR.f64x2_splat : VECTOR.f32x4_splat);
    }
    this.#vector(width === 'f64' ? VECTOR.f64x2_relaxed_madd : VECTOR.f32x4_relaxed_madd);
    this.#vector(width === 'f64' ? VECTOR.f64x2_extract_lane : VECTOR.f32x4_extract_lane);
    this.#bytes.push(0);
    return this;
  }
  #vector(opcode: number): void {
    this.#bytes.push(0xfd);
    putUnsigned(this.#bytes, opcode);
  }
  i32(value: number): this {
    this.#bytes.push(0x41);
    putSigned32(this.#bytes, value);
    return this;
  }
  i64(value: bigint): this {
    this.#bytes.push(0x42);
    putSigned64(this.#bytes, value);
    return this;
  }
  f64(value: number): this {
    this.#bytes.push(0x44, ...new Uint8Array(new Float64Array([value]).buffer));
    return this;
  }
  f32(value: number): this {
    this.#bytes.push(0x43, ...new Uint8Array(new Float32Array([value]).buffer));
    return this;
  }
  get(local: number): this {
    return this.#indexed(0x20, local);
  }
  set(local: number): this {
    return this.#indexed(0x21, local);
  }
  tee(local: number): this {
    return this.#indexed(0x22, local);
  }
  /** A load or store at the address on the stack plus `offset`; no alignment is promised. */
  access(name: AccessName, offset: number): this {
    this.#bytes.push(ACCESS[name], 0);
    putUnsigned(this.#bytes, offset);
    return this;
  }
  block(result?: ValueType): Label {
    return this.#open(0x02, result);
  }
  loop(): Label {
    return this.#open(0x03);
  }
  /** @param likely a hint for where the engine places the code; undefined: none */
  if(result?: ValueType, likely?: boolean): Label {
    this.#hint(likely);
    return this.#open(0x04, result);
  }
  else(): this {
    this.#bytes.push(0x05);
    return this;
  }
  /** Ends the innermost block. */
  end(): this {
    this.#depth--;
    if (this.#depth < 0) throw internal('wasm: a block ends that never began');
    this.#bytes.push(0x0b);
    return this;
  }
  br(label: Label): this {
    return this.#indexed(0x0c, this.#depth - label.depth);
  }
  /** @param likely as for `if` */
  brIf(label: Label, likely?: boolean): this {
    this.#hint(likely);
    return this.#indexed(0x0d, this.#depth - label.depth);
  }
  brTable(labels: readonly Label[], otherwise: Label): this {
    this.#bytes.push(0x0e);
    putUnsigned(this.#bytes, labels.length);
    for (const label of [...labels, otherwise]) putUnsigned(this.#bytes, this.#depth - label.depth);
    return this;
  }
  call(func: number): this {
    return this.#indexed(0x10, func);
  }
  /** A call through table 0. */
  callIndirect(type: number): this {
    this.#indexed(0x11, type);
    this.#bytes.push(0);
    return this;
  }
  /** Leaves this function by a tail call (tail-call proposal). */
  returnCall(func: number): this {
    return this.#indexed(0x12, func);
  }
  /** As `returnCall`, through table 0. */
  returnCallIndirect(type: number): this {
    this.#indexed(0x13, type);
    this.#bytes.push(0);
    return this;
  }

  /** The function's body with its local declarations, as the code section has it. */
  body(): Uint8Array {
    if (this.#depth !== 0) throw internal('wasm: a block is still open');
    return concat(this.#declarations(), this.#bytes, [0x0b]);
  }
  #declarations(): number[] {
    const locals: number[] = [];
    const runs: [number, ValueType][] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    putUnsigned(locals, runs.length);
    for (const [count, type] of runs) {
      putUnsigned(locals, count);
      locals.push(type);
    }
    return locals;
  }

  /** The function's entry in the section of branch hints; undefined if the function has no hints. */
  hints(func: number): number[] | undefined {
    if (this.#hints.length === 0) return undefined;
    const before = this.#declarations().length;
    const bytes = unsignedBytes(func);
    putUnsigned(bytes, this.#hints.length);
    for (const { at, likely } of this.#hints) {
      putUnsigned(bytes, before + at);
      bytes.push(1, likely ? 1 : 0);
    }
    return bytes;
  }
  #hint(likely: boolean | undefined): void {
    if (likely !== undefined) this.#hints.push({ at: this.#bytes.length, likely });
  }

  #indexed(opcode: number, index: number): this {
    this.#bytes.push(opcode);
    putUnsigned(this.#bytes, index);
    return this;
  }
  #open(opcode: number, result?: ValueType): Label {
    this.#bytes.push(opcode, result ?? EMPTY_BLOCK_TYPE);
    this.#depth++;
    return { depth: this.#depth };
  }
}
