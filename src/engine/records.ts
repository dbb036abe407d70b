/**
 * Predecoded records: one of 32 bytes for every 2 bytes of executable code, in the host area of the guest's linear memory, so that
 * generated code finds all properties of an instruction by one pointer and the record behind it by adding.
 *
 * Records are laid out by region: a run of executable pages within one aligned chunk. Within a region record = pc * 16 + delta, and
 * a table gives the delta of each page. Regions are permanent: a record's address never changes its meaning, so other records and
 * the table of indirect jumps may keep it; forgetting code only clears the contents of records. Only where there is no room for more
 * records all of them are freed at once, with everything that refers to them (`Predecoder.reset`).
 *
 * A record also says how many instructions there are from it to the end of its run (a run ends with an instruction that may go
 * elsewhere). Engines charge a whole run to the budget when they enter it, and the host gives the charge of unexecuted instructions back.
 * Invariant: run(record) = run(next record) + 1 within a run. Code that clears or changes a record clears all records that flow into it.
 */
import { alignDown } from '../base/bits.ts';
import { type Addr, type ByteCount, PAGE } from '../base/units.ts';
import { type Memory, PAGE_BITS, PERMISSION } from '../machine/memory.ts';

/** Byte offsets within a record. */
export const RECORD = {
  /** u16: index of the routine that executes it. */
  ROUTINE: 0,
  /** u16 each: offsets of the operands' slots in the hart's block (rd = x0: the sink). */
  RD: 2,
  RS1: 4,
  RS2: 6,
  /** i32: the immediate. Direct transfers: address of the target's record. */
  IMM: 8,
  TARGET: 8,
  /** i32: instructions from here to the end of the run, this one included; 0 where nothing can retire. */
  RUN: 12,
  /** i64: times a branch was taken, a direct jump or an ecall was executed. */
  TAKEN: 16,
  /** i64, loads and stores beneath translated code: the address last accessed. */
  ACCESSED: 16,
  /** i64, branches only: times not taken. */
  NOT_TAKEN: 24,
  /** i32, all but branches: the instruction's address. */
  PC: 24,
  /** u16, all but branches. */
  RS3: 28,
  /** u16, all but branches: the rounding mode field. */
  RM: 30,
  SIZE: 32,
} as const;

/** Routines that are no instruction. The others follow. */
export const ROUTINE = {
  /** Not decoded: ask the host. */
  UNDECODED: 0,
  /** Planted by the host where a budget ends. */
  STOP: 1,
  /** Bytes that are no instruction. */
  ILLEGAL: 2,
  /** Goes on with another record: behind a region's end, or where code has appeared after a jump to it was decoded. */
  FORWARD: 3,
  /** Code ended here when it was decoded (no permission to execute): ask the host again. */
  PROBE: 4,
  /** Planted over an instruction where translated code may begin: counts down, then asks the host for it. See `Records.plant`. */
  COUNTED: 5,
  /** Planted over an instruction where translated code begins. */
  REGION: 6,
  FIRST: 7,
} as const;

interface Region {
  readonly start: Addr;
  readonly end: Addr;
  /** Address of the first record; those of `end` and `end + 2` exist too, as guards. */
  readonly records: number;
}

/** Regions stay within aligned chunks of guest memory, so that one big mapping does not take the whole host area. */
const CHUNK = 2 ** 16;
const GUARDS = 2;

/** Bytes of the records for a part of the code. */
export const recordBytes = (start: Addr, end: Addr): ByteCount => ((end - start) / 2 + GUARDS) * RECORD.SIZE;

export class Records {
  readonly #memory: Memory;
  /** By falling address of their records: records are allocated from the end of the host area. */
  readonly #regions: Region[] = [];
  /** Stubs, which stand for the records of targets where no code can be (yet): record to address and back. */
  readonly #stubs = new Map<number, Addr>();
  readonly #stubOf = new Map<Addr, number>();
  /** One i32 a guest page: record = pc * 16 + delta; 0: no records. Offset in the linear memory. */
  readonly deltasAt: number;
  /** Offset of the table of plants, if there is one. */
  plantsAt = 0;
  readonly #deltas: Int32Array;
  readonly #u16: Uint16Array;
  readonly #i32: Int32Array;
  readonly #i64: BigInt64Array;
  readonly #u64: BigUint64Array;

  constructor(memory: Memory) {
    this.#memory = memory;
    const pages = memory.size / PAGE;
    this.deltasAt = memory.allocateHost(pages * 4);
    const buffer = memory.linear.buffer;
    this.#deltas = new Int32Array(buffer, this.deltasAt, pages);
    this.#u16 = new Uint16Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#i64 = new BigInt64Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
  }

  /** The routine of the instruction, whatever is planted over it. */
  routine(record: number): number {
    const routine = this.raw(record);
    if (routine !== ROUTINE.COUNTED && routine !== ROUTINE.REGION) return routine;
    return this.#i32[this.#plantOf(record)]! & 0xffff;
  }
  /** The routine that generated code finds in the record. */
  raw(record: number): number {
    return this.#u16[(record + RECORD.ROUTINE) >>> 1]!;
  }
  setRoutine(record: number, routine: number): void {
    this.#u16[(record + RECORD.ROUTINE) >>> 1] = routine;
  }
  /**
   * Plants COUNTED or REGION over an instruction. Its own routine moves to the lower half of the record's entry in the table of
   * plants, at `plantsAt + (record - memory.size) / 8`; `upper` (16 bits) holds COUNTED's count or REGION's slot.
   */
  plant(record: number, planted: number, upper: number): void {
    const routine = this.routine(record);
    this.#i32[this.#plantOf(record)] = (upper << 16) | routine;
    this.setRoutine(record, planted);
  }
  unplant(record: number): void {
    this.setRoutine(record, this.routine(record));
  }
  /** Sets the routine of the instruction, beneath the routine planted over it. */
  settle(record: number, routine: number): void {
    const raw = this.raw(record);
    if (raw === ROUTINE.COUNTED || raw === ROUTINE.REGION) this.#u16[this.#plantOf(record) * 2] = routine;
    else this.setRoutine(record, routine);
  }
  #plantOf(record: number): number {
    return (this.plantsAt + ((record - this.#memory.size) >>> 3)) >>> 2;
  }
  /** Makes room for plants: an i32 a record. Only pages that are used take real memory. */
  allowPlants(): void {
    const { bytes, size } = this.#memory;
    this.plantsAt = this.#memory.allocateHost((bytes.length - size) / 8);
  }

  setHalf(record: number, field: number, value: number): void {
    this.#u16[(record + field) >>> 1] = value;
  }
  half(record: number, field: number): number {
    return this.#u16[(record + field) >>> 1]!;
  }
  word(record: number, field: number): number {
    return this.#i32[(record + field) >>> 2]!;
  }
  setWord(record: number, field: number, value: number): void {
    this.#i32[(record + field) >>> 2] = value;
  }
  count(record: number, field: number): number {
    return Number(this.#i64[(record + field) >>> 3]);
  }
  addCount(record: number, field: number): void {
    this.#i64[(record + field) >>> 3]!++;
  }
  clear(record: number): void {
    this.#u64.fill(0n, record >>> 3, (record + RECORD.SIZE) >>> 3);
  }

  executable(pc: Addr): boolean {
    return (
      pc >= 0 && pc < this.#memory.size && (this.#memory.permissions[Math.floor(pc / PAGE)]! & PERMISSION.EXECUTE) !== 0
    );
  }

  /** The record of an address, allocated if there is code; undefined if there is no code and never was. */
  find(pc: Addr): number | undefined {
    if (!(pc >= 0 && pc < this.#memory.size)) return undefined;
    const page = pc >>> PAGE_BITS;
    if (this.#deltas[page] === 0) {
      if (!this.executable(pc)) return undefined;
      this.#addRegion(page);
    }
    return (pc * 16 + this.#deltas[page]!) >>> 0;
  }

  /** Does the address have a record? */
  known(pc: Addr): boolean {
    return pc >= 0 && pc < this.#memory.size && this.#deltas[pc >>> PAGE_BITS] !== 0;
  }

  /** The target of direct transfers to an address: its record, or a stub. */
  target(pc: Addr): number {
    const record = this.find(pc) ?? this.#stubOf.get(pc);
    if (record !== undefined) return record;
    const stub = this.#memory.allocateAtEnd(RECORD.SIZE);
    this.#stubs.set(stub, pc);
    this.#stubOf.set(pc, stub);
    return stub;
  }

  /** The address a record stands for. */
  pcOf(record: number): Addr {
    const stub = this.#stubs.get(record);
    if (stub !== undefined) return stub;
    let [low, high] = [0, this.#regions.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#regions[middle]!.records > record) low = middle + 1;
      else high = middle;
    }
    const region = this.#regions[low];
    if (region === undefined) return Number.NaN;
    const pc = region.start + (record - region.records) / 16;
    return pc < region.end + GUARDS * 2 ? pc : Number.NaN;
  }

  /** Is the record, reached by adding, a guard behind its region's last record? A guard never holds an instruction. */
  isGuard(record: number, pc: Addr): boolean {
    return this.find(pc) !== record;
  }

  /** The places of records, as numbers for another run of the same program: number of stubs, stubs, regions. */
  *numbers(): Generator<number> {
    yield this.#stubs.size;
    for (const pair of this.#stubs) yield* pair;
    for (const { start, end, records } of this.#regions) yield* [start, end, records];
  }
  /** The lowest of the places in such numbers, which need not be sound. */
  static lowest(numbers: Uint32Array): number {
    const [stubs = 0] = numbers;
    const behind = Math.min(1 + stubs * 2, numbers.length);
    let lowest = 2 ** 32;
    for (let i = 1; i < behind; i += 2) lowest = Math.min(lowest, numbers[i]!);
    for (let i = behind + 2; i < numbers.length; i += 3) lowest = Math.min(lowest, numbers[i]!);
    return lowest;
  }
  /** Puts stubs and regions at their places again, whether there is code yet or not. No record may have been made before. */
  restore(numbers: Uint32Array): void {
    this.#memory.reserveEnd(Math.min(Records.lowest(numbers), this.#memory.bytes.length));
    const [stubs = 0] = numbers;
    for (let i = 1; i <= stubs * 2; i += 2) {
      this.#stubs.set(numbers[i]!, numbers[i + 1]!);
      this.#stubOf.set(numbers[i + 1]!, numbers[i]!);
    }
    for (let i = 1 + stubs * 2; i < numbers.length; i += 3) this.#place(numbers[i]!, numbers[i + 1]!, numbers[i + 2]!);
  }

  /** Frees all records. Nothing may refer to a record any more. */
  reset(): void {
    this.#memory.freeEnd();
    this.#deltas.fill(0);
    this.#regions.length = 0;
    this.#stubs.clear();
    this.#stubOf.clear();
  }

  #addRegion(page: number): void {
    const { permissions, size } = this.#memory;
    const code = (p: number) => (permissions[p]! & PERMISSION.EXECUTE) !== 0 && this.#deltas[p] === 0;
    const low = alignDown(page, CHUNK / PAGE);
    const high = Math.min(low + CHUNK / PAGE, size / PAGE);
    let first = page;
    while (first > low && code(first - 1)) first--;
    let last = page + 1;
    while (last < high && code(last)) last++;
    const start = first * PAGE;
    const end = last * PAGE;
    const length = recordBytes(start, end);
    let records = this.#memory.allocateAtEnd(length);
    // A delta of 0 means no records, so this place will not do.
    if (((records - start * 16) | 0) === 0) records = this.#memory.allocateAtEnd(length);
    this.#place(start, end, records);
  }
  #place(start: Addr, end: Addr, records: number): void {
    this.#deltas.fill((records - start * 16) | 0, start / PAGE, end / PAGE);
    this.#regions.push({ start, end, records });
  }
}
