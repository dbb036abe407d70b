/**
 * Counts how often the interpreter comes to addresses where a region may begin: targets of calls and of branches back, code behind calls,
 * addresses where regions leave. COUNTED is planted over the instruction, and generated code counts it down.
 */
import type { Addr } from '../../base/units.ts';
import { targetOf } from '../../isa/row.ts';
import { RECORD, ROUTINE } from '../records.ts';
import { keysWithin } from './insns.ts';
import type { Parts } from './parts.ts';

/** Threshold of code behind calls, in thresholds: such code is mostly reached from within its region. */
const LINK_THRESHOLDS = 8;
/** Largest count of a COUNTED. */
export const LARGEST_COUNT = 0xffff;
/** In place of a candidate's count: the candidate has been hot, and is or will be translated if it can be. */
const HOT_MARK = 0;

export class Hotness {
  readonly #parts: Parts;
  /** Visits to a function or a loop until it is hot. */
  readonly #threshold: number;
  /** Addresses where COUNTED is planted, or will be when there is an instruction, with its count. */
  readonly #candidates = new Map<Addr, number>();
  /** Addresses that have been hot. Branches that lead there may have counted in translated code only. */
  readonly #hot = new Set<Addr>();
  /** Addresses whose straight line has been searched for candidates. */
  readonly #walked = new Set<Addr>();

  constructor(parts: Parts, threshold: number) {
    this.#parts = parts;
    this.#threshold = threshold;
  }

  isHot(pc: Addr): boolean {
    return this.#hot.has(pc);
  }
  noteHot(pc: Addr): void {
    this.#hot.add(pc);
  }
  /** The COUNTED at an address has counted down. */
  countedDown(pc: Addr, record: number): void {
    this.#parts.code.records.unplant(record);
    this.settle(pc);
    this.noteHot(pc);
  }
  /** An address needs no count: it is to be translated. */
  settle(pc: Addr): void {
    this.#candidates.set(pc, HOT_MARK);
  }

  /** Is an address seen for the first time since code was last forgotten? */
  isNew(pc: Addr): boolean {
    if (this.#walked.has(pc)) return false;
    this.#walked.add(pc);
    return true;
  }
  /** Finds candidates in the straight line from an address on. */
  walk(pc: Addr): void {
    const { insns, code, destinations } = this.#parts;
    const { records, routines } = code;
    if (!records.known(pc)) return;
    let record = records.find(pc)!;
    for (let at = pc; ; ) {
      const routine = records.routine(record);
      const ending = routines.ending(routine);
      if (ending === undefined) return;
      const waiting = this.#candidates.get(at);
      if (waiting !== undefined) this.#plant(at, waiting);
      const behind = at + routines.size(routine);
      if (routines.flows(routine)) {
        record += ((behind - at) / 2) * RECORD.SIZE;
        at = behind;
        continue;
      }
      const insn = ending === 'none' ? undefined : insns.insnAt(at);
      if (insn === undefined) return;
      const target = targetOf(insn, at)!;
      const calls = insn.rd !== 0 && (ending === 'goto' || ending === 'jump');
      if (calls) this.watch(behind, this.#threshold * LINK_THRESHOLDS);
      if (ending === 'goto' && calls) {
        destinations.addFunction(target);
        this.watch(target);
      } else if ((ending === 'goto' || ending === 'branch') && target < behind) this.watch(target);
      return;
    }
  }

  /** Counts visits to an address from now on, unless a region is entered there or the address is to be hot at least as soon already. */
  watch(pc: Addr, count = this.#threshold): void {
    const known = this.#candidates.get(pc);
    if (this.#parts.regions.ownerOf(pc) !== undefined || (known !== undefined && known <= count)) return;
    this.#candidates.set(pc, count);
    if (this.#parts.insns.insnAt(pc) !== undefined) this.#plant(pc, count);
  }
  /** Counts visits anew, whatever was counted before. */
  watchAgain(pc: Addr, count = this.#threshold): void {
    this.#candidates.delete(pc);
    this.watch(pc, count);
  }
  #plant(pc: Addr, count: number): void {
    const { records } = this.#parts.code;
    const record = records.find(pc)!;
    // An existing region stays.
    if (count !== HOT_MARK && records.raw(record) !== ROUTINE.REGION)
      records.plant(record, ROUTINE.COUNTED, Math.min(count, LARGEST_COUNT));
  }

  /** An address is no candidate any more. */
  unwatch(pc: Addr): void {
    this.#candidates.delete(pc);
  }
  /** Records in the range are about to be cleared. */
  forget(from: Addr, to: Addr): void {
    const { records } = this.#parts.code;
    for (const pc of keysWithin(this.#candidates, from, to)) {
      if (records.known(pc)) records.unplant(records.find(pc)!);
      // Other code may come to the address, and a head that waits is not translated without its code.
      if (this.#candidates.get(pc) === HOT_MARK) this.#candidates.set(pc, this.#threshold);
    }
    this.#walked.clear();
  }
  /** All records are about to be freed. That an address has been hot is still known. */
  forgetAll(): void {
    this.#candidates.clear();
    this.#walked.clear();
  }
}
