/**
 * Instructions as the records have them. The translator reads records, never the guest's memory: what it makes is then the same
 * program that `dispatch` interprets, also where the guest has written over its code and not yet said so (fence.i).
 */
import type { Addr, Reg } from '../../base/units.ts';
import { facts } from '../../domain/record.ts';
import type { Insn } from '../../isa/row.ts';
import { HART } from '../../machine/hart.ts';
import type { Ending } from '../ending.ts';
import type { Predecoder } from '../predecode.ts';
import { RECORD, ROUTINE } from '../records.ts';
import type { Variant } from '../routine.ts';

export interface CodeInsn {
  readonly pc: Addr;
  readonly record: number;
  readonly insn: Insn;
  readonly variant: Variant;
  readonly ending: Ending;
  /** Where a branch or direct jump leads. */
  readonly target: Addr;
  /** Sets of registers, see registers.ts. */
  readonly reads: bigint;
  readonly writes: bigint;
}

const regOf = (slot: number): Reg => {
  if (slot === HART.SINK) return 0;
  return slot < HART.SINK ? slot / 8 : 32 + (slot - HART.F) / 8;
};

/** Instructions by address, each made once: what is worked out about an instruction is kept with it (see domain/record). */
export class CodeInsns {
  readonly #code: Predecoder;
  readonly #known = new Map<Addr, CodeInsn>();

  constructor(code: Predecoder) {
    this.#code = code;
  }

  /** The instruction at an address, if it has been decoded. */
  at(pc: Addr): CodeInsn | undefined {
    let known = this.#known.get(pc);
    if (known === undefined) {
      known = read(this.#code, pc);
      if (known !== undefined) this.#known.set(pc, known);
    }
    return known;
  }
  /** Records in the range are about to be cleared. */
  forget(from: Addr, to: Addr): void {
    for (const pc of this.#known.keys()) if (pc >= from && pc < to) this.#known.delete(pc);
  }
}

function read(code: Predecoder, pc: Addr): CodeInsn | undefined {
  const { records, routines } = code;
  if (!records.known(pc)) return undefined;
  const record = records.find(pc)!;
  const routine = records.routine(record);
  if (routine < ROUTINE.FIRST) return undefined;
  const variant = routines.variants[routine - ROUTINE.FIRST]!;
  const ending = routines.ending(routine)!;
  const direct = ending === 'branch' || ending === 'goto';
  const target = direct ? records.pcOf(records.word(record, RECORD.TARGET) >>> 0) : 0;
  const { row, size, rm, csr } = variant;
  const insn: Insn = {
    row,
    size,
    rm,
    csr,
    rd: regOf(records.half(record, RECORD.RD)),
    rs1: regOf(records.half(record, RECORD.RS1)),
    rs2: regOf(records.half(record, RECORD.RS2)),
    rs3: ending === 'branch' ? 0 : regOf(records.half(record, RECORD.RS3)),
    imm: direct ? target - pc : records.word(record, RECORD.IMM),
  };
  const { reads, writes: to } = facts(insn);
  const set = reads.reduce((all, reg) => all | (1n << BigInt(reg)), 0n);
  const writes = to === undefined ? 0n : 1n << BigInt(to);
  return { pc, record, insn, variant, ending, target, reads: set, writes };
}
