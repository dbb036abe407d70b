/**
 * From guest code to records: decodes a run at a time, saves the counts of records that have to be cleared, and sums all counts up as
 * transfers.
 */
import { alignDown, alignUp } from '../base/bits.ts';
import { type Addr, type ByteCount, type InsnCount, PAGE } from '../base/units.ts';
import { decode, decodeAt, lengthOf } from '../isa/decode.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import { HART, slotOf } from '../machine/hart.ts';
import { type Memory, PERMISSION } from '../machine/memory.ts';
import { JumpTable } from './jumps.ts';
import { RECORD, Records, ROUTINE } from './records.ts';
import { Routines } from './routines.ts';
import { TransferCounts } from './transfers.ts';

/** Why there is no instruction at an address. */
export type Undecodable = 'fetch' | 'illegal';

const LONGEST_INSN_BYTES = 4;
/** Instructions that are decoded at a time at most: code may be a straight line of any length. */
const LONGEST_RUN_INSNS = 512;

/** Bytes of the host area that decoding and translating take at most between two looks at `full`. */
const ROOM = 2 ** 25;

export class Predecoder {
  readonly records: Records;
  readonly routines = new Routines();
  readonly jumps: JumpTable;
  readonly #memory: Memory;
  /** Counts that have been taken out of records. */
  readonly #counts = new TransferCounts();
  /** Called with a range before its records are cleared. */
  onClear: ((from: Addr, to: Addr) => void) | undefined;
  /** Called before all records are freed. */
  onReset: (() => void) | undefined;
  /** First addresses of pages that records have been written in. */
  readonly #pages = new Set<Addr>();
  /** Of these pages, those whose writes are noticed, and those that have been or may have been written to. */
  readonly #watched = new Set<Addr>();
  readonly #dirty = new Set<Addr>();
  /** Contents of dirty pages before the first write, and instructions that have been decoded there since. */
  readonly #before = new Map<Addr, Uint8Array>();
  readonly #since = new Map<Addr, Insn>();

  readonly #room: ByteCount;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#room = Math.min(ROOM, (memory.bytes.length - memory.size) / 8);
    this.records = new Records(memory);
    this.jumps = new JumpTable(memory, this.records);
  }

  /** Decodes the run at an address into its records. @returns the reason if there is no instruction at the address */
  decode(pc: Addr): Undecodable | undefined {
    const { records, routines } = this;
    const insns: Insn[] = [];
    const start = records.find(pc);
    if (start === undefined) return 'fetch';
    let at = pc;
    let record = start;
    /** Length of the run that the new instructions flow into. */
    let run = 0;
    let ended = false;
    for (;;) {
      if (records.isGuard(record, at)) break;
      const there = records.routine(record);
      if (there === ROUTINE.PROBE) this.invalidate(at, 2);
      else if (there !== ROUTINE.UNDECODED) {
        run = records.word(record, RECORD.RUN);
        break;
      }
      if (insns.length === LONGEST_RUN_INSNS) break;
      const insn = this.#fetch(at);
      if (typeof insn === 'string') {
        records.setRoutine(record, insn === 'illegal' ? ROUTINE.ILLEGAL : ROUTINE.PROBE);
        this.use(at);
        if (insns.length === 0) return insn;
        break;
      }
      insns.push(insn);
      ended = routines.ending(routines.of(insn)) !== 'none';
      if (ended) break;
      at += insn.size;
      record += (insn.size / 2) * RECORD.SIZE;
    }
    // A run that would be too long ends in the middle of a straight line.
    const cut = !ended && insns.length + run >= LONGEST_RUN_INSNS;
    if (cut) run = 0;
    at = pc;
    record = start;
    for (const [i, insn] of insns.entries()) {
      const left = insns.length - i;
      this.#write(record, at, insn, cut && left === 1 ? routines.cut(insn) : routines.of(insn), run + left);
      at += insn.size;
      record += (insn.size / 2) * RECORD.SIZE;
    }
    return undefined;
  }

  #fetch(at: Addr): Insn | Undecodable {
    const { records } = this;
    if (!records.executable(at)) return 'fetch';
    const length = lengthOf(this.#memory.bytes[at]!);
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
    // A region kept from an earlier run may be planted there already.
    records.settle(record, routine);
    this.use(at);
    if (this.#dirty.size === 0) return;
    const last = alignDown(at + insn.size - 1, PAGE);
    if (this.#dirty.has(alignDown(at, PAGE)) || this.#dirty.has(last)) this.#since.set(at, insn);
  }
  /** Notes that records of an address's page are in use. */
  use(at: Addr): void {
    this.#watch(alignDown(at, PAGE));
    // The last instruction of a page may reach into the next.
    if (at % PAGE === PAGE - 2 && this.records.executable(at + 2)) this.#watch(at + 2);
  }
  #watch(page: Addr): void {
    if (this.#watched.has(page)) return;
    this.#watched.add(page);
    this.#pages.add(page);
    if (this.#memory.aliased(page)) this.#dirty.add(page);
    else if ((this.#memory.permissions[page / PAGE]! & PERMISSION.WRITE) !== 0) this.#memory.guard(page, this.#written);
  }
  readonly #written = (page: Addr): void => {
    this.#dirty.add(page);
    this.#before.set(page, this.#memory.bytes.slice(page, page + PAGE));
  };

  /** The instruction in the record at an address, if there is one, whatever has been written to the address since. */
  insnAt(pc: Addr): Insn | undefined {
    const { records, routines } = this;
    if (!records.known(pc) || routines.ending(records.routine(records.find(pc)!)) === undefined) return undefined;
    const { bytes } = this.#memory;
    if (this.#dirty.size === 0) return decodeAt(bytes, pc);
    const since = this.#since.get(pc);
    if (since !== undefined) return since;
    const half = (at: Addr): number => {
      const before = this.#before.get(alignDown(at, PAGE));
      return before === undefined
        ? bytes[at]! | (bytes[at + 1]! << 8)
        : before[at % PAGE]! | (before[(at % PAGE) + 1]! << 8);
    };
    const low = half(pc);
    return decode(lengthOf(low) === 2 ? low : low | (half(pc + 2) << 16));
  }

  /**
   * The host's part when generated code reaches a record without an instruction: finds the record to go on with, if there is one.
   * Stubs and guards are made to lead to that record by themselves the next time.
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
    this.#forget(address, length);
    // Whole pages are examined anew when code is decoded there: their permissions may have changed.
    const end = address + length;
    for (const page of within(this.#watched, alignUp(address, PAGE), end - PAGE + 1)) {
      this.#watched.delete(page);
      this.#clean(page);
    }
  }
  #clean(page: Addr): void {
    this.#dirty.delete(page);
    this.#before.delete(page);
  }
  #forget(address: Addr, length: ByteCount): void {
    const end = address + length;
    const first = this.reaching(address);
    this.onClear?.(first, end);
    for (const page of within(this.#pages, alignDown(first, PAGE), end))
      this.#clear(Math.max(page, first), Math.min(page + PAGE, end));
  }

  /** Forgets the instructions on pages that have been written to since they were decoded. */
  flush(): void {
    for (const page of [...this.#dirty]) {
      this.#forget(page, PAGE);
      if (this.#memory.aliased(page)) continue;
      this.#watched.delete(page);
      this.#clean(page);
    }
  }

  /** Is there hardly room for more records? */
  get full(): boolean {
    const { hostFree, hostAtEnd } = this.#memory;
    return hostFree < this.#room && hostAtEnd > this.#room;
  }
  /** Forgets everything but counts, and frees all records. Not while generated code runs, which holds addresses of records. */
  reset(): void {
    this.onReset?.();
    this.jumps.drain();
    this.#collectAll(this.#counts);
    for (const pages of [this.#pages, this.#watched, this.#dirty, this.#before, this.#since]) pages.clear();
    this.records.reset();
  }

  /** The lowest address of an instruction that flows or reaches into the code at `address`. */
  reaching(address: Addr): Addr {
    const { records, routines } = this;
    let first = address;
    for (let at = alignUp(address, 2) - 2; at >= first - LONGEST_INSN_BYTES && at >= 0; at -= 2) {
      const record = this.#pages.has(alignDown(at, PAGE)) ? records.find(at) : undefined;
      if (record === undefined) continue;
      const routine = records.routine(record);
      if (routines.ending(routine) === undefined) continue;
      const behind = at + routines.size(routine);
      if (behind > first || (behind === first && routines.flows(routine))) first = at;
    }
    return first;
  }

  #clear(from: Addr, to: Addr): void {
    const { records } = this;
    if (!records.known(from)) return;
    const start = records.find(alignUp(from, 2))!;
    for (let record = start, at = alignUp(from, 2); at < to; at += 2, record += RECORD.SIZE) {
      if (records.routine(record) === ROUTINE.UNDECODED) continue;
      this.#collect(record, at, this.#counts);
      records.clear(record);
      this.#since.delete(at);
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
    // A jump back over address 0 has a negative target.
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
    this.#collectAll(all);
    return all;
  }
  #collectAll(counts: TransferCounts): void {
    for (const page of this.#pages) {
      if (!this.records.known(page)) continue;
      let record = this.records.find(page)!;
      for (let at = page; at < page + PAGE; at += 2, record += RECORD.SIZE)
        if (this.records.raw(record) !== ROUTINE.UNDECODED) this.#collect(record, at, counts);
    }
  }
}

/** Members of a set of page addresses in a range: by the range or by the set, whichever is smaller. */
function within(pages: ReadonlySet<Addr>, from: Addr, to: Addr): Addr[] {
  const found: Addr[] = [];
  if ((to - from) / PAGE > pages.size) {
    for (const page of pages) if (page >= from && page < to) found.push(page);
  } else for (let page = from; page < to; page += PAGE) if (pages.has(page)) found.push(page);
  return found;
}
