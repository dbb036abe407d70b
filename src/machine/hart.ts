/**
 * A hart: the architectural state of one hardware thread. It lives in the host area of the guest's linear memory, at a fixed
 * layout, so that generated wasm and TypeScript see the same registers. Registers are bigint here, at the edge; engines use
 * the layout directly.
 */
import type { Reg, RunAddr } from '../base/units.ts';
import type { Memory } from './memory.ts';

/** Byte offsets within a hart's block. Everything is little-endian. x0's slot always holds 0; writes to x0 go to SINK. */
export const HART = {
  /** 32 x i64. */
  X: 0,
  /** i64: where results with rd = x0 go. Slot 32 of X, so that generated code indexes it like a register. */
  SINK: 256,
  /** 32 x i64, raw. */
  F: 264,
  /** i64. */
  PC: 520,
  /** i32: accrued exception flags NV DZ OF UF NX = bits 4..0. */
  FFLAGS: 528,
  /** i32: dynamic rounding mode. */
  FRM: 532,
  /** i64: reserved address, or -1. */
  RESERVATION: 536,
  /** i64 each: why and where generated code stopped (engine-private). */
  STOP_KIND: 544,
  STOP_ADDRESS: 552,
  /** i64: instructions still to run (engine-private). */
  BUDGET: 560,
  /** i64: instructions retired since the start, for the instret and cycle CSRs. The machine adds what each run retired. */
  RETIRED: 568,
  /** Bytes of the block; engines may use the rest of it. */
  SIZE: 1024,
} as const;

export class Hart {
  readonly memory: Memory;
  /** Offset of this hart's block in the linear memory. */
  readonly base: number;
  readonly #view: DataView;
  /** The time CSR at a number of retired instructions; called once for each read. The machine sets it; a bare hart counts instructions. */
  time: (retired: number) => bigint = (retired) => BigInt(Math.floor(retired / 100));

  constructor(memory: Memory) {
    this.memory = memory;
    this.base = memory.allocateHost(HART.SIZE);
    this.#view = new DataView(memory.linear.buffer, this.base, HART.SIZE);
    this.#view.setBigInt64(HART.RESERVATION, -1n, true);
  }

  /** The register's value, unsigned 64 bits. */
  get(reg: Reg): bigint {
    return this.#view.getBigUint64(slotOf(reg), true);
  }
  /** Writes the low 64 bits; a write to x0 is lost. */
  set(reg: Reg, value: bigint): void {
    if (reg !== 0) this.#view.setBigUint64(slotOf(reg), BigInt.asUintN(64, value), true);
  }
  /** The register's value as a number, unsigned; beyond 2^53 rounded. For syscalls, which are too frequent for bigints. */
  number(reg: Reg): number {
    return this.#word(slotOf(reg));
  }
  /** The register's low 32 bits, signed. */
  int32(reg: Reg): number {
    return this.#view.getInt32(slotOf(reg), true);
  }
  /** Writes a whole number, sign-extended to 64 bits. */
  setNumber(reg: Reg, value: number): void {
    if (reg !== 0) this.#setWord(slotOf(reg), value);
  }
  get pc(): RunAddr {
    return this.#word(HART.PC) as RunAddr;
  }
  /** Bit 0 is lost: the kernel goes to user code through sepc, which has no such bit (privileged manual, "Supervisor Exception PC"). */
  set pc(value: number) {
    this.#setWord(HART.PC, value - (value % 2));
  }
  get fflags(): number {
    return this.#view.getInt32(HART.FFLAGS, true);
  }
  set fflags(value: number) {
    this.#view.setInt32(HART.FFLAGS, value & 31, true);
  }
  get frm(): number {
    return this.#view.getInt32(HART.FRM, true);
  }
  set frm(value: number) {
    this.#view.setInt32(HART.FRM, value & 7, true);
  }
  /** The reserved address, or -1n. */
  get reservation(): bigint {
    return this.#view.getBigInt64(HART.RESERVATION, true);
  }
  set reservation(value: bigint) {
    this.#view.setBigInt64(HART.RESERVATION, value, true);
  }
  get retired(): number {
    return this.#word(HART.RETIRED);
  }
  set retired(value: number) {
    this.#setWord(HART.RETIRED, value);
  }

  #word(at: number): number {
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
  }
  #setWord(at: number, value: number): void {
    this.#view.setInt32(at, value, true);
    this.#view.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
  }
}

/** Offset of a register within the hart's block. */
export const slotOf = (reg: Reg): number => (reg < 32 ? HART.X + reg * 8 : HART.F + (reg - 32) * 8);
