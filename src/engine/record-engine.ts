/**
 * The host's loop around generated code, common to all predecoding engines. Generated code executes whole runs of instructions (see
 * records.ts) until it needs the host; the host decodes, counts transfers that are new, and ends budgets exactly.
 */
import type { Addr, ByteCount, InsnCount } from '../base/units.ts';
import { FLOAT_OPS, softfloat } from '../domain/softfloat.ts';
import { CSR } from '../isa/zicsr.ts';
import { HART, type Hart } from '../machine/hart.ts';
import type { Memory } from '../machine/memory.ts';
import type { Engine, Stop, Transfer } from './engine.ts';
import { Predecoder } from './predecode.ts';
import { RECORD, ROUTINE } from './records.ts';
import { EXIT, type Layout } from './routine.ts';
import type { Routines } from './routines.ts';
import { TransferCounts } from './transfers.ts';

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

/** The layer that an engine puts on top of interpreted records. */
export interface Upper {
  /** Called when the host has been asked for a record and the record holds an instruction. */
  decoded(pc: Addr, record: number): void;
  /** Called when the COUNTED over an instruction has counted down. */
  hot(pc: Addr, record: number): void;
  /** Called after each stay with the number of instructions that it ran. */
  ran(insns: InsnCount): void;
  /** Instructions that the next stay may run. */
  readonly slice: InsnCount;
  /** Is there work to do between two stays in generated code? `work` does it. */
  readonly due: boolean;
  work(): void;
  /** Adds the layer's own counts. */
  collect(counts: TransferCounts): void;
  readonly statistics: Readonly<Record<string, number>>;
}
/** Addresses that generated code is made for. */
export type Places = Omit<Layout, 'float' | 'counter'>;

/** Makes the code of an engine for the routines so far. Called again when there are more routines. */
export type Generate = (routines: Routines, places: Places, imports: Imports) => RunCode;

/**
 * Instructions per stay in generated code. V8 swaps in optimized code only when a function is entered, so a long loop must be left
 * now and then; a stay of this length takes a few milliseconds.
 */
const SLICE = 2 ** 20;
/** Bounds of the same under a time limit, where a stay is to take some milliseconds; LONG: the milliseconds of a stay that is too long. */
const PACE = { LEAST: 2 ** 10, FIRST: 2 ** 16, MOST: 2 ** 22, LONG: 20 } as const;
const LARGEST_STORE_BYTES = 8;

/** One hart's generated code. */
interface Core {
  readonly hart: Hart;
  readonly imports: Imports;
  readonly places: Places;
  run: RunCode;
  /** The `end` of the routines that `run` was made with. */
  routines: number;
  /** For counters read by the guest: instructions retired in this call before the stay, and the budget of the stay. */
  before: InsnCount;
  given: InsnCount;
}

export class RecordEngine implements Engine {
  readonly name: string;
  readonly #memory: Memory;
  readonly #generate: Generate;
  readonly #code: Predecoder;
  readonly #cores = new Map<number, Core>();
  readonly #upper: Upper | undefined;
  /** Instructions in a stay under a time limit. */
  #pace: InsnCount = PACE.FIRST;
  /** Instructions and milliseconds of the stays that were timed since the pace was last adapted. */
  #ran: InsnCount = 0;
  #took = 0;
  /** Did the last stay run all that it was allowed? The next stay is timed then: a guest that makes many syscalls is not. */
  #spent = false;

  constructor(name: string, memory: Memory, generate: Generate, makeUpper?: (code: Predecoder) => Upper) {
    this.name = name;
    this.#memory = memory;
    this.#generate = generate;
    this.#code = new Predecoder(memory);
    this.#upper = makeUpper?.(this.#code);
  }

  run(hart: Hart, budget: InsnCount, until?: number): { stop: Stop; retired: InsnCount } {
    const core = this.#coreOf(hart);
    const { view } = this.#memory;
    const { records, routines } = this.#code;
    const pcAt = hart.base + HART.PC;
    let remaining = budget;
    const stopAt = (stop: Stop, pc: Addr | bigint) => {
      view.setBigUint64(pcAt, BigInt(pc), true);
      return { stop, retired: budget - remaining };
    };

    const start = view.getBigUint64(pcAt, true);
    if (remaining <= 0) return stopAt({ kind: 'budget' }, start);
    const fetchFault = (address: bigint): Stop => ({
      kind: 'fault',
      access: 'fetch',
      address: BigInt.asUintN(64, address),
    });
    // Records are for even addresses; no instruction and no kernel makes an odd pc.
    if (start >= BigInt(this.#memory.size) || start % 2n !== 0n) return stopAt(fetchFault(start), start);
    let pc = Number(start);
    let found = records.find(pc);
    if (found === undefined) return stopAt(fetchFault(start), start);

    for (;;) {
      // Here `pc` is an address that has a record, `found`; the run at the record is not charged.
      const entry: number = found;
      if (remaining === 0) return stopAt({ kind: 'budget' }, pc);
      if (until !== undefined && remaining < budget && performance.now() >= until) return stopAt({ kind: 'pause' }, pc);
      if (this.#code.full) {
        this.#code.reset();
        found = records.target(pc);
        continue;
      }
      const resolved = this.#code.resolve(pc, entry);
      if (resolved === 'fetch') return stopAt(fetchFault(BigInt(pc)), pc);
      if (resolved === 'illegal') return stopAt({ kind: 'illegal' }, pc);
      this.#upper?.decoded(pc, resolved);
      if (remaining > 0 && this.#upper?.due) this.#upper.work();

      core.before = budget - remaining;
      core.given = Math.min(remaining, this.#upper?.slice ?? SLICE, until === undefined ? remaining : this.#pace);
      const began = until !== undefined && this.#spent ? performance.now() : undefined;
      const exit = this.#stay(core, resolved, core.given);
      const at = view.getUint32(hart.base + EXIT_RECORD, true);
      const left = view.getInt32(hart.base + EXIT_BUDGET, true);
      const retires = exit === EXIT.ECALL || exit === EXIT.JUMP || exit === EXIT.FAR || exit === EXIT.FENCE_I;
      // The charge of an instruction that has not retired is given back, with the charge of those behind it in its run.
      const kept = retires ? left : left + records.word(at, RECORD.RUN);
      remaining -= core.given - kept;
      this.#upper?.ran(core.given - kept);
      this.#spent = exit === EXIT.BUDGET || exit === EXIT.STOP;
      if (began !== undefined && this.#spent) this.#keepPace(core.given - kept, performance.now() - began);
      pc = records.pcOf(at);
      found = at;
      const address = () => view.getBigUint64(hart.base + HART.STOP_ADDRESS, true);
      switch (exit) {
        case EXIT.BUDGET:
        case EXIT.STOP:
        case EXIT.DECODE:
          break;
        case EXIT.HOT:
          this.#upper?.hot(pc, at);
          break;
        case EXIT.LOAD:
          return stopAt({ kind: 'fault', access: 'load', address: address() }, pc);
        case EXIT.STORE:
          // A store to a guarded page, whose code has been decoded: the page is unguarded now, and the store is executed again.
          if (this.#memory.touch(Number(address()), LARGEST_STORE_BYTES)) break;
          return stopAt({ kind: 'fault', access: 'store', address: address() }, pc);
        case EXIT.MISALIGNED:
          return stopAt({ kind: 'misaligned', address: address() }, pc);
        case EXIT.ILLEGAL:
          return stopAt(remaining === 0 ? { kind: 'budget' } : { kind: 'illegal' }, pc);
        case EXIT.EBREAK:
          return stopAt({ kind: 'ebreak' }, pc);
        case EXIT.ECALL:
          records.addCount(at, RECORD.TAKEN);
          return stopAt({ kind: 'ecall' }, pc + routines.size(records.routine(at)));
        case EXIT.FENCE_I:
          pc += routines.size(records.routine(at));
          this.#code.flush();
          found = records.target(pc);
          break;
        default: {
          const target = address();
          const goal = target < BigInt(this.#memory.size) ? records.find(Number(target)) : undefined;
          if (goal === undefined) {
            if (exit === EXIT.JUMP) this.#code.count(pc, Number(target), 1);
            return stopAt(remaining === 0 ? { kind: 'budget' } : fetchFault(target), target);
          }
          pc = Number(target);
          found = goal;
          if (exit === EXIT.JUMP) this.#code.jumps.insert(at, pc);
        }
      }
    }
  }

  /** Adapts the pace to the time that stays take: instructions that the host does for the guest take a thousand times as long as others. */
  #keepPace(ran: InsnCount, milliseconds: number): void {
    this.#ran += ran;
    this.#took += milliseconds;
    // Few instructions at the end of a budget tell little.
    if (this.#ran < this.#pace / 2) return;
    const took = (this.#took * this.#pace) / this.#ran;
    this.#took = 0;
    this.#ran = 0;
    if (took > PACE.LONG) this.#pace = Math.max(PACE.LEAST, Math.floor((this.#pace * PACE.LONG) / took));
    else if (took < PACE.LONG / 4) this.#pace = Math.min(PACE.MOST, this.#pace * 2);
  }

  /** Runs at most `allowed` instructions, and at least one, from a record that holds an instruction. */
  #stay(core: Core, record: number, allowed: InsnCount): number {
    const { records, routines } = this.#code;
    if (core.routines !== routines.end) {
      core.run = this.#generate(routines, core.places, core.imports);
      core.routines = routines.end;
    }
    const run = records.word(record, RECORD.RUN);
    if (run <= allowed) return core.run(record, allowed - run, 0);
    // The budget ends within this run: plant a stop there. No transfer can leave the run before it.
    let at = record;
    for (let i = 0; i < allowed; i++) at += (routines.size(records.routine(at)) / 2) * RECORD.SIZE;
    const there = records.raw(at);
    records.setRoutine(at, ROUTINE.STOP);
    const exit = core.run(record, allowed - run, 1);
    records.setRoutine(at, there);
    return exit;
  }

  #coreOf(hart: Hart): Core {
    let core = this.#cores.get(hart.base);
    if (core === undefined) {
      const { checkedAt, size, view, linear } = this.#memory;
      const { records, jumps } = this.#code;
      const made: Core = {
        hart,
        places: {
          hart: hart.base,
          memorySize: size,
          permissions: checkedAt,
          deltas: records.deltasAt,
          jumps: jumps.at,
        },
        imports: {
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
            const retired = hart.retired + made.before + made.given - unspent;
            return csr === CSR.time ? hart.time(retired) : BigInt(retired);
          },
        },
        run: () => EXIT.DECODE,
        routines: 0,
        before: 0,
        given: 0,
      };
      core = made;
      this.#cores.set(hart.base, core);
    }
    return core;
  }

  transfers(): Transfer[] {
    const counts = this.#code.counts();
    this.#upper?.collect(counts);
    return counts.list();
  }

  statistics(): Readonly<Record<string, number>> {
    if (this.#upper === undefined) return {};
    const own = new TransferCounts();
    this.#upper.collect(own);
    const sum = (list: readonly Transfer[]) => list.reduce((all, { count }) => all + count, 0);
    const share = sum(own.list()) / Math.max(1, sum(this.transfers()));
    return { ...this.#upper.statistics, transfersInRegions: Math.round(share * 1e4) / 1e4 };
  }

  invalidate(address: Addr, length: ByteCount): void {
    this.#code.invalidate(address, length);
  }
  flush(): void {
    this.#code.flush();
  }
}
