/**
 * What an instruction needs of a core and gives back, in numbers: a model after SiFive's U74, an in-order core that issues two at a time.
 *
 * Sources: LLVM, lib/Target/RISCV/RISCVSchedSiFive7.td (two pipes, A for memory, B for control, products, quotients and floating point,
 * integer operations in either; latencies); LLVM review D153666 (four stages; an integer operation or branch is done in the first of them if
 * its operands are there, else in the third, so that what depends on it may always issue one cycle later); GCC, config/riscv/sifive-7.md
 * (store data is read late; latencies of floating-point comparisons, conversions and moves); U74 core complex manual (no CSR access and no
 * pair with a data hazard issues together with another). Correct predictions cost SiFive's cores nothing by their manuals; one cycle for
 * the turn of the fetch at each taken transfer is this model's own estimate, as a small buffer of targets misses often. Caches always hit,
 * predictions are always right: neither is modelled.
 */
import { F0, type Reg } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Facts, Insn } from '../isa/row.ts';

/** A: memory; B: control, products, quotients, floating point; either; alone: nothing issues with it. */
export type Pipe = 'A' | 'B' | 'either' | 'alone';

/** What a result comes from, to say what was waited for. */
export type Producer = 'integer' | 'load' | 'multiply' | 'divide' | 'float' | 'system';

export interface Timing {
  readonly pipe: Pipe;
  /** Registers that must be there when it issues: addresses, factors, floating-point operands. */
  readonly early: readonly Reg[];
  /** Registers that may still come two stages later: of integer operations, branches, data to store. */
  readonly late: readonly Reg[];
  readonly writes: Reg | undefined;
  readonly producer: Producer;
  /** An integer operation: done early if it can be, late if not. */
  readonly flexible: boolean;
  /** Cycles until its result can be read early, and late. */
  readonly latency: number;
  readonly lateLatency: number;
  /** Cycles for which no other of its kind can begin. */
  readonly busy: number;
  /** It can transfer control. */
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
  /** Into a floating-point register, and out of one. */
  floatSimple: 2,
  floatToInteger: 3,
  system: 3,
} as const;

/** By facts, which instructions share that have the same row and registers. */
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
  // What is in a floating-point register is only ever read early.
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
