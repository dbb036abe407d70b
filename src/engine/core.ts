/** One hart's generated code: what it gets from the host, and what it gives back when it leaves. */
import type { InsnCount } from '../base/units.ts';
import { FLOAT_OPS, softfloat } from '../domain/softfloat.ts';
import { CSR } from '../isa/zicsr.ts';
import { HART, type Hart } from '../machine/hart.ts';
import type { Memory } from '../machine/memory.ts';
import { EXIT, type Layout } from './frame.ts';
import type { Predecoder } from './predecode.ts';
import { RECORD } from './records.ts';
import type { Routines } from './routines.ts';

/**
 * Generated code for one hart: runs from a record whose run has been charged. With `interpret` 1, the instruction at the record is
 * interpreted even if translated code begins there. @returns an EXIT; see EXIT_RECORD, EXIT_BUDGET.
 */
export type RunCode = (record: number, budget: number, interpret: number) => number;

/** Fields of the hart's block that generated code fills in when it leaves: i32 each, in the slots engines have for themselves. */
export const EXIT_RECORD = HART.STOP_KIND;
export const EXIT_BUDGET = HART.STOP_KIND + 4;

/** Functions that generated code imports. */
export interface Imports {
  readonly memory: WebAssembly.Memory;
  readonly float: (op: number, rounding: number, a: bigint, b: bigint, c: bigint) => bigint;
  readonly counter: (csr: number, record: number, budget: number) => bigint;
}
/** Addresses that generated code is made for. */
export type Places = Omit<Layout, 'float' | 'counter'>;

/** Makes the code of an engine for the routines so far. Called again when there are more routines. */
export type Generate = (routines: Routines, places: Places, imports: Imports) => RunCode;

export class Core {
  readonly hart: Hart;
  readonly imports: Imports;
  readonly places: Places;
  run: RunCode = () => EXIT.DECODE;
  /** The `end` of the routines that `run` was made with. */
  routines = 0;
  /** For counters read by the guest: instructions retired in this call before the stay, and the budget of the stay. */
  before: InsnCount = 0;
  given: InsnCount = 0;

  constructor(hart: Hart, { checkedAt, size, view, linear }: Memory, { records, jumps }: Predecoder) {
    this.hart = hart;
    this.places = {
      hart: hart.base,
      memorySize: size,
      permissions: checkedAt,
      deltas: records.deltasAt,
      jumps: jumps.at,
    };
    this.imports = {
      memory: linear,
      float: (op, rounding, a, b, c) => {
        const { value, flags } = softfloat(
          FLOAT_OPS[op]!,
          rounding,
          BigInt.asUintN(64, a),
          BigInt.asUintN(64, b),
          BigInt.asUintN(64, c),
        );
        if (flags !== 0) hart.fflags |= flags;
        return value;
      },
      counter: (csr, record, budget) => {
        // An address comes from WebAssembly as a signed number.
        const unspent = budget + view.getInt32((record >>> 0) + RECORD.RUN, true);
        const retired = hart.retired + this.before + this.given - unspent;
        return csr === CSR.time ? hart.time(retired) : BigInt(retired);
      },
    };
  }
}
