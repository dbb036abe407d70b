/**
 * Symbolic execution: the effect of one instruction on a state of terms. The instruction rows define the effect; this file defines register
 * file, memory, order of events and return addresses.
 *
 * A return address is a term of its own only where the psABI keeps it: in ra or t0, where a call of the original has left it, and in a slot
 * where the original saves it. There optimized code may hold the address of code that stands for the return point (assumption A7). In any
 * other place, and in any computation, the original's return address is a number, and the optimized code must have the same number.
 *
 * Where others may write between two accesses (assumption A11 is not made), each access stands alone: a loaded value is known only where it
 * is a saved register, and each access records all that decides how others see it: the stack pointer, below which a signal may write,
 * global and thread pointer, and the loads that it depends on (RISC-V unprivileged manual, chapter "RVWMO", syntactic dependencies).
 */
import { type Addr, isLink, type Reg } from '../../base/units.ts';
import { facts as factsOf } from '../../domain/record.ts';
import { type Term, Terms } from '../../domain/term.ts';
import { runTerms } from '../../domain/term-step.ts';
import { extensionSet, needsOf } from '../../isa/extensions.ts';
import type { FloatOp, Insn, Step } from '../../isa/row.ts';
import { CSR } from '../../isa/zicsr.ts';
import type { Accessed } from './knowledge.ts';
import type { List } from './list.ts';
import type { Stop } from './reasons.ts';
import { type Access, PINNED, type State } from './state.ts';
import type { ProofTerms } from './terms.ts';

const COMPRESSED = extensionSet(['C']);

/** The side that an instruction belongs to. */
export type View =
  /** `saves`: the instruction saves a register (assumption A3). `accesses` is called with each access before it is made. */
  | {
      readonly side: 'original';
      readonly saves: boolean;
      readonly accesses: (kind: Access['kind'], bytes: Accessed) => void;
    }
  /** `returns`: the original return addresses that optimized ones stand for (assumption A7). */
  | { readonly side: 'optimized'; readonly returns: ReadonlyMap<Addr, Addr> };

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
  /** A computed jump. */
  | { readonly kind: 'jump'; readonly target: Term; readonly state: State }
  | { readonly kind: 'stop'; readonly why: Stop };

/** Is the instruction's result one of its operands, unchanged? */
function isCopy(insn: Insn): boolean {
  const terms = new Terms();
  const [rs1, rs2] = [terms.input('rs1'), terms.input('rs2')];
  const operands = { rs1: insn.rs1 === 0 ? terms.const(0n) : rs1, rs2: insn.rs2 === 0 ? terms.const(0n) : rs2 };
  const { result } = runTerms(terms, insn, { ...operands, pc: terms.input('pc') }, () => terms.input('opaque'));
  return factsOf(insn).pure && result !== undefined && (result === rs1 || result === rs2);
}

/** Integers of 32 bits always fit in a double: no flag, no rounding. */
const EXACT_OPS: ReadonlySet<FloatOp> = new Set<FloatOp>(['f64.from.i32', 'f64.from.u32']);
const COMPARISON = /\.(?:eq|lt|le)$/;
const TO_WORD = /\.to\.[iu]32$/;
const DYNAMIC_MODE = 7;

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
  readonly #view: View;
  /** The instruction hands return addresses on unchanged. */
  readonly #hands: boolean;
  #written: Term | undefined;
  #memory: Term;
  #order: Term;
  #rounding: Term;
  #flags: List<Term> | undefined;
  #accesses: List<Access> | undefined;
  #accessCount: number;
  /** The load that gave the result, or the loads that a restored register depends on. */
  #loaded: bigint | undefined;
  #condition: Term | undefined;
  #target: Term | undefined;
  #goes = false;
  #stop: Stop | undefined;

  constructor(terms: ProofTerms, insn: Insn, pc: Addr, before: State, view: View) {
    this.#terms = terms;
    this.#insn = insn;
    this.#pc = pc;
    this.#before = before;
    this.#memory = before.memory;
    this.#order = before.order;
    this.#rounding = before.rounding;
    this.#flags = before.flags;
    this.#accesses = before.accesses;
    this.#accessCount = before.accessCount;
    this.#view = view;
    this.#hands = this.#isLinkIn(insn.rs1) || this.#isLinkIn(insn.rs2) ? this.#handsOn() : false;
  }

  #isLinkIn(reg: Reg): boolean {
    return this.#terms.linkOf(this.#before.registers[reg]!) !== undefined;
  }
  /** Does the instruction return to a return address, save it, or copy it to ra or t0? */
  #handsOn(): boolean {
    const { control, load, store } = factsOf(this.#insn);
    if (control === 'indirect') return this.#insn.imm === 0;
    if (store !== undefined)
      return load === undefined && store.bytes === 8 && !this.#isLinkIn(this.#insn.rs1) && this.#saves();
    return isLink(this.#insn.rd) && isCopy(this.#insn);
  }
  #saves(): boolean {
    return this.#view.side === 'optimized' || this.#view.saves;
  }
  /** The value that the instruction reads: for a return address its number, unless the instruction hands it on. */
  #read(reg: Reg): Term {
    const value = this.#before.registers[reg]!;
    return this.#hands ? value : this.#numbered(value);
  }
  /** A value; for a return address its number. */
  #numbered(value: Term): Term {
    const link = this.#terms.linkOf(value);
    return link === undefined ? value : this.#numberOf(link);
  }
  /** A return address that optimized code has loaded has an unknown number, equal to no other: only its return point is known. */
  #numberOf(link: Addr): Term {
    return this.#view.side === 'optimized' ? this.#terms.unknown() : this.#terms.code(link);
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
      accessCount: this.#accessCount,
      depends: this.#depends(),
      pinned: this.#pinned(),
      // Without compressed instructions no instruction may stand between two words (unprivileged manual, "IALIGN").
      extensions: this.#before.extensions | needsOf(insn) | (this.#pc % 4 === 0 ? 0n : COMPRESSED),
    };
    const next = this.#pc + insn.size;
    const leads = this.#pc + insn.imm;
    if (this.#condition !== undefined)
      return { kind: 'branch', condition: this.#condition, taken: leads, fall: next, state };
    if (this.#target !== undefined) return { kind: 'jump', target: this.#target, state };
    return { kind: 'goto', to: this.#goes ? leads : next, state };
  }

  /** The dependencies behind the instruction. */
  #depends(): State['depends'] {
    const { depends } = this.#before;
    if (depends === undefined) return undefined;
    const { writes, reads, control } = factsOf(this.#insn);
    let of = 0n;
    for (const reg of reads) of |= depends.registers[reg]!;
    const decides = control === 'branch' || control === 'indirect';
    return {
      registers:
        writes === undefined
          ? depends.registers
          : depends.registers.with(writes, control === 'indirect' ? 0n : (this.#loaded ?? of)),
      control: decides ? depends.control | of : depends.control,
    };
  }

  #pinned(): State['pinned'] {
    const { pinned } = this.#before;
    const { rd: reg } = this.#insn;
    const value = this.#written;
    if (value === undefined || !PINNED.includes(reg)) return pinned;
    const part = this.#insn.row.format === 'U';
    return { item: { reg, value, behind: this.#accessCount, part }, rest: pinned };
  }

  rs1(): Term {
    return this.#read(this.#insn.rs1);
  }
  rs2(): Term {
    return this.#read(this.#insn.rs2);
  }
  fs1(): Term {
    return this.rs1();
  }
  fs2(): Term {
    return this.rs2();
  }
  fs3(): Term {
    return this.#read(this.#insn.rs3);
  }
  rd(value: Term): void {
    this.#written = isLink(this.#insn.rd) ? value : this.#numbered(value);
  }
  fd(value: Term): void {
    this.#written = this.#numbered(value);
  }
  imm(): Term {
    return this.#terms.const(BigInt(this.#insn.imm));
  }
  pc(): Term {
    return this.#terms.code(this.#pc);
  }
  link(): Term {
    const behind = this.#pc + this.#insn.size;
    return this.#view.side === 'original' && isLink(this.#insn.rd)
      ? this.#terms.link(behind)
      : this.#terms.code(behind);
  }
  #access(kind: Access['kind'], address: Term, bytes: number, value: Term | undefined): void {
    if (this.#view.side === 'original') this.#view.accesses(kind, { address, bytes });
    const { depends, registers } = this.#before;
    const on = (reg: Reg) => depends?.registers[reg] ?? 0n;
    const seen = depends && {
      pinned: PINNED.map((reg) => registers[reg]!),
      address: on(this.#insn.rs1),
      data: kind === 'store' ? on(this.#insn.rs2) : 0n,
      control: depends.control,
    };
    this.#accesses = { item: { kind, address, bytes, value, seen }, rest: this.#accesses };
    this.#accessCount++;
  }
  load(address: Term, bytes: 1 | 2 | 4 | 8, signed: boolean): Term {
    const number = this.#accessCount;
    this.#access('load', address, bytes, undefined);
    return this.#extended(this.#loadedFrom(address, bytes, number), bytes, signed);
  }
  #loadedFrom(address: Term, bytes: 1 | 2 | 4 | 8, number: number): Term {
    const terms = this.#terms;
    if (!terms.watched) return terms.load(this.#memory, address, bytes);
    const restored = bytes === 8 ? terms.knowledge?.restoredAt(number) : undefined;
    this.#loaded = restored?.depends ?? 1n << BigInt(number);
    if (restored !== undefined) {
      terms.usedSaved = true;
      return restored.value;
    }
    return terms.apply(
      `seen${bytes}`,
      [terms.const(BigInt(number)), address],
      bytes === 8 ? {} : { unsigned: bytes * 8 },
    );
  }
  #extended(raw: Term, bytes: 1 | 2 | 4 | 8, signed: boolean): Term {
    return signed && bytes < 8 ? this.#terms.sext(raw, (bytes * 8) as 8 | 16 | 32) : raw;
  }
  store(address: Term, bytes: 1 | 2 | 4 | 8, value: Term): void {
    const stored = bytes === 8 ? this.#asSaved(address, value) : value;
    this.#access('store', address, bytes, stored);
    // Where others may look in between, all accesses are compared.
    if (!this.#terms.watched) this.#memory = this.#terms.store(this.#memory, address, bytes, stored);
  }
  /** A value that optimized code stores where the original saves a return address is that return address, if the value stands for it. */
  #asSaved(address: Term, value: Term): Term {
    const terms = this.#terms;
    if (this.#view.side === 'original') return value;
    const at = terms.addressOf(value);
    const link = at === undefined ? undefined : (this.#view.returns.get(at) ?? at);
    if (link === undefined || !terms.knowledge?.savesLink(address, link)) return value;
    if (at !== link) terms.usedLinks = true;
    return terms.link(link);
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
    const { rm } = this.#insn;
    const dynamic = rm === DYNAMIC_MODE;
    if (EXACT_OPS.has(op)) {
      // The result does not depend on the rounding mode, but legality does: an invalid dynamic mode makes the instruction illegal.
      if (dynamic) this.#flags = { item: this.#terms.apply('rounding mode', [this.#rounding]), rest: this.#flags };
      return this.#terms.apply(op, operands);
    }
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
  /**
   * An event that no access to memory moves across. Where others may look memory is not followed: the number of accesses before the event
   * stands for it.
   */
  #barrier(name: string, ...more: Term[]): void {
    const memory = this.#terms.watched
      ? this.#terms.const(BigInt(this.#accessCount))
      : this.#terms.settled(this.#memory);
    this.#order = this.#terms.apply(name, [this.#order, memory, ...more]);
    this.#memory = this.#terms.barrier(this.#memory, this.#order);
  }
  atomic(address: Term, bytes: 4 | 8, update: (old: Term) => Term): Term {
    const number = this.#accessCount;
    this.#access('load', address, bytes, undefined);
    const old = this.#numbered(this.#extended(this.#loadedFrom(address, bytes, number), bytes, true));
    const value = update(old);
    this.#access('store', address, bytes, value);
    this.#barrier(`atomic${bytes}:${this.#insn.rm}`, address);
    if (!this.#terms.watched) this.#memory = this.#terms.store(this.#memory, address, bytes, value);
    return old;
  }
  fence(): void {
    this.#barrier(`fence${this.#insn.imm}`);
  }
  fenceI(): void {
    this.#barrier('fence.i');
  }
  loadReserved(): Term {
    return this.#refuse('load-reserved');
  }
  storeConditional(): Term {
    return this.#refuse('store-conditional');
  }
  ecall(): void {
    this.#refuse('syscall');
  }
  ebreak(): void {
    this.#refuse('breakpoint');
  }
  #refuse(why: Stop): Term {
    this.#stop = why;
    return this.#before.registers[0]!;
  }
}

/** Runs one instruction at an address (as linked). */
export function symbolicStep(terms: ProofTerms, insn: Insn, pc: Addr, before: State, view: View): Outcome {
  terms.steps++;
  const step = new SymbolicStep(terms, insn, pc, before, view);
  insn.row.semantics(step, terms);
  return step.outcome();
}
