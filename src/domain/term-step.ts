/** The effects of one instruction as terms, by running its row over the symbolic domain. */
import type { FloatOp, Insn, Step } from '../isa/row.ts';
import type { Term, Terms } from './term.ts';
import type { Widths } from './widths.ts';

/** The effects of an instruction, as terms. `opaque` makes the result of a load or a rounded operation. */
export interface TermEffects {
  /** The value written to rd or fd, if any. */
  readonly result: Term | undefined;
  /** The branch condition, nonzero = taken. */
  readonly condition: Term | undefined;
  /** The address accessed. */
  readonly address: Term | undefined;
}

/** Terms of rs1, rs2, rs3 (also of floating-point registers; 0 if undefined), and of the instruction's address. */
interface TermOperands {
  readonly rs1?: Term | undefined;
  readonly rs2?: Term | undefined;
  readonly rs3?: Term | undefined;
  readonly pc: Term;
}
/** The rounding mode field of an instruction that takes its mode from frm. */
const DYNAMIC_MODE = 7;

class TermStep implements Step<Term>, TermEffects {
  result: Term | undefined = undefined;
  condition: Term | undefined = undefined;
  address: Term | undefined = undefined;
  readonly #terms: Terms;
  readonly #insn: Insn;
  readonly #operands: TermOperands;
  readonly #opaque: (widths: Widths) => Term;

  constructor(terms: Terms, insn: Insn, operands: TermOperands, opaque: (widths: Widths) => Term) {
    this.#terms = terms;
    this.#insn = insn;
    this.#operands = operands;
    this.#opaque = opaque;
  }

  rs1(): Term {
    return this.#operands.rs1 ?? this.#terms.const(0n);
  }
  rs2(): Term {
    return this.#operands.rs2 ?? this.#terms.const(0n);
  }
  rd(value: Term): void {
    this.result = value;
  }
  fs1(): Term {
    return this.rs1();
  }
  fs2(): Term {
    return this.rs2();
  }
  fs3(): Term {
    return this.#operands.rs3 ?? this.#terms.const(0n);
  }
  fd(value: Term): void {
    this.result = value;
  }
  imm(): Term {
    return this.#terms.const(BigInt(this.#insn.imm));
  }
  pc(): Term {
    return this.#operands.pc;
  }
  link(): Term {
    return this.#terms.add(this.#operands.pc, this.#terms.const(BigInt(this.#insn.size)));
  }
  load(address: Term, bytes: number, signed: boolean): Term {
    this.address = address;
    return this.#opaque(signed ? { signed: bytes * 8 } : bytes < 8 ? { unsigned: bytes * 8 } : {});
  }
  store(address: Term): void {
    this.address = address;
  }
  branch(condition: Term): void {
    this.condition = condition;
  }
  goto(): void {}
  jump(): void {}
  /** An operation that neither rounds nor raises a flag is a function of its operand alone, unless a dynamic mode may make it illegal. */
  float(op: FloatOp, a: Term): Term {
    const exact = op === 'f64.from.i32' || op === 'f64.from.u32';
    if (exact && this.#insn.rm !== DYNAMIC_MODE) return this.#terms.apply(op, [a]);
    return this.#opaque({});
  }
  csr(): Term {
    return this.#opaque({});
  }
  writesCsr(): boolean {
    return true;
  }
  loadReserved(address: Term): Term {
    this.address = address;
    return this.#opaque({});
  }
  storeConditional(address: Term): Term {
    this.address = address;
    return this.#opaque({});
  }
  atomic(address: Term): Term {
    this.address = address;
    return this.#opaque({});
  }
  ecall(): void {}
  ebreak(): void {}
  fence(): void {}
  fenceI(): void {}
}

/**
 * Runs an instruction over terms.
 * @param opaque names the unknown result of a load, a rounded operation, a CSR access or an atomic
 */
export function runTerms(
  terms: Terms,
  insn: Insn,
  operands: TermOperands,
  opaque: (widths: Widths) => Term,
): TermEffects {
  const step = new TermStep(terms, insn, operands, opaque);
  insn.row.semantics(step, terms);
  return step;
}
