/** One instruction's step in a region: operands in locals, effects that need the interpreter left to it. */
import type { Reg } from '../../base/units.ts';
import { I64 } from '../../base/wasm.ts';
import type { WasmValue } from '../../domain/wasm.ts';
import { CSR } from '../../isa/zicsr.ts';
import { PAGE_BITS } from '../../machine/memory.ts';
import { RECORD } from '../records.ts';
import { type Frame, type Layout, RoutineStep } from '../routine.ts';
import type { Extent } from './accesses.ts';
import type { CodeInsn } from './insns.ts';

/** The surroundings of a step. `frame.leave` goes to the interpreter, which executes this instruction and goes on. */
export interface Site {
  readonly frame: Frame;
  readonly layout: Layout;
  local(reg: Reg): number;
  /** What is planned for this instruction's access. */
  planned(): Extent | 'checked' | undefined;
}

const LOG2: Readonly<Record<number, number>> = { 1: 0, 2: 1, 4: 2, 8: 3 };
const STATE: readonly number[] = [CSR.fflags, CSR.frm, CSR.fcsr];

export class RegionStep extends RoutineStep {
  /** What a branch depends on. */
  condition: WasmValue | undefined;
  /** Where an indirect jump goes. */
  goal: number | undefined;
  readonly #site: Site;
  readonly #at: CodeInsn;
  #link: WasmValue | undefined;

  constructor(site: Site, at: CodeInsn) {
    super(site.frame, site.layout, at.variant);
    this.#site = site;
    this.#at = at;
  }

  /** Emits the instruction, but for where a control transfer goes. */
  emit(): void {
    this.frame.pool.reset();
    this.variant.row.semantics<WasmValue>(this, this.domain);
  }
  /** An indirect jump's link is written when nothing can go wrong any more. */
  writeLink(): void {
    if (this.#link !== undefined) this.#put(this.#link);
  }

  protected override read(field: number): WasmValue {
    const { rs1, rs2, rs3 } = this.#at.insn;
    const reg = field === RECORD.RS1 ? rs1 : field === RECORD.RS2 ? rs2 : rs3;
    return reg === 0 ? this.domain.const(0n) : { kind: 'i64', local: this.#site.local(reg) };
  }
  protected override write(value: WasmValue): void {
    if (this.#at.insn.rd === 0) return;
    if (this.#at.ending === 'jump') this.#link = value;
    else this.#put(value);
  }
  #put(value: WasmValue): void {
    this.domain.push(value).set(this.#site.local(this.#at.insn.rd));
  }
  override imm(): WasmValue {
    return this.domain.const(BigInt(this.#at.insn.imm));
  }
  override pc(): WasmValue {
    return this.domain.const(BigInt(this.#at.pc));
  }
  override link(): WasmValue {
    return this.domain.const(BigInt(this.#at.pc + this.#at.insn.size));
  }

  /**
   * Leaves unless the bytes may be accessed. Alone, an access is checked as in the interpreter (see `RoutineStep.check`), and one that is
   * not aligned is left to it; several with one base are checked by their first and last byte.
   */
  protected override check(address: number, bytes: number, permission: number): void {
    const planned = this.#site.planned();
    if (planned === 'checked') return;
    if (planned !== undefined && planned.high - planned.low > bytes) this.#checkExtent(planned);
    else this.#checkAligned(address, bytes, permission);
  }
  #checkAligned(address: number, bytes: number, permission: number): void {
    const { code } = this;
    const { memorySize, permissions } = this.layout;
    const shift = LOG2[bytes]!;
    const rotated = this.frame.pool.take(I64);
    const fine = code.block();
    const bad = code.block();
    code.get(address);
    if (shift > 0) code.i64(BigInt(shift)).op('i64.rotr');
    code
      .tee(rotated)
      .i64(BigInt(memorySize / bytes))
      .op('i64.ge_u')
      .brIf(bad);
    code
      .get(rotated)
      .op('i32.wrap_i64')
      .i32(PAGE_BITS - shift)
      .op('i32.shr_u');
    code.access('i32.load8_u', permissions).i32(permission).op('i32.and', 'i32.eqz').brIf(bad).br(fine);
    code.end();
    this.frame.leave(0);
    code.end();
  }
  #checkExtent({ low, high, permission }: Extent): void {
    const { code } = this;
    const { memorySize, permissions } = this.layout;
    const length = high - low;
    const start = this.frame.pool.take(I64);
    const fine = code.block();
    const bad = code.block();
    this.domain.push(this.rs1()).i64(BigInt(low)).op('i64.add').tee(start);
    code
      .i64(BigInt(memorySize - length))
      .op('i64.gt_u')
      .brIf(bad);
    code.get(start).op('i32.wrap_i64').i32(PAGE_BITS).op('i32.shr_u').access('i32.load8_u', permissions);
    code
      .get(start)
      .op('i32.wrap_i64')
      .i32(length - 1)
      .op('i32.add')
      .i32(PAGE_BITS)
      .op('i32.shr_u')
      .access('i32.load8_u', permissions);
    code.op('i32.and').i32(permission).op('i32.and');
    // Two bits: both must be there.
    if ((permission & (permission - 1)) === 0) code.op('i32.eqz');
    else code.i32(permission).op('i32.ne');
    code.brIf(bad).br(fine);
    code.end();
    this.frame.leave(0);
    code.end();
  }
  protected override leaveAt(): void {
    this.frame.leave(0);
  }

  override branch(condition: WasmValue): void {
    this.condition = condition;
  }
  override goto(): void {}
  override jump(target: WasmValue): void {
    this.goal = this.domain.local(target);
  }
  override csr(write: ((old: WasmValue) => WasmValue) | undefined): WasmValue {
    // Other CSRs are the interpreter's, and so is a change of the rounding mode, which could be to none.
    const { csr } = this.variant;
    if (csr === CSR.fflags || (STATE.includes(csr) && write === undefined)) return super.csr(write);
    this.frame.leave(0);
    return this.domain.const(0n);
  }
}
