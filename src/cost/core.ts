/**
 * The timing of instructions (pipe, operands, latencies) on a model of SiFive's U74, an in-order core that issues two at a time.
 *
 * Sources: LLVM, lib/Target/RISCV/RISCVSchedSiFive7.td (two pipes, A for memory, B for control, products, quotients and floating point,
 * integer operations in either; latencies); LLVM review D153666 (four stages; an integer operation or branch is done in the first of them
 * if its operands are there, else in the third, so that a dependent one may always issue one cycle later); GCC, config/riscv/sifive-7.md
 * (store data is read late; latencies of floating-point comparisons, conversions and moves); U74 core complex manual (no CSR access and no
 * pair with a data hazard issues together with another). Correct predictions cost SiFive's cores nothing by their manuals; one cycle for
 * the turn of the fetch at each taken transfer is this model's own estimate, as a small buffer of targets misses often. Caches always hit
 * and predictions are always right: misses and mispredictions are not modelled.
 */
import { F0, type Reg } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Facts, Insn } from '../isa/row.ts';

/** A: memory; B: control, products, quotients, floating point; either: integer operations; alone: no other instruction issues with it. */
export type Pipe = 'A' | 'B' | 'either' | 'alone';

/** The kind of instruction that made a result, to name the cause of a wait. */
export type Producer = 'integer' | 'load' | 'multiply' | 'divide' | 'float' | 'system';

export interface Timing {
  readonly pipe: Pipe;
  /** Registers that must be ready when the instruction issues: addresses, factors, floating-point operands. */
  readonly early: readonly Reg[];
  /** Registers that may be ready two stages later: operands of integer operations and branches, data to store. */
  readonly late: readonly Reg[];
  readonly writes: Reg | undefined;
  readonly producer: Producer;
  /** An integer operation or a branch: executed in the early stage if its operands are ready there, otherwise in the late one. */
  readonly flexible: boolean;
  /** Cycles until the result can be read in the early stage, and in the late one. */
  readonly latency: number;
  readonly lateLatency: number;
  /** Divisions, integer and floating-point: cycles for which no other division can begin; 0 for other instructions. */
  readonly busy: number;
  /** Can the instruction transfer control? */
  readonly transfers: boolean;
}

/** Cycles lost when fetch turns to the target of a taken branch or jump. */
export const TURN = 1;
/** Stages between the early and the late place of execution. */
export const STAGES = 2;

const LATENCY = {
  integer: 1,
  load: 3,
  floatLoad: 2,
  multiply: 3,
  divide: { 32: 34, 64: 66 },
  float: { 32: 5, 64: 7 },
  floatDivide: { 32: 27, 64: 56 },
  /** Simple operations with a floating-point result; and those with an integer result. */
  floatSimple: 2,
  floatToInteger: 3,
  system: 3,
} as const;

/** By facts: instructions with the same row and registers share one object. */
const known = new WeakMap<Facts, Timing>();

/** The timing of an instruction with the registers it names. */
export function timingOf(insn: Insn): Timing {
  const fact = facts(insn);
  let timing = known.get(fact);
  if (timing === undefined) {
    timing = makeTiming(insn);
    known.set(fact, timing);
  }
  return timing;
}

/** The timing of an instruction whose operands are in these registers. */
export const timingAt = (insn: Insn, rs1: Reg, rs2: Reg, rs3: Reg): Timing =>
  timingOf(rs1 === insn.rs1 && rs2 === insn.rs2 && rs3 === insn.rs3 ? insn : { ...insn, rs1, rs2, rs3 });

function makeTiming(insn: Insn): Timing {
  const { reads, writes, load, store, control, ordered, work, width } = facts(insn);
  const timing = (
    pipe: Pipe,
    producer: Producer,
    latency: number,
    more: Partial<Timing> = { early: reads },
    lateLatency = Math.max(1, latency - STAGES),
  ): Timing => ({
    pipe,
    early: [],
    late: [],
    writes,
    producer,
    flexible: false,
    latency,
    lateLatency,
    busy: 0,
    transfers: control !== 'none',
    ...more,
  });
  const float = (reg: Reg | undefined) => reg !== undefined && reg >= F0;
  // A floating-point register is only ever read in the early stage.
  const plain = (latency: number) => (float(writes) ? latency : undefined);
  if (ordered) return timing('alone', 'system', LATENCY.system);
  if (store !== undefined) {
    const data = insn.rs2 !== 0 && insn.rs2 !== insn.rs1 ? [insn.rs2] : [];
    return timing('A', 'integer', 0, { early: reads.filter((reg) => !data.includes(reg)), late: data });
  }
  if (load !== undefined) {
    const latency = float(writes) ? LATENCY.floatLoad : LATENCY.load;
    return timing('A', 'load', latency, { early: reads }, plain(latency));
  }
  if (control !== 'none')
    return timing('B', 'integer', LATENCY.integer, { late: reads, flexible: control === 'branch' });
  const busy = (cycles: number) => ({ early: reads, busy: cycles - 1 });
  switch (work) {
    case 'multiply':
      return timing('B', 'multiply', LATENCY.multiply);
    case 'divide':
      return timing('B', 'divide', LATENCY.divide[width], busy(LATENCY.divide[width]));
    case 'float':
      return timing('B', 'float', LATENCY.float[width], { early: reads }, LATENCY.float[width]);
    case 'float-divide':
      return timing(
        'B',
        'float',
        LATENCY.floatDivide[width],
        busy(LATENCY.floatDivide[width]),
        LATENCY.floatDivide[width],
      );
    case 'float-simple':
    case 'simple':
      if (float(writes)) return timing('B', 'float', LATENCY.floatSimple, { early: reads }, LATENCY.floatSimple);
      if (work === 'float-simple' || reads.some(float))
        return timing('B', 'float', LATENCY.floatToInteger, { early: reads }, LATENCY.floatToInteger - 1);
      return timing('either', 'integer', LATENCY.integer, { late: reads, flexible: true });
  }
}
