/**
 * Symbolic execution: what one instruction does to a state of terms. The rows say what that is; here is only what a register file,
 * a memory and an order of events are.
 */
import { type Addr, REG_COUNT, regName, SP } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';
import type { FloatOp, Insn, Step } from '../../isa/row.ts';
import { CSR } from '../../isa/zicsr.ts';
import type { List } from './list.ts';
import type { ProofTerms } from './terms.ts';

export interface Access {
  readonly kind: 'load' | 'store';
  readonly address: Term;
  readonly bytes: number;
  /** What a store stores. */
  readonly value: Term | undefined;
}

/** Immutable: a step makes a new one. */
export interface State {
  /** By register; entry 0 is the constant 0. */
  readonly registers: readonly Term[];
  readonly memory: Term;
  /** Everything ordered that has happened: CSR accesses, atomics, fences. */
  readonly order: Term;
  /** What a dynamic rounding mode depends on. */
  readonly rounding: Term;
  /** Operations that have accrued flags since the last CSR access. Flags are only ever set: neither order nor repetition matters. */
  readonly flags: List<Term> | undefined;
  readonly accesses: List<Access> | undefined;
}

/** How control goes on. Addresses are as linked. */
export type Outcome =
  | { readonly kind: 'goto'; readonly to: Addr; readonly state: State }
  | {
      readonly kind: 'branch';
      readonly condition: Term;
      readonly taken: Addr;
      readonly fall: Addr;
      readonly state: State;
    }
  /** A computed target that is not known. `links`: to the address behind it. */
  | { readonly kind: 'jump'; readonly target: Term; readonly state: State }
  | { readonly kind: 'stop'; readonly why: string };

export const stackName = regName(SP);

/** The state at a head: every register and the memory unknown. */
export function headState(terms: ProofTerms): State {
  const registers = Array.from({ length: REG_COUNT }, (_, reg) => terms.input(regName(reg)));
  registers[0] = terms.const(0n);
  return {
    registers,
    memory: terms.memory,
    order: terms.input('order'),
    rounding: terms.input('frm'),
    flags: undefined,
    accesses: undefined,
  };
}

/** Integers of 32 bits always fit in a double: no flag, no rounding. */
const EXACT: ReadonlySet<FloatOp> = new Set<FloatOp>(['f64.from.i32', 'f64.from.u32']);
const COMPARISON = /\.(?:eq|lt|le)$/;
const TO_WORD = /\.to\.[iu]32$/;
const DYNAMIC = 7;

function floatWidths(op: FloatOp): { signed?: number; unsigned?: number } {
  if (COMPARISON.test(op)) return { unsigned: 1 };
  if (TO_WORD.test(op)) return { signed: 32 };
  if (op.includes('.to.') || op.startsWith('f64')) return {};
  return { unsigned: 32 };
}

class SymbolicStep implements Step<Term> {
  readonly #terms: ProofTerms;
  readonly #insn: Insn;
  readonly #pc: Addr;
  readonly #before: State;
  #written: Term | undefined;
  #memory: Term;
  #order: Term;
  #rounding: Term;
  #flags: List<Term> | undefined;
  #accesses: List<Access> | undefined;
  #condition: Term | undefined;
  #target: Term | undefined;
  #goes = false;
  #stop: string | undefined;

  constructor(terms: ProofTerms, insn: Insn, pc: Addr, before: State) {
    this.#terms = terms;
    this.#insn = insn;
    this.#pc = pc;
    this.#before = before;
    this.#memory = before.memory;
    this.#order = before.order;
    this.#rounding = before.rounding;
    this.#flags = before.flags;
    this.#accesses = before.accesses;
  }

  outcome(): Outcome {
    if (this.#stop !== undefined) return { kind: 'stop', why: this.#stop };
    const insn = this.#insn;
    let registers = this.#before.registers;
    if (this.#written !== undefined && insn.rd !== 0) {
      const changed = registers.slice();
      changed[insn.rd] = this.#written;
      registers = changed;
    }
    const state: State = {
      registers,
      memory: this.#memory,
      order: this.#order,
      rounding: this.#rounding,
      flags: this.#flags,
      accesses: this.#accesses,
    };
    const next = this.#pc + insn.size;
    const leads = this.#pc + insn.imm;
    if (this.#condition !== undefined)
      return { kind: 'branch', condition: this.#condition, taken: leads, fall: next, state };
    if (this.#target !== undefined) return { kind: 'jump', target: this.#target, state };
    return { kind: 'goto', to: this.#goes ? leads : next, state };
  }

  rs1(): Term {
    return this.#before.registers[this.#insn.rs1]!;
  }
  rs2(): Term {
    return this.#before.registers[this.#insn.rs2]!;
  }
  fs1(): Term {
    return this.rs1();
  }
  fs2(): Term {
    return this.rs2();
  }
  fs3(): Term {
    return this.#before.registers[this.#insn.rs3]!;
  }
  rd(value: Term): void {
    this.#written = value;
  }
  fd(value: Term): void {
    this.#written = value;
  }
  imm(): Term {
    return this.#terms.const(BigInt(this.#insn.imm));
  }
  pc(): Term {
    return this.#terms.code(this.#pc);
  }
  link(): Term {
    return this.#terms.code(this.#pc + this.#insn.size);
  }
  #access(kind: Access['kind'], address: Term, bytes: number, value: Term | undefined): void {
    this.#accesses = { item: { kind, address, bytes, value }, rest: this.#accesses };
  }
  load(address: Term, bytes: 1 | 2 | 4 | 8, signed: boolean): Term {
    this.#access('load', address, bytes, undefined);
    return this.#extended(this.#terms.load(this.#memory, address, bytes), bytes, signed);
  }
  #extended(raw: Term, bytes: 1 | 2 | 4 | 8, signed: boolean): Term {
    return signed && bytes < 8 ? this.#terms.sext(raw, (bytes * 8) as 8 | 16 | 32) : raw;
  }
  store(address: Term, bytes: 1 | 2 | 4 | 8, value: Term): void {
    this.#access('store', address, bytes, value);
    this.#memory = this.#terms.store(this.#memory, address, bytes, value);
  }
  branch(condition: Term): void {
    this.#condition = condition;
  }
  goto(): void {
    this.#goes = true;
  }
  jump(target: Term): void {
    this.#target = target;
  }
  float(op: FloatOp, a: Term, b?: Term, c?: Term): Term {
    const operands = [a, b, c].filter((operand) => operand !== undefined);
    if (EXACT.has(op)) return this.#terms.apply(op, operands);
    const { rm } = this.#insn;
    const dynamic = rm === DYNAMIC;
    const result = this.#terms.apply(
      dynamic ? op : `${op}:${rm}`,
      dynamic ? [...operands, this.#rounding] : operands,
      floatWidths(op),
    );
    this.#flags = { item: result, rest: this.#flags };
    return result;
  }
  writesCsr(): boolean {
    return this.#insn.rs1 !== 0 || this.#insn.imm !== 0;
  }
  csr(write: ((old: Term) => Term) | undefined): Term {
    const { csr } = this.#insn;
    const before = [this.#order, this.#terms.flags.termOf(this.#flags)];
    const old = this.#terms.apply(`csr${csr}`, before);
    this.#order = this.#terms.apply(`write csr${csr}`, write === undefined ? before : [...before, write(old)]);
    this.#flags = undefined;
    if (write !== undefined && (csr === CSR.frm || csr === CSR.fcsr))
      this.#rounding = this.#terms.apply('frm', [this.#order]);
    return old;
  }
  /** Nothing that accesses memory moves across what comes before or behind. */
  #barrier(name: string, ...more: Term[]): void {
    const memory = this.#terms.settled(this.#memory);
    this.#order = this.#terms.apply(name, [this.#order, memory, ...more]);
    this.#memory = this.#terms.barrier(memory, this.#order);
  }
  atomic(address: Term, bytes: 4 | 8, update: (old: Term) => Term): Term {
    this.#access('load', address, bytes, undefined);
    const old = this.#extended(this.#terms.load(this.#memory, address, bytes), bytes, true);
    const value = update(old);
    this.#access('store', address, bytes, value);
    this.#barrier(`atomic${bytes}:${this.#insn.rm}`, address);
    this.#memory = this.#terms.store(this.#memory, address, bytes, value);
    return old;
  }
  fence(): void {
    this.#barrier(`fence${this.#insn.imm}`);
  }
  fenceI(): void {
    this.#barrier('fence.i');
  }
  loadReserved(): Term {
    return this.#refuse('a load with reservation');
  }
  storeConditional(): Term {
    return this.#refuse('a conditional store');
  }
  ecall(): void {
    this.#refuse('a system call');
  }
  ebreak(): void {
    this.#refuse('a breakpoint');
  }
  #refuse(what: string): Term {
    this.#stop = what;
    return this.#before.registers[0]!;
  }
}

/** Runs one instruction at an address (as linked). */
export function symbolicStep(terms: ProofTerms, insn: Insn, pc: Addr, before: State): Outcome {
  const step = new SymbolicStep(terms, insn, pc, before);
  insn.row.semantics(step, terms);
  return step.outcome();
}
