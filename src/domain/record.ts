/**
 * The recording domain: runs a row for its definitions, uses and effects, with values that carry nothing. A row may not branch on a
 * value, so one run sees everything that the row can do.
 */
import type { Reg } from '../base/units.ts';
import type { Control, Domain, Facts, FloatOp, Insn, Step, Work } from '../isa/row.ts';

/** A value is only a token here. */
type Token = null;

const makeToken = (): Token => null;
const token: Domain<Token> = {
  const: makeToken,
  add: makeToken,
  sub: makeToken,
  and: makeToken,
  or: makeToken,
  xor: makeToken,
  shl: makeToken,
  shr: makeToken,
  sar: makeToken,
  mul: makeToken,
  mulhs: makeToken,
  mulhu: makeToken,
  mulhsu: makeToken,
  divs: makeToken,
  divu: makeToken,
  rems: makeToken,
  remu: makeToken,
  eq: makeToken,
  ltS: makeToken,
  ltU: makeToken,
  select: makeToken,
  sext: makeToken,
  zext: makeToken,
  clz: makeToken,
  ctz: makeToken,
  cpop: makeToken,
};

/** A domain that notes products and quotients, and whether their operands or results are cut to 32 bits. */
function noting(recorder: Recorder): Domain<Token> {
  const note = (work: Work) => (): Token => {
    recorder.work = work;
    return null;
  };
  const multiply = note('multiply');
  const divide = note('divide');
  const cut = (_: Token, bits: number): Token => {
    if (bits === 32) recorder.width = 32;
    return null;
  };
  return {
    ...token,
    mul: multiply,
    mulhs: multiply,
    mulhu: multiply,
    mulhsu: multiply,
    divs: divide,
    divu: divide,
    rems: divide,
    remu: divide,
    // LLVM review D149497: cpop runs in the unit that multiplies.
    cpop: multiply,
    sext: cut,
    zext: cut,
  };
}

/** Integers of 32 bits always fit in a double: no flag, no rounding. */
const FLAGLESS_OPS: ReadonlySet<FloatOp> = new Set<FloatOp>(['f64.from.i32', 'f64.from.u32']);
const DYNAMIC_MODE = 7;
const ROUNDED_WORK = /\.(?:add|sub|mul|fma)$/;
const QUOTIENT_WORK = /\.(?:div|sqrt)$/;

class Recorder implements Step<Token> {
  readonly insn: Insn;
  readonly used = { rs1: false, rs2: false, rs3: false };
  writes: Reg | undefined;
  loads: Facts['load'];
  stores: Facts['store'];
  control: Control = 'none';
  accrues = false;
  readsRounding = false;
  ordered = false;
  readsPc = false;
  work: Work = 'simple';
  width: Facts['width'] = 64;
  floatWidth: Facts['width'] | undefined;

  constructor(insn: Insn) {
    this.insn = insn;
  }

  private use(role: 'rs1' | 'rs2' | 'rs3'): Token {
    this.used[role] = true;
    return null;
  }
  rs1 = (): Token => this.use('rs1');
  rs2 = (): Token => this.use('rs2');
  fs1 = (): Token => this.use('rs1');
  fs2 = (): Token => this.use('rs2');
  fs3 = (): Token => this.use('rs3');
  rd(): void {
    if (this.insn.rd !== 0) this.writes = this.insn.rd;
  }
  fd(): void {
    this.writes = this.insn.rd;
  }
  imm(): Token {
    return null;
  }
  pc(): Token {
    this.readsPc = true;
    return null;
  }
  link(): Token {
    this.readsPc = true;
    return null;
  }
  load(_address: Token, bytes: 1 | 2 | 4 | 8, signed: boolean): Token {
    this.loads = { bytes, signed };
    return null;
  }
  store(_address: Token, bytes: 1 | 2 | 4 | 8): void {
    this.stores = { bytes };
  }
  branch(): void {
    this.control = 'branch';
  }
  goto(): void {
    this.control = 'jump';
  }
  jump(): void {
    this.control = 'indirect';
  }
  float(op: FloatOp): Token {
    const dynamic = this.insn.rm === DYNAMIC_MODE;
    if (!FLAGLESS_OPS.has(op) || dynamic) this.accrues = true;
    this.work = ROUNDED_WORK.test(op) ? 'float' : QUOTIENT_WORK.test(op) ? 'float-divide' : 'float-simple';
    this.floatWidth = op.startsWith('f32') ? 32 : 64;
    // A dynamic mode also counts for an operation that never rounds: an invalid frm makes the instruction illegal.
    if (dynamic) this.readsRounding = true;
    return null;
  }
  csr(write: ((old: Token) => Token) | undefined): Token {
    this.ordered = true;
    return write ? write(null) : null;
  }
  writesCsr(): boolean {
    return this.insn.rs1 !== 0 || this.insn.imm !== 0;
  }
  loadReserved(_address: Token, bytes: 4 | 8): Token {
    this.ordered = true;
    this.loads = { bytes, signed: true };
    return null;
  }
  storeConditional(_address: Token, bytes: 4 | 8): Token {
    this.ordered = true;
    this.stores = { bytes };
    return null;
  }
  atomic(_address: Token, bytes: 4 | 8, update: (old: Token) => Token): Token {
    this.ordered = true;
    this.loads = { bytes, signed: true };
    this.stores = { bytes };
    return update(null);
  }
  ecall(): void {
    this.ordered = true;
    this.control = 'syscall';
  }
  ebreak(): void {
    this.ordered = true;
    this.control = 'trap';
  }
  fence(): void {
    this.ordered = true;
  }
  fenceI(): void {
    this.ordered = true;
  }
}

function record(insn: Insn): Facts {
  const r = new Recorder(insn);
  insn.row.semantics(r, noting(r));
  const reads = new Set<Reg>();
  for (const role of ['rs1', 'rs2', 'rs3'] as const) {
    if (r.used[role] && insn[role] !== 0) reads.add(insn[role]);
  }
  const { writes, loads, stores, control, accrues, readsRounding, ordered, readsPc } = r;
  const work = insn.row.work ?? r.work;
  return {
    reads: [...reads],
    writes,
    load: loads,
    store: stores,
    control,
    accrues,
    readsRounding,
    ordered,
    pure: !loads && !stores && control === 'none' && !accrues && !readsRounding && !ordered,
    readsPc,
    work,
    // Boxing and unboxing cut to 32 bits, too: a floating-point operation has its width in its name.
    width: work === 'simple' ? 64 : (r.floatWidth ?? r.width),
  };
}

/**
 * Definitions, uses and effects, worked out once for all instructions of a row with the same key. Nothing is kept with the instruction
 * itself: an object that gets a property later has another shape, and code that reads objects of both shapes gets slow.
 * An access of an atomic instruction is in `load` and `store` as well as in `ordered`.
 */
export function facts(insn: Insn): Facts {
  const { row, rd, rs1, rs2, rs3, imm, rm } = insn;
  // The key has all that a row's semantics can look at: registers, rounding mode, and whether the immediate is 0 (Step.writesCsr).
  const key = rd | (rs1 << 6) | (rs2 << 12) | (rs3 << 18) | (rm << 24) | (imm === 0 ? 0 : 1 << 27);
  let known = row.facts.get(key);
  if (known === undefined) {
    known = record(insn);
    row.facts.set(key, known);
  }
  return known;
}
