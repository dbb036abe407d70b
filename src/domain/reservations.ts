/**
 * Sequences from an LR to its SC. Hardware promises that a loop of them ends only while the loop is short and lies in one place
 * (Unprivileged ISA, "Eventual Success of Store-Conditional Instructions": at most 16 instructions, placed one after the other, without
 * loads, stores, jumps or system calls between). A jump into optimized code within such a loop computes the same, but may never get through.
 */

import type { Addr, ByteCount } from '../base/units.ts';
import { type Insn, type InsnSource, targetOf } from '../isa/row.ts';
import { facts } from './record.ts';

const MOST_INSNS = 16;
/** Bytes of the longest sequence. */
const LONGEST: ByteCount = MOST_INSNS * 4;

/** The half of an LR/SC pair that an instruction is, if any: an atomic that only loads, or only stores. */
export function reservationHalf(insn: Insn): 'lr' | 'sc' | undefined {
  const { ordered, load, store } = facts(insn);
  if (!ordered || (load === undefined) === (store === undefined)) return undefined;
  return load === undefined ? 'sc' : 'lr';
}

/**
 * The end of the sequence that begins at an address: behind its SC, or behind the branch that leads back to try again. Undefined if no LR
 * is there, or no SC follows near enough.
 */
export function sequenceEnd(code: InsnSource, start: Addr): Addr | undefined {
  const first = code.insnAt(start);
  if (first === undefined || reservationHalf(first) !== 'lr') return undefined;
  let end: Addr | undefined;
  let at = start;
  for (let insns = 0; insns < MOST_INSNS; insns++) {
    const insn = code.insnAt(at);
    if (insn === undefined) break;
    const next = at + insn.size;
    const target = targetOf(insn, at);
    // An LR with another SC behind begins a sequence of its own, which is found by itself.
    if (reservationHalf(insn) === 'sc' || (end !== undefined && target !== undefined && target <= start)) end = next;
    at = next;
  }
  return end;
}

/** The LR of a sequence that has bytes in a range; undefined if none has. */
export function sequenceWithin(code: InsnSource, start: Addr, size: ByteCount): Addr | undefined {
  for (let at = start - LONGEST + 2; at < start + size; at += 2) {
    const end = sequenceEnd(code, at);
    if (end !== undefined && end > start) return at;
  }
  return undefined;
}
