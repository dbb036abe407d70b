/**
 * Rows of the instruction set, one for each instruction. Everything else about an instruction is derived from its row
 * (decoder, encoder, text, interpreters, translator, facts, constant folding, proof).
 *
 * The semantics of a row is a function of a `Step` (the operands and effects of this one instruction) and a `Domain` (the form of a
 * 64-bit value: a bigint, wasm code, a term ...). The function may not branch in TypeScript on a value, only through `domain.select`
 * and `step.branch`, so that the function can run where values are not known.
 */
import type { Addr, Reg } from '../base/units.ts';

/** Encoding formats of the unprivileged manual (chapter "RV32I", section 2.3; R4 from chapter "F"). */
export type Format = 'R' | 'R4' | 'I' | 'shift' | 'S' | 'B' | 'U' | 'J' | 'amo' | 'csr' | 'csri' | 'fence' | 'none';

/**
 * Operations of a domain on 64-bit values. Comparison results are 1 or 0. Shift amounts are taken modulo 64.
 * `V` is opaque to rows.
 */
export interface Domain<V> {
  const(value: bigint): V;
  add(a: V, b: V): V;
  sub(a: V, b: V): V;
  and(a: V, b: V): V;
  or(a: V, b: V): V;
  xor(a: V, b: V): V;
  shl(a: V, b: V): V;
  shr(a: V, b: V): V;
  sar(a: V, b: V): V;
  mul(a: V, b: V): V;
  /** The upper 64 bits of the 128-bit product: signed x signed, unsigned x unsigned, signed x unsigned. */
  mulhs(a: V, b: V): V;
  mulhu(a: V, b: V): V;
  mulhsu(a: V, b: V): V;
  /** Division as the M extension defines it: by zero gives -1 (remainder: the dividend), overflow wraps; never a trap. */
  divs(a: V, b: V): V;
  divu(a: V, b: V): V;
  rems(a: V, b: V): V;
  remu(a: V, b: V): V;
  eq(a: V, b: V): V;
  ltS(a: V, b: V): V;
  ltU(a: V, b: V): V;
  /** `condition` nonzero chooses `a`. Both sides are evaluated; neither may have effects. */
  select(condition: V, a: V, b: V): V;
  /** The low `bits` (8, 16 or 32) bits, sign-extended or zero-extended to 64. */
  sext(a: V, bits: 8 | 16 | 32): V;
  zext(a: V, bits: 8 | 16 | 32): V;
  /** Number of zero bits above the highest one bit, of zero bits below the lowest one bit (both 64 for 0), and of one bits. */
  clz(a: V): V;
  ctz(a: V): V;
  cpop(a: V): V;
}

/** Floating-point operations that depend on rounding or raise flags. Rows do all others (sign injection, moves, class) in integers. */
export type FloatOp =
  | `f${32 | 64}.${'add' | 'sub' | 'mul' | 'div' | 'sqrt' | 'fma' | 'min' | 'max' | 'eq' | 'lt' | 'le'}`
  | `f${32 | 64}.to.${'i32' | 'u32' | 'i64' | 'u64'}`
  | `f${32 | 64}.from.${'i32' | 'u32' | 'i64' | 'u64'}`
  | 'f32.from.f64'
  | 'f64.from.f32';

/** One instruction being executed (or translated, recorded, proved): its operands by role, its effects. */
export interface Step<V> {
  /** Integer operands. Reading x0 gives 0; writing it does nothing. */
  rs1(): V;
  rs2(): V;
  rd(value: V): void;
  /** Floating-point registers, raw 64-bit contents. A row checks and makes NaN boxes itself. */
  fs1(): V;
  fs2(): V;
  fs3(): V;
  fd(value: V): void;
  /** The immediate, sign-extended (U format: already shifted left by 12; shift: the amount; csri: the zero-extended 5 bits). */
  imm(): V;
  /** The addresses of this instruction and of the next instruction. */
  pc(): V;
  link(): V;
  /** Loads give the value sign- or zero-extended to 64 bits; stores take the low bytes. Any alignment works. */
  load(address: V, bytes: 1 | 2 | 4 | 8, signed: boolean): V;
  store(address: V, bytes: 1 | 2 | 4 | 8, value: V): void;
  /** Goes to pc + imm if the condition is nonzero, else falls through. */
  branch(condition: V): void;
  /** Goes to pc + imm. */
  goto(): void;
  /** Goes to a computed address. A row reads its operands before it writes rd: rd may be rs1. */
  jump(target: V): void;
  /**
   * A rounded operation with the instruction's rounding mode (dynamic: frm); accrues fflags. f32 operands and results are the
   * zero-extended 32-bit pattern; integer results are sign-extended from their width (also u32, as the manual has it);
   * comparisons give 1 or 0. NaN results are canonical.
   */
  float(op: FloatOp, a: V, b?: V, c?: V): V;
  /** Reads a CSR (before the write, which may be absent), as csrrw/s/c do. `write` makes the new value from the old one. */
  csr(write: ((old: V) => V) | undefined): V;
  /**
   * A decoded field, not a value: is the source field of this CSR instruction (rs1 or the 5 bits) other than 0? With 0, csrrs/c(i)
   * read only, so that read-only CSRs can be read. Same as `insn.rs1 !== 0 || insn.imm !== 0`.
   */
  writesCsr(): boolean;
  /** Loads and makes a reservation on the address. */
  loadReserved(address: V, bytes: 4 | 8): V;
  /** Stores if the reservation still holds; gives 0 on success, 1 otherwise; the reservation is gone in both cases. */
  storeConditional(address: V, bytes: 4 | 8, value: V): V;
  /** An atomic read-modify-write: gives the old value (sign-extended). A misaligned address faults. */
  atomic(address: V, bytes: 4 | 8, update: (old: V) => V): V;
  ecall(): void;
  ebreak(): void;
  fence(): void;
  fenceI(): void;
}

export interface Row {
  /** As in the manual, lower case: `addi`, `fmadd.d`. */
  readonly name: string;
  /** As in the manual: `I`, `M`, `Zicsr`, `Zba`. */
  readonly extension: string;
  readonly format: Format;
  /** A 32-bit word is this instruction if (word & mask) === match, both unsigned. */
  readonly mask: number;
  readonly match: number;
  /** Operands in assembler order, the roles they play. An `f` means a floating-point register; `mem` is imm(rs1); `rm` a rounding mode. */
  readonly operands: readonly Operand[];
  /** A conversion that never rounds: it has an rm field, and assemblers put 0 (rne) there instead of 7 (dynamic). */
  readonly exact?: true;
  /** The kind of work, for rows whose semantics does not show it: a product without carries is a loop of shifts there. */
  readonly work?: Work;
  readonly semantics: <V>(step: Step<V>, domain: Domain<V>) => void;
  /** Facts about the row's instructions, by their fields. domain/record.ts keeps them in the row, because look-up is fastest there. */
  readonly facts: Map<number, Facts>;
}

export type Operand =
  | 'rd'
  | 'rs1'
  | 'rs2'
  | 'fd'
  | 'fs1'
  | 'fs2'
  | 'fs3'
  | 'imm'
  | 'mem'
  | 'base'
  | 'target'
  | 'csr'
  | 'rm'
  | 'aqrl'
  | 'fence';

/**
 * A decoded instruction. Registers of a role the row does not have are 0. Register numbers are Reg: a floating-point operand is
 * 32..63. `rd` holds fd, `rs1` fs1 and so on.
 */
export interface Insn {
  readonly row: Row;
  readonly rd: Reg;
  readonly rs1: Reg;
  readonly rs2: Reg;
  readonly rs3: Reg;
  /** The immediate as in Step.imm, always a signed 32-bit number. For fence: the 12 bits fm|pred|succ. */
  readonly imm: number;
  /** The rounding mode field (0..4, 7 = dynamic) or 0. For AMO: aq<<1 | rl. */
  readonly rm: number;
  /** The CSR number or 0. */
  readonly csr: number;
  /** Bytes of the encoding: 2 or 4. */
  readonly size: 2 | 4;
}

/** How control can leave an instruction. `syscall` falls through after the kernel has run; `trap` (ebreak) does not go on. */
export type Control = 'none' | 'branch' | 'jump' | 'indirect' | 'syscall' | 'trap';

/**
 * The kind of work that makes the result, for models of time: simple integer operations; a product; a quotient or remainder; a rounded
 * floating-point sum or product; a floating-point quotient or root; any other floating-point operation (comparison, conversion).
 */
export type Work = 'simple' | 'multiply' | 'divide' | 'float' | 'float-divide' | 'float-simple';

/** Definitions, uses and effects of one instruction, derived by running its row over the recording domain (domain/record.ts). */
export interface Facts {
  /** Registers read, without x0, each once, in order of role. */
  readonly reads: readonly Reg[];
  /** The register written, if any (never x0). */
  readonly writes: Reg | undefined;
  readonly load: { readonly bytes: 1 | 2 | 4 | 8; readonly signed: boolean } | undefined;
  readonly store: { readonly bytes: 1 | 2 | 4 | 8 } | undefined;
  readonly control: Control;
  /** The instruction may raise floating-point flags, or is illegal where the dynamic rounding mode is invalid. */
  readonly accrues: boolean;
  /** The result, or whether the instruction is legal, depends on frm. */
  readonly readsRounding: boolean;
  /** Must stay in place and in order: AMO, LR/SC, fence, fence.i, CSR access, ecall, ebreak. */
  readonly ordered: boolean;
  /** A pure function of its operands and pc (no memory, no flags, no control): may be moved, merged, dropped, repeated. */
  readonly pure: boolean;
  /** The result depends on pc (auipc, jal, jalr). */
  readonly readsPc: boolean;
  readonly work: Work;
  /** Operand bits of that work: 32, or the whole 64. */
  readonly width: 32 | 64;
}

/** The target of a pc-relative branch or jump; undefined for any other instruction. */
export const targetOf = (insn: Insn, pc: Addr): Addr | undefined =>
  insn.row.format === 'B' || insn.row.format === 'J' ? pc + insn.imm : undefined;

/** A source of decoded instructions. */
export interface InsnSource {
  insnAt(address: Addr): Insn | undefined;
}
