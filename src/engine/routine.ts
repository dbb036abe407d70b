/**
 * One routine of the predecoding engines: a row's meaning run over the wasm domain, with operands taken from the record at hand
 * and effects on the hart's block and guest memory. `Frame` hides the differences between the engines.
 */
import type { Code } from '../base/wasm-code.ts';
import { type AccessName, I32, I64 } from '../base/wasm-opcodes.ts';
import { WasmDomain, type WasmValue } from '../domain/wasm.ts';
import { emitFloat, type FloatSite } from '../domain/wasm-float.ts';
import type { FloatOp, Row, Step } from '../isa/row.ts';
import { CSR } from '../isa/zicsr.ts';
import { HART } from '../machine/hart.ts';
import { PAGE_BITS, PERMISSION } from '../machine/memory.ts';
import { EXIT, emitEnterRun, emitIncrement, type Frame, type Layout, pushRecord } from './frame.ts';
import { emitJumpCount, emitJumpHash } from './jump-code.ts';
import { RECORD } from './records.ts';

/** Decoded fields that are fixed for a routine. */
export interface Variant {
  readonly row: Row;
  readonly size: 2 | 4;
  /** Rounding mode field; 0 where the row has none. */
  readonly rm: number;
  /** CSR number; 0 where the row has none. */
  readonly csr: number;
  readonly writesCsr: boolean;
  /** The run ends behind the instruction, though control always goes on there. */
  readonly cut: boolean;
}

export const LOADS: Readonly<Record<string, AccessName>> = {
  '1s': 'i64.load8_s',
  '1u': 'i64.load8_u',
  '2s': 'i64.load16_s',
  '2u': 'i64.load16_u',
  '4s': 'i64.load32_s',
  '4u': 'i64.load32_u',
  '8s': 'i64.load',
  '8u': 'i64.load',
};
export const STORES: Readonly<Record<number, AccessName>> = {
  1: 'i64.store8',
  2: 'i64.store16',
  4: 'i64.store32',
  8: 'i64.store',
};
const LOG2: Readonly<Record<number, number>> = { 1: 0, 2: 1, 4: 2, 8: 3 };
const COUNTERS: readonly number[] = [CSR.cycle, CSR.time, CSR.instret];
/** CSRs that a user-level program has. */
export const CSRS: readonly number[] = [CSR.fflags, CSR.frm, CSR.fcsr, ...COUNTERS];

/** Emits a routine. */
export function emitRoutine(frame: Frame, layout: Layout, variant: Variant): void {
  frame.pool.reset();
  const step = new RoutineStep(frame, layout, variant);
  variant.row.semantics(step, step.domain);
  if (!step.ended) step.advance();
}

/** A row's step in generated code. Translated code keeps registers elsewhere and overrides how they are reached. */
export class RoutineStep implements Step<WasmValue> {
  readonly domain: WasmDomain;
  ended = false;
  protected readonly frame: Frame;
  protected readonly layout: Layout;
  protected readonly variant: Variant;
  protected readonly code: Code;

  constructor(frame: Frame, layout: Layout, variant: Variant) {
    this.frame = frame;
    this.layout = layout;
    this.variant = variant;
    this.code = frame.code;
    this.domain = new WasmDomain(frame.code, frame.pool);
  }

  /** Goes on with the record behind, in the same run or the next. */
  advance(): void {
    const { code, record, next } = this.frame;
    code.get(record).i32(this.#behind).op('i32.add').set(record);
    if (this.variant.cut) emitEnterRun(this.frame);
    else next();
  }
  get #behind(): number {
    return (this.variant.size / 2) * RECORD.SIZE;
  }

  #slot(field: number): Code {
    return this.code.get(this.frame.record).access('i32.load16_u', field);
  }
  protected read(field: number): WasmValue {
    this.#slot(field).access('i64.load', this.layout.hart);
    return this.domain.pop();
  }
  protected write(value: WasmValue): void {
    this.#slot(RECORD.RD);
    this.domain.push(value).access('i64.store', this.layout.hart);
  }
  rs1(): WasmValue {
    return this.read(RECORD.RS1);
  }
  rs2(): WasmValue {
    return this.read(RECORD.RS2);
  }
  rd(value: WasmValue): void {
    this.write(value);
  }
  fs1(): WasmValue {
    return this.read(RECORD.RS1);
  }
  fs2(): WasmValue {
    return this.read(RECORD.RS2);
  }
  fs3(): WasmValue {
    return this.read(RECORD.RS3);
  }
  fd(value: WasmValue): void {
    this.write(value);
  }
  imm(): WasmValue {
    this.code.get(this.frame.record).access('i64.load32_s', RECORD.IMM);
    return this.domain.pop();
  }
  pc(): WasmValue {
    this.code.get(this.frame.record).access('i64.load32_u', RECORD.PC);
    return this.domain.pop();
  }
  link(): WasmValue {
    return this.domain.add(this.pc(), this.domain.const(BigInt(this.variant.size)));
  }

  load(address: WasmValue, bytes: 1 | 2 | 4 | 8, signed: boolean): WasmValue {
    const local = this.domain.local(address);
    this.frame.note?.(local);
    this.check(local, bytes, PERMISSION.READ, EXIT.LOAD);
    return this.#fetch(local, bytes, signed);
  }
  store(address: WasmValue, bytes: 1 | 2 | 4 | 8, value: WasmValue): void {
    const local = this.domain.local(address);
    this.frame.note?.(local);
    this.check(local, bytes, PERMISSION.WRITE, EXIT.STORE);
    this.#put(local, bytes, value);
  }
  #fetch(address: number, bytes: number, signed: boolean): WasmValue {
    this.code
      .get(address)
      .op('i32.wrap_i64')
      .access(LOADS[bytes + (signed ? 's' : 'u')]!, 0);
    return this.domain.pop();
  }
  #put(address: number, bytes: number, value: WasmValue): void {
    this.code.get(address).op('i32.wrap_i64');
    this.domain.push(value).access(STORES[bytes]!, 0);
  }

  /**
   * Leaves with the address in STOP_ADDRESS unless all bytes may be accessed. Rotating the size's bits out of the low end puts the
   * tests for alignment and for the address space's size into one comparison; an aligned access is within one page.
   */
  protected check(address: number, bytes: number, permission: number, exit: number): void {
    const code = this.code;
    const { memorySize, permissions } = this.layout;
    const shift = LOG2[bytes]!;
    const rotated = this.frame.pool.take(I64);
    const fine = code.block();
    const fault = code.block();
    const slow = code.block();
    code.get(address);
    if (shift > 0) code.i64(BigInt(shift)).op('i64.rotr');
    code
      .tee(rotated)
      .i64(BigInt(memorySize / bytes))
      .op('i64.ge_u')
      .brIf(slow);
    code
      .get(rotated)
      .op('i32.wrap_i64')
      .i32(PAGE_BITS - shift)
      .op('i32.shr_u');
    code.access('i32.load8_u', permissions).i32(permission).op('i32.and').brIf(fine);
    code.br(fault);
    code.end();
    code
      .get(address)
      .i64(BigInt(memorySize - bytes))
      .op('i64.gt_u')
      .brIf(fault);
    const permissionOf = (last: number) => {
      code.get(address).op('i32.wrap_i64');
      if (last > 0) code.i32(last).op('i32.add');
      code.i32(PAGE_BITS).op('i32.shr_u').access('i32.load8_u', permissions);
    };
    permissionOf(0);
    permissionOf(bytes - 1);
    code.op('i32.and').i32(permission).op('i32.and').brIf(fine);
    code.end();
    this.leaveAt(address, exit);
    code.end();
  }
  protected leaveAt(address: number, exit: number): void {
    this.code.i32(this.layout.hart).get(address).access('i64.store', HART.STOP_ADDRESS);
    this.frame.leave(exit);
  }

  branch(condition: WasmValue): void {
    this.ended = true;
    const { code, record } = this.frame;
    const count = (field: number) => emitIncrement(code, () => code.get(record), field);
    this.domain.pushCondition(condition);
    code.if();
    count(RECORD.TAKEN);
    code.get(record).access('i32.load', RECORD.TARGET).set(record);
    code.else();
    count(RECORD.NOT_TAKEN);
    code.get(record).i32(this.#behind).op('i32.add').set(record);
    code.end();
    emitEnterRun(this.frame);
  }
  goto(): void {
    this.ended = true;
    const { code, record } = this.frame;
    emitIncrement(code, () => code.get(record), RECORD.TAKEN);
    code.get(record).access('i32.load', RECORD.TARGET).set(record);
    emitEnterRun(this.frame);
  }
  jump(target: WasmValue): void {
    this.ended = true;
    const { code, record, pool } = this.frame;
    const { hart, jumps, deltas } = this.layout;
    const goal = this.domain.local(target);
    if (this.frame.jump) {
      this.frame.jump(goal);
      return;
    }
    const key = pool.take(I64);
    const entry = pool.take(I32);
    const found = pool.take(I64);
    const unknown = code.block();
    // A target beyond 32 bits never is in the table: it would not fit the key.
    code.get(goal).i64(32n).op('i64.shr_u').i64(0n).op('i64.ne').brIf(unknown);
    code.get(record).op('i64.extend_i32_u').i64(32n).op('i64.shl').get(goal).op('i64.or').set(key);
    emitJumpHash(code, record, () => code.get(goal).op('i32.wrap_i64'), entry);
    emitJumpCount(code, jumps, { key, entry, found }, unknown);
    pushRecord(code, deltas, goal).set(record);
    emitEnterRun(this.frame);
    code.end();
    code.i32(hart).get(goal).access('i64.store', HART.STOP_ADDRESS);
    this.frame.leave(EXIT.JUMP);
  }

  float(op: FloatOp, a: WasmValue, b?: WasmValue, c?: WasmValue): WasmValue {
    const { hart, float } = this.layout;
    const { leave } = this.frame;
    const { row, rm } = this.variant;
    const site: FloatSite = {
      domain: this.domain,
      rounding: row.operands.includes('rm') ? rm : undefined,
      flagsAt: hart + HART.FFLAGS,
      roundingAt: hart + HART.FRM,
      slow: float,
      illegal: () => leave(EXIT.ILLEGAL),
    };
    return emitFloat(site, op, a, b, c);
  }

  writesCsr(): boolean {
    return this.variant.writesCsr;
  }
  csr(write: ((old: WasmValue) => WasmValue) | undefined): WasmValue {
    const { code, record, budget, leave } = this.frame;
    const { hart, counter } = this.layout;
    const { csr } = this.variant;
    const field = (offset: number): WasmValue => {
      code.i32(hart).access('i64.load32_u', offset);
      return this.domain.pop();
    };
    const setField = (offset: number, value: WasmValue, shift: bigint, mask: bigint): void => {
      code.i32(hart);
      this.domain.push(value).i64(shift).op('i64.shr_u').i64(mask).op('i64.and').access('i64.store32', offset);
    };
    if (csr === CSR.fflags || csr === CSR.frm) {
      const offset = csr === CSR.frm ? HART.FRM : HART.FFLAGS;
      const old = field(offset);
      if (write !== undefined) setField(offset, write(old), 0n, csr === CSR.frm ? 7n : 31n);
      return old;
    }
    if (csr === CSR.fcsr) {
      const old = this.domain.or(this.domain.shl(field(HART.FRM), this.domain.const(5n)), field(HART.FFLAGS));
      if (write !== undefined) {
        const value = write(old);
        setField(HART.FFLAGS, value, 0n, 31n);
        setField(HART.FRM, value, 5n, 7n);
      }
      return old;
    }
    if (COUNTERS.includes(csr) && write === undefined) {
      code.i32(csr).get(record).get(budget).call(counter);
      return this.domain.pop();
    }
    // No such CSR, or a write to a read-only CSR. Code emitted after this is never reached.
    leave(EXIT.ILLEGAL);
    return this.domain.const(0n);
  }

  loadReserved(address: WasmValue, bytes: 4 | 8): WasmValue {
    const local = this.#atomicAddress(address, bytes, PERMISSION.READ, EXIT.LOAD);
    this.code.i32(this.layout.hart).get(local).access('i64.store', HART.RESERVATION);
    return this.#fetch(local, bytes, true);
  }
  storeConditional(address: WasmValue, bytes: 4 | 8, value: WasmValue): WasmValue {
    const code = this.code;
    const { hart } = this.layout;
    const local = this.#atomicAddress(address, bytes, PERMISSION.WRITE, EXIT.STORE);
    code.i32(hart).access('i64.load', HART.RESERVATION).get(local).op('i64.ne');
    const failed = this.domain.popBool();
    code.i32(hart).i64(-1n).access('i64.store', HART.RESERVATION);
    this.domain.push(this.domain.eq(failed, this.domain.const(0n))).op('i32.wrap_i64');
    code.if();
    this.#put(local, bytes, value);
    code.end();
    return failed;
  }
  atomic(address: WasmValue, bytes: 4 | 8, update: (old: WasmValue) => WasmValue): WasmValue {
    const local = this.#atomicAddress(address, bytes, PERMISSION.WRITE, EXIT.STORE);
    const old = this.#fetch(local, bytes, true);
    this.#put(local, bytes, update(old));
    return old;
  }
  #atomicAddress(address: WasmValue, bytes: number, permission: number, exit: number): number {
    const code = this.code;
    const local = this.domain.local(address);
    code
      .get(local)
      .i64(BigInt(bytes - 1))
      .op('i64.and')
      .i64(0n)
      .op('i64.ne');
    code.if();
    this.leaveAt(local, EXIT.MISALIGNED);
    code.end();
    this.check(local, bytes, permission, exit);
    return local;
  }

  ecall(): void {
    this.ended = true;
    this.frame.leave(EXIT.ECALL);
  }
  ebreak(): void {
    this.ended = true;
    this.frame.leave(EXIT.EBREAK);
  }
  // One hart in program order: nothing to do.
  fence(): void {}
  fenceI(): void {
    this.ended = true;
    this.frame.leave(EXIT.FENCE_I);
  }
}
