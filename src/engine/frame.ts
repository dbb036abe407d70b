/**
 * The interface between routines and the engines that contain them: the places of data, how the next record is reached, how generated code
 * is left; and small pieces of code common to all of them.
 */
import type { Code } from '../base/wasm-code.ts';
import type { LocalPool } from '../domain/wasm.ts';
import type { FloatOp } from '../isa/row.ts';
import { PAGE_BITS } from '../machine/memory.ts';
import { RECORD } from './records.ts';

/** Why generated code returns to the host. */
export const EXIT = {
  /** The budget does not cover the run at the record (which has been charged). */
  BUDGET: 1,
  /** Nothing is decoded at the record. */
  DECODE: 2,
  /** A stop planted by the host. */
  STOP: 3,
  LOAD: 4,
  STORE: 5,
  MISALIGNED: 6,
  /** An ecall has retired. */
  ECALL: 7,
  EBREAK: 8,
  ILLEGAL: 9,
  /** An indirect jump has retired, whose site and target are not in the table yet; HART.STOP_ADDRESS has the target. */
  JUMP: 10,
  /** A fence.i has retired. */
  FENCE_I: 11,
  /** COUNTED has counted down. */
  HOT: 12,
  /** As JUMP, but counted already: control goes to HART.STOP_ADDRESS, where there is no code. */
  FAR: 13,
} as const;

/** Places of data for generated code in the linear memory, and functions that it may call. */
export interface Layout {
  readonly hart: number;
  readonly memorySize: number;
  readonly permissions: number;
  readonly deltas: number;
  readonly jumps: number;
  /** The function (FLOAT_OPS index, rounding mode, a, b, c) -> value that does an operation exactly and accrues the flags. */
  readonly float: (op: FloatOp) => number;
  /** Imported: (csr number, record, budget) -> value of a counter. */
  readonly counter: number;
}

/** The surroundings of a routine. */
export interface Frame {
  readonly code: Code;
  readonly pool: LocalPool;
  /** Local: the current record. */
  readonly record: number;
  /** Local: the budget, minus the charge for the current run. */
  readonly budget: number;
  /** Goes on with the routine of the record in the local. */
  next(): void;
  /** Returns to the host. */
  leave(exit: number): void;
  /** Called with the address of each load and store, an i64 local. */
  note?(address: number): void;
  /** Goes to the address in the i64 local from the indirect jump at the record; by default through the table of jumps. */
  jump?(goal: number): void;
}

/** Charges the run at the record in the local to the budget; leaves if the budget does not cover the run. */
export function emitCharge({ code, record, budget, leave }: Frame): void {
  code.get(budget).get(record).access('i32.load', RECORD.RUN).op('i32.sub').tee(budget);
  code.i32(0).op('i32.lt_s');
  code.if();
  leave(EXIT.BUDGET);
  code.end();
}
/** Charges the run at the record in the local to the budget, and goes there. */
export function emitEnterRun(frame: Frame): void {
  emitCharge(frame);
  frame.next();
}

/** Adds 1 to the i64 at an address. */
export function emitIncrement(code: Code, address: () => unknown, offset: number): void {
  address();
  address();
  code.access('i64.load', offset).i64(1n).op('i64.add').access('i64.store', offset);
}

/** Pushes the delta of records for the page of the address in an i64 local, below the memory's size: 0 if there are no records. */
export function pushDelta(code: Code, deltas: number, address: number): Code {
  code.get(address).op('i32.wrap_i64').i32(PAGE_BITS).op('i32.shr_u');
  return code.i32(2).op('i32.shl').access('i32.load', deltas);
}

/** Pushes the record for the address in an i64 local, whose page has records. */
export function pushRecord(code: Code, deltas: number, address: number): Code {
  code.get(address).op('i32.wrap_i64').i32(4).op('i32.shl');
  return pushDelta(code, deltas, address).op('i32.add');
}
