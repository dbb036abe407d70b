/** One instruction's step in a region: operands are in locals; effects that need the interpreter are left to it. */
import type { Reg } from '../../base/units.ts';
import type { Label } from '../../base/wasm-code.ts';
import { I64 } from '../../base/wasm-opcodes.ts';
import type { WasmValue } from '../../domain/wasm.ts';
import { CSR } from '../../isa/zicsr.ts';
import { PAGE_BITS, PERMISSION } from '../../machine/memory.ts';
import type { Frame, Layout } from '../frame.ts';
import { RECORD } from '../records.ts';
import { LOADS, RoutineStep, STORES } from '../routine.ts';
import { isSingle, type Planned } from './accesses.ts';
import type { CodeInsn, Extent } from './insns.ts';

/** The surroundings of a step. `frame.leave` goes to the interpreter, which executes this instruction and goes on. */
export interface Site {
  readonly frame: Frame;
  readonly layout: Layout;
  local(reg: Reg): number;
  /** The plan for this instruction's access. */
  planned(): Planned | undefined;
  /** Start of the range that this instruction probably accesses, and address of the limit for it; undefined if no range is known. */
  range(permission: number, bytes: number): { readonly low: number; readonly limit: number } | undefined;
}

const LOG2: Readonly<Record<number, number>> = { 1: 0, 2: 1, 4: 2, 8: 3 };
const FLOAT_CSRS: readonly number[] = [CSR.fflags, CSR.frm, CSR.fcsr];

export class RegionStep extends RoutineStep {
  /** The condition of a branch. */
  condition: WasmValue | undefined;
  /** The target of an indirect jump: a local. */
  goal: number | undefined;
  readonly #site: Site;
  readonly #at: CodeInsn;
  #link: WasmValue | undefined;

  constructor(site: Site, at: CodeInsn) {
    super(site.frame, site.layout, at.variant);
    this.#site = site;
    this.#at = at;
  }

  /** Emits the instruction, but for the transfer of control itself. */
  emit(): void {
    this.frame.pool.reset();
    this.variant.row.semantics<WasmValue>(this, this.domain);
  }
  /** Writes an indirect jump's link: only when the jump cannot leave for the interpreter any more. */
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

  override load(address: WasmValue, bytes: 1 | 2 | 4 | 8, signed: boolean): WasmValue {
    const planned = this.#site.planned();
    if (planned === undefined) return super.load(address, bytes, signed);
    this.#checkPlanned(planned, address, bytes);
    const offset = this.#pushAddress(planned);
    this.code.access(LOADS[bytes + (signed ? 's' : 'u')]!, offset);
    return this.domain.pop();
  }
  override store(address: WasmValue, bytes: 1 | 2 | 4 | 8, value: WasmValue): void {
    const planned = this.#site.planned();
    if (planned === undefined) {
      super.store(address, bytes, value);
      return;
    }
    this.#checkPlanned(planned, address, bytes);
    const offset = this.#pushAddress(planned);
    this.domain.push(value).access(STORES[bytes]!, offset);
  }
  /** @returns the offset to access at */
  #pushAddress({ base, offset }: Planned): number {
    const { code } = this;
    code.get(this.#site.local(base)).op('i32.wrap_i64');
    if (offset >= 0) return offset;
    code.i32(offset).op('i32.add');
    return 0;
  }
  #checkPlanned({ extent }: Planned, address: WasmValue, bytes: number): void {
    if (extent === undefined) return;
    if (isSingle(extent, bytes)) this.check(this.domain.local(address), bytes, extent.permission);
    else this.#checkExtent(extent);
  }

  /**
   * Leaves unless the bytes may be accessed. The range that they are probably in is checked first, if it is known, and the pages'
   * permissions only if they are not in it. Several accesses with one base are checked by their first and last byte.
   */
  protected override check(address: number, bytes: number, permission: number): void {
    this.#checkBytes({ kind: 'i64', local: address }, bytes, permission, true);
  }
  #checkExtent({ low, high, permission }: Extent): void {
    const base = this.#site.local(this.#at.insn.rs1);
    this.#checkBytes(
      { kind: 'sum', local: base, offset: BigInt.asUintN(64, BigInt(low)) },
      high - low,
      permission,
      false,
    );
  }
  #checkBytes(start: WasmValue, bytes: number, permission: number, single: boolean): void {
    const { code } = this;
    const fine = code.block();
    this.#ifInRange(start, bytes, permission, fine);
    this.domain.push(start);
    emitPermitted(this.frame, this.layout, bytes, permission, single);
    code.brIf(fine, true);
    this.frame.leave(0);
    code.end();
  }
  /** Goes to a label if the bytes are in the range that they are probably in. */
  #ifInRange(start: WasmValue, bytes: number, permission: number, fine: Label): void {
    const range = this.#site.range(permission, bytes);
    if (range === undefined) return;
    this.domain.push(this.domain.add(start, this.domain.const(BigInt(-range.low))));
    this.code.i32(range.limit).access('i64.load', 0).op('i64.lt_u').brIf(fine, true);
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
    // The interpreter executes accesses to other CSRs, and changes of the rounding mode, as the new mode could be invalid.
    const { csr } = this.variant;
    if (csr === CSR.fflags || (FLOAT_CSRS.includes(csr) && write === undefined)) return super.csr(write);
    this.frame.leave(0);
    return this.domain.const(0n);
  }
}

/**
 * Replaces the i64 address on the stack by 0 unless so many bytes there may be accessed: without a branch, for V8's sake. A single
 * access that is not aligned gives 0: rotating the size's bits out of the low end puts the tests for alignment and for the address space's
 * size into one comparison, and the bytes are in one page. For several accesses together the pages of first and last byte are tested.
 */
export function emitPermitted(
  { code, pool }: Frame,
  { memorySize, permissions }: Layout,
  bytes: number,
  permission: number,
  single: boolean,
): void {
  const address = pool.take(I64);
  // Pages that may be written may be read (see machine/load.ts).
  const bit = Math.log2(permission & PERMISSION.WRITE || permission);
  const shift = single ? LOG2[bytes] : undefined;
  if (shift === undefined) {
    code.tee(address).op('i32.wrap_i64').i32(PAGE_BITS).op('i32.shr_u').access('i32.load8_u', permissions);
    code
      .get(address)
      .op('i32.wrap_i64')
      .i32(bytes - 1)
      .op('i32.add');
    code.i32(PAGE_BITS).op('i32.shr_u').access('i32.load8_u', permissions).op('i32.and');
    code
      .i32(bit)
      .op('i32.shr_u')
      .get(address)
      .i64(BigInt(memorySize - bytes + 1))
      .op('i64.lt_u', 'i32.and');
  } else {
    if (shift > 0) code.i64(BigInt(shift)).op('i64.rotr');
    code
      .tee(address)
      .op('i32.wrap_i64')
      .i32(PAGE_BITS - shift)
      .op('i32.shr_u')
      .access('i32.load8_u', permissions);
    code
      .i32(bit)
      .op('i32.shr_u')
      .get(address)
      .i64(BigInt(memorySize / bytes))
      .op('i64.lt_u', 'i32.and');
  }
}
