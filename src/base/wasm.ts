/**
 * A small encoder of WebAssembly modules (WebAssembly core specification 2.0, chapter 5 "Binary Format", plus tail calls, relaxed SIMD
 * and branch hints): code of one function at a time, then a module around it. The encoder knows bytes, not meanings, and validates nothing.
 */
import { internal } from './errors.ts';

/** Value types. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export type ValueType = typeof I32 | typeof I64 | typeof F32 | typeof F64;
/** The type of a block that leaves nothing on the stack. */
const EMPTY_BLOCK_TYPE = 0x40;

/** Opcodes without an immediate, by their name in the specification. */
export const OP = {
  unreachable: 0x00,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  'i32.eqz': 0x45,
  'i32.eq': 0x46,
  'i32.ne': 0x47,
  'i32.lt_s': 0x48,
  'i32.lt_u': 0x49,
  'i32.gt_u': 0x4b,
  'i32.ge_u': 0x4f,
  'i64.eqz': 0x50,
  'i64.eq': 0x51,
  'i64.ne': 0x52,
  'i64.lt_s': 0x53,
  'i64.lt_u': 0x54,
  'i64.gt_u': 0x56,
  'i64.ge_u': 0x5a,
  'f32.eq': 0x5b,
  'f32.ne': 0x5c,
  'f32.lt': 0x5d,
  'f32.gt': 0x5e,
  'f32.le': 0x5f,
  'f32.ge': 0x60,
  'f64.eq': 0x61,
  'f64.ne': 0x62,
  'f64.lt': 0x63,
  'f64.gt': 0x64,
  'f64.le': 0x65,
  'f64.ge': 0x66,
  'i32.add': 0x6a,
  'i32.sub': 0x6b,
  'i32.mul': 0x6c,
  'i32.and': 0x71,
  'i32.or': 0x72,
  'i32.xor': 0x73,
  'i32.shl': 0x74,
  'i32.shr_u': 0x76,
  'i64.clz': 0x79,
  'i64.ctz': 0x7a,
  'i64.popcnt': 0x7b,
  'i64.add': 0x7c,
  'i64.sub': 0x7d,
  'i64.mul': 0x7e,
  'i64.div_s': 0x7f,
  'i64.div_u': 0x80,
  'i64.rem_s': 0x81,
  'i64.rem_u': 0x82,
  'i64.and': 0x83,
  'i64.or': 0x84,
  'i64.xor': 0x85,
  'i64.shl': 0x86,
  'i64.shr_s': 0x87,
  'i64.shr_u': 0x88,
  'i64.rotr': 0x8a,
  'f32.abs': 0x8b,
  'f32.ceil': 0x8d,
  'f32.floor': 0x8e,
  'f32.trunc': 0x8f,
  'f32.nearest': 0x90,
  'f32.sqrt': 0x91,
  'f32.add': 0x92,
  'f32.sub': 0x93,
  'f32.mul': 0x94,
  'f32.div': 0x95,
  'f32.min': 0x96,
  'f32.max': 0x97,
  'f64.abs': 0x99,
  'f64.neg': 0x9a,
  'f64.ceil': 0x9b,
  'f64.floor': 0x9c,
  'f64.trunc': 0x9d,
  'f64.nearest': 0x9e,
  'f64.sqrt': 0x9f,
  'f64.add': 0xa0,
  'f64.sub': 0xa1,
  'f64.mul': 0xa2,
  'f64.div': 0xa3,
  'f64.min': 0xa4,
  'f64.max': 0xa5,
  'i32.wrap_i64': 0xa7,
  'i64.extend_i32_s': 0xac,
  'i64.extend_i32_u': 0xad,
  'i64.trunc_f32_s': 0xae,
  'i64.trunc_f32_u': 0xaf,
  'i64.trunc_f64_s': 0xb0,
  'i64.trunc_f64_u': 0xb1,
  'f32.convert_i64_s': 0xb4,
  'f32.convert_i64_u': 0xb5,
  'f32.demote_f64': 0xb6,
  'f64.convert_i64_s': 0xb9,
  'f64.convert_i64_u': 0xba,
  'f64.promote_f32': 0xbb,
  'i32.reinterpret_f32': 0xbc,
  'i64.reinterpret_f64': 0xbd,
  'f32.reinterpret_i32': 0xbe,
  'f64.reinterpret_i64': 0xbf,
  'i64.extend8_s': 0xc2,
  'i64.extend16_s': 0xc3,
  'i64.extend32_s': 0xc4,
} as const;
export type OpName = keyof typeof OP;

/** Opcodes behind the prefix for vectors, some of them with a lane. */
const VECTOR = {
  f32x4_splat: 0x13,
  f64x2_splat: 0x14,
  f32x4_extract_lane: 0x1f,
  f64x2_extract_lane: 0x21,
  f32x4_relaxed_madd: 0x105,
  f64x2_relaxed_madd: 0x107,
} as const;

/** Opcodes with a memory immediate. */
export const ACCESS = {
  'i32.load': 0x28,
  'i64.load': 0x29,
  'f64.load': 0x2b,
  'i32.load8_u': 0x2d,
  'i32.load16_u': 0x2f,
  'i64.load8_s': 0x30,
  'i64.load8_u': 0x31,
  'i64.load16_s': 0x32,
  'i64.load16_u': 0x33,
  'i64.load32_s': 0x34,
  'i64.load32_u': 0x35,
  'i32.store': 0x36,
  'i64.store': 0x37,
  'f64.store': 0x39,
  'i64.store8': 0x3c,
  'i64.store16': 0x3d,
  'i64.store32': 0x3e,
} as const;
export type AccessName = keyof typeof ACCESS;

/** Appends an unsigned LEB128 number (0 .. 2^32-1). */
function unsigned(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

/** Appends a signed LEB128 number of up to 32 bits. */
function signed32(out: number[], value: number): void {
  let rest = value | 0;
  while (rest < -64 || rest > 63) {
    out.push((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  out.push(rest & 0x7f);
}

/** Appends a signed LEB128 number of up to 64 bits. */
function signed64(out: number[], value: bigint): void {
  let rest = BigInt.asIntN(64, value);
  // Nearly all values are small, and numbers are far faster than bigints.
  if (rest >= -0x8000_0000n && rest <= 0x7fff_ffffn) {
    signed32(out, Number(rest));
    return;
  }
  while (rest < -64n || rest > 63n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest & 0x7fn));
}

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
    unsigned(this.#bytes, opcode);
  }
  i32(value: number): this {
    this.#bytes.push(0x41);
    signed32(this.#bytes, value);
    return this;
  }
  i64(value: bigint): this {
    this.#bytes.push(0x42);
    signed64(this.#bytes, value);
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
    unsigned(this.#bytes, offset);
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
    unsigned(this.#bytes, labels.length);
    for (const label of [...labels, otherwise]) unsigned(this.#bytes, this.#depth - label.depth);
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
    return concatenate([this.#declarations(), this.#bytes, [0x0b]]);
  }
  #declarations(): number[] {
    const locals: number[] = [];
    const runs: [number, ValueType][] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    unsigned(locals, runs.length);
    for (const [count, type] of runs) {
      unsigned(locals, count);
      locals.push(type);
    }
    return locals;
  }

  /** The function's entry in the section of branch hints; undefined if the function has no hints. */
  hints(func: number): number[] | undefined {
    if (this.#hints.length === 0) return undefined;
    const before = this.#declarations().length;
    const bytes = leb(func);
    unsigned(bytes, this.#hints.length);
    for (const { at, likely } of this.#hints) {
      unsigned(bytes, before + at);
      bytes.push(1, likely ? 1 : 0);
    }
    return bytes;
  }
  #hint(likely: boolean | undefined): void {
    if (likely !== undefined) this.#hints.push({ at: this.#bytes.length, likely });
  }

  #indexed(opcode: number, index: number): this {
    this.#bytes.push(opcode);
    unsigned(this.#bytes, index);
    return this;
  }
  #open(opcode: number, result?: ValueType): Label {
    this.#bytes.push(opcode, result ?? EMPTY_BLOCK_TYPE);
    this.#depth++;
    return { depth: this.#depth };
  }
}

const HINT_SECTION = 'metadata.code.branch_hint';

/** A module: imports first (module name `m`), then functions; one imported memory; at most one imported table. */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes: number[][] = [];
  readonly #imports: number[][] = [];
  readonly #functionTypes: number[] = [];
  readonly #bodies: (Code | undefined)[] = [];
  readonly #exports: number[][] = [];
  readonly #elements: number[][] = [];
  #importedFunctions = 0;

  /** The index of a function type. */
  type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${parameters}>${results}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    this.#types.push(key);
    this.#typeBytes.push([0x60, parameters.length, ...parameters, results.length, ...results]);
    return this.#types.length - 1;
  }
  /** Imports the memory `m.memory` of exactly so many pages of 64 KiB. */
  importMemory(pages: number): void {
    const bytes = [...name('m'), ...name('memory'), 0x02, 0x01];
    unsigned(bytes, pages);
    unsigned(bytes, pages);
    this.#imports.push(bytes);
  }
  /** Imports the function table `m.table` of at least so many entries. */
  importTable(entries: number): void {
    const bytes = [...name('m'), ...name('table'), 0x01, 0x70, 0x00];
    unsigned(bytes, entries);
    this.#imports.push(bytes);
  }
  /** @returns the function's index. All imports come before the first function. */
  importFunction(importName: string, type: number): number {
    if (this.#functionTypes.length > 0) throw internal('wasm: an import behind a function');
    const bytes = [...name('m'), ...name(importName), 0x00];
    unsigned(bytes, type);
    this.#imports.push(bytes);
    return this.#importedFunctions++;
  }
  /** Declares a function, so that it can be called before its code is there. @returns its index */
  declare(type: number): number {
    this.#functionTypes.push(type);
    this.#bodies.push(undefined);
    return this.#importedFunctions + this.#functionTypes.length - 1;
  }
  define(func: number, code: Code): void {
    this.#bodies[func - this.#importedFunctions] = code;
  }
  export(exportName: string, func: number): void {
    const bytes = [...name(exportName), 0x00];
    unsigned(bytes, func);
    this.#exports.push(bytes);
  }
  /** Puts functions into table 0, from entry `at` on. */
  elements(at: number, functions: readonly number[]): void {
    const bytes = [0x00, 0x41];
    signed32(bytes, at);
    bytes.push(0x0b);
    unsigned(bytes, functions.length);
    for (const func of functions) unsigned(bytes, func);
    this.#elements.push(bytes);
  }

  bytes(): Uint8Array {
    const parts: ArrayLike<number>[] = [[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]];
    const section = (id: number, entries: readonly ArrayLike<number>[]): void => {
      if (entries.length === 0) return;
      const count = leb(entries.length);
      const length = entries.reduce((sum, entry) => sum + entry.length, count.length);
      parts.push([id], leb(length), count, ...entries);
    };
    section(1, this.#typeBytes);
    section(2, this.#imports);
    section(3, this.#functionTypes.map(leb));
    section(7, this.#exports);
    section(9, this.#elements);
    // Offsets of hints count from the function's local declarations (branch hinting proposal, section "Custom section").
    const hints = this.#bodies.flatMap((code, i) => {
      const entry = code?.hints(this.#importedFunctions + i);
      return entry === undefined ? [] : [entry];
    });
    if (hints.length > 0) {
      const content = concatenate([name(HINT_SECTION), leb(hints.length), ...hints]);
      parts.push([0], leb(content.length), content);
    }
    section(
      10,
      this.#bodies.map((code) => {
        if (code === undefined) throw internal('wasm: a function is declared but not defined');
        const body = code.body();
        return concatenate([leb(body.length), body]);
      }),
    );
    return concatenate(parts);
  }
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  unsigned(bytes, value);
  return bytes;
}
function concatenate(parts: readonly ArrayLike<number>[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
function name(text: string): number[] {
  const bytes = [...new TextEncoder().encode(text)];
  return [...leb(bytes.length), ...bytes];
}
