/**
 * Instructions as the records have them. The translator reads the records, never newer bytes of the guest's memory: translated code is
 * then the same program that `dispatch` interprets, also where the guest has written over its code and not yet said so (fence.i).
 */

import { alignUp } from '../../base/bits.ts';
import { NO_REGS, type RegSet, regSet } from '../../base/regset.ts';
import type { Addr } from '../../base/units.ts';
import { facts } from '../../domain/record.ts';
import { type Facts, type Insn, targetOf } from '../../isa/row.ts';
import { PERMISSION } from '../../machine/memory.ts';
import type { Ending } from '../ending.ts';
import type { Predecoder } from '../predecode.ts';
import { ROUTINE } from '../records.ts';
import type { Variant } from '../routine.ts';

/** Bytes relative to a register's value, from `low` up to `high`, with the permission for their access. */
export interface Extent {
  readonly low: number;
  readonly high: number;
  readonly permission: number;
}

/** Properties of an instruction that do not depend on its address. */
interface Known {
  readonly insn: Insn;
  readonly facts: Facts;
  readonly variant: Variant;
  readonly ending: Ending;
  /** Sets of registers, see registers.ts. */
  readonly reads: RegSet;
  readonly writes: RegSet;
  /** Of a load or store through a base register and an offset: the bytes accessed, relative to the base `rs1`. */
  readonly access: Extent | undefined;
}

export interface CodeInsn extends Known {
  readonly pc: Addr;
  readonly record: number;
  /** The target of a branch or direct jump. */
  readonly target: Addr;
}

/** Keys in a range of addresses: found by the range or by the keys, whichever are fewer. @param step all keys are multiples of this */
export function* keysWithin(map: ReadonlyMap<Addr, unknown>, from: Addr, to: Addr, step = 2): Generator<Addr> {
  if ((to - from) / step > map.size) {
    for (const at of map.keys()) if (at >= from && at < to) yield at;
  } else for (let at = alignUp(from, step); at < to; at += step) if (map.has(at)) yield at;
}

/** Instructions by address, each described once. */
export class CodeInsns {
  readonly #code: Predecoder;
  readonly #known = new Map<Addr, CodeInsn>();
  /** Equal words have the same object (see decode). */
  readonly #anywhere = new WeakMap<Insn, Known>();

  constructor(code: Predecoder) {
    this.#code = code;
  }

  /** The instruction at an address, if it has been decoded. */
  insnAt(pc: Addr): Insn | undefined {
    return this.#code.insnAt(pc);
  }
  /** The instruction at an address with its properties, if it has been decoded. */
  at(pc: Addr): CodeInsn | undefined {
    let known = this.#known.get(pc);
    if (known === undefined) {
      const insn = this.#code.insnAt(pc);
      if (insn === undefined) return undefined;
      known = this.#describe(pc, insn);
      this.#known.set(pc, known);
    }
    return known;
  }
  /** Records in the range are about to be cleared. */
  forget(from: Addr, to: Addr): void {
    for (const pc of keysWithin(this.#known, from, to)) this.#known.delete(pc);
  }

  forgetAll(): void {
    this.#known.clear();
  }

  #describe(pc: Addr, insn: Insn): CodeInsn {
    let known = this.#anywhere.get(insn);
    if (known === undefined) this.#anywhere.set(insn, (known = this.#know(insn)));
    const { facts: all, variant, ending, reads, writes, access } = known;
    const record = this.#code.records.find(pc)!;
    return { pc, record, target: targetOf(insn, pc) ?? 0, insn, facts: all, variant, ending, reads, writes, access };
  }
  #know(insn: Insn): Known {
    const { routines } = this.#code;
    const routine = routines.of(insn);
    const known = facts(insn);
    const { load, store } = known;
    const bytes = (load ?? store)?.bytes;
    const based = bytes !== undefined && insn.rs1 !== 0 && insn.row.operands.includes('mem');
    return {
      insn,
      facts: known,
      variant: routines.variants[routine - ROUTINE.FIRST]!,
      ending: routines.ending(routine)!,
      reads: regSet(known.reads),
      writes: known.writes === undefined ? NO_REGS : regSet([known.writes]),
      access: based
        ? {
            low: insn.imm,
            high: insn.imm + bytes,
            permission: store === undefined ? PERMISSION.READ : PERMISSION.WRITE,
          }
        : undefined,
    };
  }
}
