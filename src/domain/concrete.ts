/** The domain of actual values: unsigned 64-bit bigints. Used by the basic engine and for folding constants. */
import { MASK64 } from '../base/bits.ts';
import type { Domain, FloatOp, Insn, Step } from '../isa/row.ts';
import { ROUND, softfloat } from './softfloat.ts';

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const int = (value: bigint): bigint => BigInt.asIntN(64, value);
const truth = (condition: boolean): bigint => (condition ? 1n : 0n);

/** All operands and results are unsigned (0 .. 2^64-1). */
export const concrete: Domain<bigint> = {
  const: wrap,
  add: (a, b) => wrap(a + b),
  sub: (a, b) => wrap(a - b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => wrap(a << (b & 63n)),
  shr: (a, b) => a >> (b & 63n),
  sar: (a, b) => wrap(int(a) >> (b & 63n)),
  mul: (a, b) => wrap(a * b),
  mulhs: (a, b) => wrap((int(a) * int(b)) >> 64n),
  mulhu: (a, b) => (a * b) >> 64n,
  mulhsu: (a, b) => wrap((int(a) * b) >> 64n),
  divs: (a, b) => (b === 0n ? MASK64 : wrap(int(a) / int(b))),
  divu: (a, b) => (b === 0n ? MASK64 : a / b),
  rems: (a, b) => (b === 0n ? a : wrap(int(a) % int(b))),
  remu: (a, b) => (b === 0n ? a : a % b),
  eq: (a, b) => truth(a === b),
  ltS: (a, b) => truth(int(a) < int(b)),
  ltU: (a, b) => truth(a < b),
  select: (condition, a, b) => (condition !== 0n ? a : b),
  sext: (a, bits) => wrap(BigInt.asIntN(bits, a)),
  zext: (a, bits) => BigInt.asUintN(bits, a),
  clz: (a) => BigInt(a === 0n ? 64 : 64 - a.toString(2).length),
  ctz: (a) => BigInt(a === 0n ? 64 : (a & -a).toString(2).length - 1),
  cpop: (a) => BigInt(a.toString(2).replaceAll('0', '').length),
};

export interface Operands {
  readonly rs1?: bigint | undefined;
  readonly rs2?: bigint | undefined;
  readonly rs3?: bigint | undefined;
  readonly pc?: bigint;
}

/** The exception that ends the evaluation of an instruction that is not pure or lacks an operand. Caught in this file. */
const notPureError = new Error('not pure');

const refuse = (): never => {
  throw notPureError;
};

class PureStep implements Step<bigint> {
  readonly #insn: Insn;
  readonly #operands: Operands;
  result: bigint | undefined;

  constructor(insn: Insn, operands: Operands) {
    this.#insn = insn;
    this.#operands = operands;
  }

  rs1 = (): bigint => (this.#insn.rs1 === 0 ? 0n : this.fs1());
  rs2 = (): bigint => (this.#insn.rs2 === 0 ? 0n : this.fs2());
  fs1 = (): bigint => this.#operands.rs1 ?? refuse();
  fs2 = (): bigint => this.#operands.rs2 ?? refuse();
  fs3 = (): bigint => this.#operands.rs3 ?? refuse();
  rd = (value: bigint): void => {
    this.result = value;
  };
  fd = this.rd;
  imm = (): bigint => wrap(BigInt(this.#insn.imm));
  pc = (): bigint => this.#operands.pc ?? refuse();
  link = (): bigint => wrap(this.pc() + BigInt(this.#insn.size));
  load = refuse;
  store = refuse;
  branch = refuse;
  goto = refuse;
  jump = refuse;
  /** Evaluates only operations that neither round nor raise a flag, in a static mode: an invalid dynamic mode makes them illegal. */
  float = (op: FloatOp, a: bigint): bigint =>
    this.#insn.rm !== 7 && (op === 'f64.from.i32' || op === 'f64.from.u32')
      ? softfloat(op, ROUND.RNE, a).value
      : refuse();
  csr = refuse;
  writesCsr = refuse;
  loadReserved = refuse;
  storeConditional = refuse;
  atomic = refuse;
  ecall = refuse;
  ebreak = refuse;
  fence = refuse;
  fenceI = refuse;
}

/**
 * The value that a pure instruction writes.
 * @param operands unsigned 64-bit register contents by role (floating-point operands too: rs1 is fs1); x0 needs no entry
 * @returns undefined if the instruction is not pure (memory, flags, control, order), writes nothing, or an operand it reads is missing
 */
export const evaluate = (insn: Insn, operands: Operands): bigint | undefined => {
  const step = new PureStep(insn, operands);
  try {
    insn.row.semantics(step, concrete);
  } catch (error) {
    if (error === notPureError) return undefined;
    throw error;
  }
  return step.result;
};
