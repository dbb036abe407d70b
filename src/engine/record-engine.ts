/**
 * The host's loop around generated code, common to all predecoding engines. Generated code executes whole runs of instructions (see
 * records.ts) until it needs the host; the host decodes, counts transfers that are new, and ends budgets exactly.
 */
import type { Addr, ByteCount, InsnCount } from '../base/units.ts';
import { HART, type Hart } from '../machine/hart.ts';
import type { Memory } from '../machine/memory.ts';
import { Core, EXIT_BUDGET, EXIT_RECORD, type Generate } from './core.ts';
import type { Engine, Stop, Transfer } from './engine.ts';
import { EXIT } from './frame.ts';
import { Pace } from './pace.ts';
import { Predecoder } from './predecode.ts';
import { RECORD, ROUTINE } from './records.ts';
import { TransferCounts } from './transfers.ts';

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

/**
 * Instructions per stay in generated code. V8 swaps in optimized code only when a function is entered, so a long loop must be left
 * now and then; a stay of this length takes a few milliseconds.
 */
const SLICE = 2 ** 20;
const LARGEST_STORE_BYTES = 8;

type Stopped = ReturnType<Engine['run']>;

const fetchFault = (address: bigint): Stop => ({
  kind: 'fault',
  access: 'fetch',
  address: BigInt.asUintN(64, address),
});

/** The state of one call of `run`. */
class Progress {
  readonly core: Core;
  /** Instructions of the budget that have not run. */
  remaining: InsnCount;
  /** The address to go on at, and its record; the run at the record is not charged. */
  pc: Addr = 0;
  record = 0;
  readonly #budget: InsnCount;
  readonly #view: DataView;

  constructor(core: Core, budget: InsnCount, view: DataView) {
    this.core = core;
    this.remaining = budget;
    this.#budget = budget;
    this.#view = view;
  }
  get retired(): InsnCount {
    return this.#budget - this.remaining;
  }
  /** Puts the hart at an address. @returns the result of the call */
  stopAt(stop: Stop, pc: Addr | bigint): Stopped {
    this.#view.setBigUint64(this.core.hart.base + HART.PC, BigInt(pc), true);
    return { stop, retired: this.retired };
  }
}

export class RecordEngine implements Engine {
  readonly name: string;
  readonly #memory: Memory;
  readonly #generate: Generate;
  readonly #code: Predecoder;
  readonly #cores = new Map<number, Core>();
  readonly #upper: Upper | undefined;
  readonly #pace = new Pace();

  constructor(name: string, memory: Memory, generate: Generate, makeUpper?: (code: Predecoder) => Upper) {
    this.name = name;
    this.#memory = memory;
    this.#generate = generate;
    this.#code = new Predecoder(memory);
    this.#upper = makeUpper?.(this.#code);
  }

  run(hart: Hart, budget: InsnCount, until?: number): Stopped {
    const progress = new Progress(this.#coreOf(hart), budget, this.#memory.view);
    let stopped = this.#begin(progress);
    while (stopped === undefined)
      stopped = this.#prepare(progress, until) ?? this.#serve(progress, this.#stay(progress, until));
    return stopped;
  }
  #coreOf(hart: Hart): Core {
    let core = this.#cores.get(hart.base);
    if (core === undefined) this.#cores.set(hart.base, (core = new Core(hart, this.#memory, this.#code)));
    return core;
  }

  /** Finds the record of the hart's pc. */
  #begin(progress: Progress): Stopped | undefined {
    const { view, size } = this.#memory;
    const start = view.getBigUint64(progress.core.hart.base + HART.PC, true);
    if (progress.remaining <= 0) return progress.stopAt({ kind: 'budget' }, start);
    // Records are for even addresses; no instruction and no kernel makes an odd pc.
    if (start >= BigInt(size) || start % 2n !== 0n) return progress.stopAt(fetchFault(start), start);
    const pc = Number(start);
    const record = this.#code.records.find(pc);
    if (record === undefined) return progress.stopAt(fetchFault(start), start);
    progress.pc = pc;
    progress.record = record;
    return undefined;
  }

  /** Sees to it that the record at hand holds an instruction, and lets the upper layer work. */
  #prepare(progress: Progress, until: number | undefined): Stopped | undefined {
    const { pc } = progress;
    if (progress.remaining === 0) return progress.stopAt({ kind: 'budget' }, pc);
    if (until !== undefined && progress.retired > 0 && performance.now() >= until)
      return progress.stopAt({ kind: 'pause' }, pc);
    if (this.#code.full) {
      this.#code.reset();
      progress.record = this.#code.records.target(pc);
    }
    const resolved = this.#code.resolve(pc, progress.record);
    if (resolved === 'fetch') return progress.stopAt(fetchFault(BigInt(pc)), pc);
    if (resolved === 'illegal') return progress.stopAt({ kind: 'illegal' }, pc);
    progress.record = resolved;
    this.#upper?.decoded(pc, resolved);
    if (progress.remaining > 0 && this.#upper?.due) this.#upper.work();
    return undefined;
  }

  /** Runs generated code until it needs the host, and takes what has run from the budget. @returns the EXIT */
  #stay(progress: Progress, until: number | undefined): number {
    const { core, remaining } = progress;
    const { view } = this.#memory;
    const { records } = this.#code;
    core.before = progress.retired;
    core.given = Math.min(remaining, this.#upper?.slice ?? SLICE, until === undefined ? remaining : this.#pace.insns);
    const began = until === undefined ? undefined : this.#pace.begin();
    const exit = this.#execute(core, progress.record, core.given);
    const at = view.getUint32(core.hart.base + EXIT_RECORD, true);
    const left = view.getInt32(core.hart.base + EXIT_BUDGET, true);
    const retires = exit === EXIT.ECALL || exit === EXIT.JUMP || exit === EXIT.FAR || exit === EXIT.FENCE_I;
    // The charge of an instruction that has not retired is given back, with the charge of those behind it in its run.
    const kept = retires ? left : left + records.word(at, RECORD.RUN);
    const ran = core.given - kept;
    progress.remaining -= ran;
    this.#upper?.ran(ran);
    this.#pace.end(ran, exit === EXIT.BUDGET || exit === EXIT.STOP, began);
    progress.pc = records.pcOf(at);
    progress.record = at;
    return exit;
  }
  /** Runs at most `allowed` instructions, and at least one, from a record that holds an instruction. @returns the EXIT */
  #execute(core: Core, record: number, allowed: InsnCount): number {
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

  /** Does what generated code has left for. @returns undefined if control goes on, at the record at hand */
  #serve(progress: Progress, exit: number): Stopped | undefined {
    const { pc, record, core, remaining } = progress;
    const { records, routines } = this.#code;
    switch (exit) {
      case EXIT.BUDGET:
      case EXIT.STOP:
      case EXIT.DECODE:
        return undefined;
      case EXIT.HOT:
        this.#upper?.hot(pc, record);
        return undefined;
      case EXIT.LOAD:
        return progress.stopAt({ kind: 'fault', access: 'load', address: this.#stopAddress(core) }, pc);
      case EXIT.STORE: {
        const address = this.#stopAddress(core);
        // A store to a guarded page, whose code has been decoded: the page is unguarded now, and the store is executed again.
        if (this.#memory.touch(Number(address), LARGEST_STORE_BYTES)) return undefined;
        return progress.stopAt({ kind: 'fault', access: 'store', address }, pc);
      }
      case EXIT.MISALIGNED:
        return progress.stopAt({ kind: 'misaligned', address: this.#stopAddress(core) }, pc);
      case EXIT.ILLEGAL:
        return progress.stopAt(remaining === 0 ? { kind: 'budget' } : { kind: 'illegal' }, pc);
      case EXIT.EBREAK:
        return progress.stopAt({ kind: 'ebreak' }, pc);
      case EXIT.ECALL:
        records.addCount(record, RECORD.TAKEN);
        return progress.stopAt({ kind: 'ecall' }, pc + routines.size(records.routine(record)));
      case EXIT.FENCE_I:
        progress.pc = pc + routines.size(records.routine(record));
        this.#code.flush();
        progress.record = records.target(progress.pc);
        return undefined;
      default:
        return this.#arrive(progress, this.#stopAddress(core), exit === EXIT.JUMP);
    }
  }
  /** Goes to the target of the indirect jump at the record at hand. @param isNew the transfer is not counted yet */
  #arrive(progress: Progress, target: bigint, isNew: boolean): Stopped | undefined {
    const goal = target < BigInt(this.#memory.size) ? this.#code.records.find(Number(target)) : undefined;
    if (goal === undefined) {
      if (isNew) this.#code.count(progress.pc, Number(target), 1);
      return progress.stopAt(progress.remaining === 0 ? { kind: 'budget' } : fetchFault(target), target);
    }
    if (isNew) this.#code.jumps.insert(progress.record, Number(target));
    progress.pc = Number(target);
    progress.record = goal;
    return undefined;
  }
  #stopAddress({ hart }: Core): bigint {
    return this.#memory.view.getBigUint64(hart.base + HART.STOP_ADDRESS, true);
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
