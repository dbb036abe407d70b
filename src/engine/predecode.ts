/**
 * From guest code to records: decodes a run at a time, keeps the counts that are in records when they have to be cleared, and sums
 * everything up as transfers.
 */
import { alignDown, alignUp } from '../base/bits.ts';
import type { Addr, ByteCount, InsnCount } from '../base/units.ts';
import { decodeAt, lengthOf } from '../isa/decode.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import { HART, slotOf } from '../machine/hart.ts';
import { type Memory, PAGE, PERMISSION } from '../machine/memory.ts';
import { JumpTable } from './jumps.ts';
import { RECORD, Records, ROUTINE } from './records.ts';
import { Routines } from './routines.ts';
import { TransferCounts } from './transfers.ts';

/** Why there is no instruction at an address. */
export type Undecodable = 'fetch' | 'illegal';

const LONGEST = 4;

export class Predecoder {
  readonly records: Records;
  readonly routines = new Routines();
  readonly jumps: JumpTable;
  readonly #memory: Memory;
  /** What has been taken out of records. */
  readonly #counts = new TransferCounts();
  /** Called with a range before its records are cleared. */
  onClear: ((from: Addr, to: Addr) => void) | undefined;
  /** The instructions that are in records, by address, for who sets it to a map. */
  insns: Map<Addr, Insn> | undefined;
  /** First addresses of pages that records have been written in. */
  readonly #pages = new Set<Addr>();

  constructor(memory: Memory) {
    this.#memory = memory;
    this.records = new Records(memory);
    this.jumps = new JumpTable(memory, this.records);
  }

  /** Makes the record at an address executable. @returns why not, if it cannot be */
  decode(pc: Addr): Undecodable | undefined {
    const { records, routines } = this;
    const insns: { readonly insn: Insn; readonly routine: number }[] = [];
    const start = records.find(pc);
    if (start === undefined) return 'fetch';
    let at = pc;
    let record = start;
    /** The run of what stands behind the new instructions. */
    let run = 0;
    for (;;) {
      if (records.isGuard(record, at)) break;
      const there = records.routine(record);
      if (there === ROUTINE.PROBE) this.invalidate(at, 2);
      else if (there !== ROUTINE.UNDECODED) {
        run = records.word(record, RECORD.RUN);
        break;
      }
      const insn = this.#fetch(at);
      if (typeof insn === 'string') {
        records.setRoutine(record, insn === 'illegal' ? ROUTINE.ILLEGAL : ROUTINE.PROBE);
        this.use(at);
        if (insns.length === 0) return insn;
        break;
      }
      const routine = routines.of(insn);
      insns.push({ insn, routine });
      if (routines.ending(routine) !== 'none') break;
      at += insn.size;
      record += (insn.size / 2) * RECORD.SIZE;
    }
    at = pc;
    record = start;
    for (const [i, { insn, routine }] of insns.entries()) {
      this.#write(record, at, insn, routine, run + insns.length - i);
      at += insn.size;
      record += (insn.size / 2) * RECORD.SIZE;
    }
    return undefined;
  }

  #fetch(at: Addr): Insn | Undecodable {
    const { records } = this;
    if (!records.executable(at)) return 'fetch';
    const length = lengthOf(this.#memory.bytes[at]);
    if (!records.executable(at + length - 1)) return 'fetch';
    return decodeAt(this.#memory.bytes, at) ?? 'illegal';
  }

  #write(record: number, at: Addr, insn: Insn, routine: number, run: number): void {
    const { records, routines } = this;
    const ending = routines.ending(routine);
    const target = targetOf(insn, at);
    records.setHalf(record, RECORD.RD, insn.rd === 0 ? HART.SINK : slotOf(insn.rd));
    records.setHalf(record, RECORD.RS1, slotOf(insn.rs1));
    records.setHalf(record, RECORD.RS2, slotOf(insn.rs2));
    records.setWord(record, RECORD.IMM, target === undefined ? insn.imm : records.target(target));
    records.setWord(record, RECORD.RUN, run);
    if (ending !== 'branch') {
      records.setWord(record, RECORD.PC, at);
      records.setHalf(record, RECORD.RS3, slotOf(insn.rs3));
    }
    // Code from another run may be entered there already.
    records.settle(record, routine);
    this.insns?.set(at, insn);
    this.use(at);
  }
  /** Something is in the records of an address's page. */
  use(at: Addr): void {
    this.#pages.add(alignDown(at, PAGE));
  }

  /**
   * The host's part when generated code stands before a record without an instruction: the record to go on with if there is one.
   * Stand-ins and guards are made to lead there by themselves the next time.
   */
  resolve(pc: Addr, record: number): number | Undecodable {
    const { records } = this;
    const real = records.find(pc);
    if (real === undefined) return 'fetch';
    if (real !== record) {
      records.setWord(record, RECORD.TARGET, real);
      records.setRoutine(record, ROUTINE.FORWARD);
    }
    return this.#ready(pc, real) ?? real;
  }
  #ready(pc: Addr, record: number): Undecodable | undefined {
    const routine = this.records.routine(record);
    return routine === ROUTINE.UNDECODED || routine === ROUTINE.PROBE ? this.decode(pc) : undefined;
  }

  /** Forgets the instructions that lie in a range, and those that flow into it. */
  invalidate(address: Addr, length: ByteCount): void {
    const end = address + length;
    const first = this.reaching(address);
    this.onClear?.(first, end);
    for (const [from, to] of this.records.ranges(first, end))
      for (let page = alignDown(from, PAGE); page < to; page += PAGE)
        if (this.#pages.has(page)) this.#clear(Math.max(page, from), Math.min(page + PAGE, to));
  }

  /** Forgets what guest stores can have changed: pages that are executable and writable (others change through system calls only). */
  invalidateWritable(): void {
    for (const page of [...this.#pages])
      if ((this.#memory.permissions[page / PAGE] & PERMISSION.WRITE) !== 0) this.invalidate(page, PAGE);
  }

  /** The lowest address of an instruction that flows or reaches into what begins at `address`. */
  reaching(address: Addr): Addr {
    const { records, routines } = this;
    let first = address;
    for (let at = alignUp(address, 2) - 2; at >= first - LONGEST && at >= 0; at -= 2) {
      const record = this.#pages.has(alignDown(at, PAGE)) ? records.find(at) : undefined;
      if (record === undefined) continue;
      const routine = records.routine(record);
      const ending = routines.ending(routine);
      if (ending === undefined) continue;
      const behind = at + routines.size(routine);
      if (behind > first || (behind === first && ending === 'none')) first = at;
    }
    return first;
  }

  #clear(from: Addr, to: Addr): void {
    const { records } = this;
    const start = records.find(alignUp(from, 2));
    if (start === undefined) return;
    for (let record = start, at = alignUp(from, 2); at < to; at += 2, record += RECORD.SIZE) {
      if (records.routine(record) === ROUTINE.UNDECODED) continue;
      this.#collect(record, at, this.#counts);
      records.clear(record);
      this.insns?.delete(at);
    }
  }

  /** Adds the counts in a record. */
  #collect(record: number, at: Addr, counts: TransferCounts): void {
    const { records, routines } = this;
    const routine = records.routine(record);
    const behind = at + routines.size(routine);
    switch (routines.ending(routine)) {
      case 'branch':
        counts.add(at, behind, records.count(record, RECORD.NOT_TAKEN));
        counts.add(at, this.#targetPc(record), records.count(record, RECORD.TAKEN));
        break;
      case 'goto':
        counts.add(at, this.#targetPc(record), records.count(record, RECORD.TAKEN));
        break;
      case 'ecall':
        counts.add(at, behind, records.count(record, RECORD.TAKEN));
        break;
      default:
    }
  }
  #targetPc(record: number): Addr {
    const pc = this.records.pcOf(this.records.word(record, RECORD.TARGET) >>> 0);
    // A jump back over address 0.
    return pc < 0 ? Number(BigInt.asUintN(64, BigInt(pc))) : pc;
  }

  /** Counts a transfer that cannot be counted in a table. */
  count(from: Addr, to: Addr, count: InsnCount): void {
    this.#counts.add(from, to, count);
  }

  /** Everything counted in records and tables so far. */
  counts(): TransferCounts {
    const all = this.#counts.copy();
    this.jumps.collect(all);
    for (const page of this.#pages)
      for (const [from, to] of this.records.ranges(page, page + PAGE)) {
        const start = this.records.find(from);
        if (start === undefined) continue;
        for (let record = start, at = from; at < to; at += 2, record += RECORD.SIZE) this.#collect(record, at, all);
      }
    return all;
  }
}
