/**
 * The original and the optimized program run in step on the same input, from one event to the next. At each syscall number, arguments,
 * result, output, the given registers, fcsr and memory must be equal under the address map; at the end exit status and files.
 */
import { createHash } from 'node:crypto';
import { overLimit } from '../base/errors.ts';
import { A0, type Addr, type ByteCount, GP, hex, type InsnCount, type Reg, regName, SP, TP } from '../base/units.ts';
import { type ProcessEvent, serve } from '../engine/execute.ts';
import type { Exit } from '../machine/process.ts';
import { Comparison } from './compare.ts';
import { disable, superblocksRun } from './culprit.ts';
import {
  type Difference,
  describe,
  describeExit,
  eventDifference,
  filesDifference,
  outputDifference,
} from './events.ts';
import { History } from './history.ts';
import { makeSide, NO_STATISTICS, type RunStatistics, type Setting, type Side, statistics } from './setting.ts';
import { toEvent } from './to-event.ts';

/** Memory is compared at every syscall as long as the cost is small beside running: bytes compared in all, and for each instruction run. */
const FREE_BYTES = 2 ** 28;
const BYTES_PER_INSTRUCTION = 8;
/** ecall has no compressed form. */
const ECALL_SIZE: ByteCount = 4;
/** The optimized program may take longer to the next syscall than the original, but not for ever. */
const PATIENCE = { factor: 4, extra: 2 ** 22 };

export interface RunRequest {
  /** Superblocks that are switched off. */
  readonly disabled?: ReadonlySet<Addr>;
  /**
   * Words of memory that differ, other than on the first thread's stack, are copied to the original, and both go on. Where code runs on
   * other stacks too, such words may be rests of dead frames and saved contexts; whether they matter shows in the original's later events.
   */
  readonly adopt: boolean;
  /** Compare memory at each syscall from this one on. */
  readonly everyFrom?: number;
  readonly statistics?: boolean;
  /** Hand on the original's output. */
  readonly output?: boolean;
  /** Stop behind this syscall, as if there were no difference. */
  readonly until?: number;
}

/** The result of one run in step. */
export interface Attempt {
  readonly difference: Difference | undefined;
  /** The first words of memory that differed and were adopted, and the last syscall before at which memory was found equal. */
  readonly adopted: { readonly difference: Difference; readonly lastCompared: number } | undefined;
  /** Words that differ may be without consequence (`Comparison.adoptable`). */
  readonly adoptable: boolean;
  /** Alarms have come, to each program at an instruction of its own. */
  readonly alarms: boolean;
  /** With `output`: digest of the original's syscalls, results, faults, output and changed files (history.ts). */
  readonly history: string;
  readonly original: RunStatistics;
  readonly optimized: RunStatistics;
  /** Heads of the superblocks that were entered. */
  readonly ran: ReadonlySet<Addr>;
  /** Digest of all output. */
  readonly output: string;
  readonly staleWords: number;
}

/** Throws limit if the original does not end within the limit. */
export const runInStep = (setting: Setting, request: RunRequest): Attempt => new InStep(setting, request).run();

/** What became of a step: a difference, the end of both programs, or neither: both go on. */
type Outcome = Difference | 'ended' | undefined;

class InStep {
  readonly #setting: Setting;
  readonly #request: RunRequest;
  readonly #original: Side;
  readonly #optimized: Side;
  readonly #comparison: Comparison;
  readonly #liveAt: (address: Addr) => Iterable<Reg>;
  readonly #limit: InsnCount;
  readonly #output = createHash('sha256');
  readonly #history = new History();
  /** Number of the last syscall, counted from 1. */
  #syscall = 0;
  #lastCompared = 0;
  #adopted: Attempt['adopted'];
  /** Instructions that the original ran before alarms since the last event. */
  #beforeAlarms: InsnCount = 0;
  #alarms = false;

  constructor(setting: Setting, request: RunRequest) {
    const { options, map, segment } = setting;
    this.#setting = setting;
    this.#request = request;
    this.#original = makeSide(setting, setting.companion);
    this.#optimized = makeSide(setting, options.optimized);
    this.#optimized.off = disable(setting, this.#optimized.process, request.disabled ?? new Set());
    this.#comparison = new Comparison(this.#original.process, this.#optimized.process, map, segment);
    this.#liveAt = options.liveAt ?? (() => [SP, GP, TP]);
    this.#limit = options.limitInstructions ?? Number.POSITIVE_INFINITY;
  }

  run(): Attempt {
    let outcome: Outcome;
    while (outcome === undefined && this.#syscall !== this.#request.until) outcome = this.#step();
    const { output, statistics: counted } = this.#request;
    return {
      difference: outcome === 'ended' ? undefined : outcome,
      adopted: this.#adopted,
      adoptable: this.#comparison.adoptable,
      alarms: this.#alarms,
      history: output ? this.#history.end(this.#original) : '',
      original: counted ? statistics(this.#original) : NO_STATISTICS,
      optimized: counted ? statistics(this.#optimized) : NO_STATISTICS,
      ran: counted ? superblocksRun(this.#setting, this.#optimized) : new Set(),
      output: this.#output.digest('hex'),
      staleWords: this.#comparison.staleWords,
    };
  }

  /** Runs both programs to the original's next event, compares, and serves the event. */
  #step(): Outcome {
    const { process } = this.#original;
    const before = process.hart.retired;
    const expected = toEvent(this.#original, Math.max(0, this.#limit - before), true);
    if (expected.kind === 'budget' && process.alarmDue()) return this.#alarm(process.hart.retired - before);
    this.#syscall++;
    if (expected.kind === 'budget') {
      const { file } = this.#setting.options.original;
      throw overLimit(`${file}: has run ${this.#limit} instructions, the limit`, 'raise the limit');
    }
    const took = this.#beforeAlarms + process.hart.retired - before;
    this.#beforeAlarms = 0;
    const found = toEvent(this.#optimized, PATIENCE.factor * took + PATIENCE.extra);
    this.#comparison.pairPlaces();
    if (found.kind === 'budget')
      return this.#differ(
        'progress',
        'the optimized program does not get to the next syscall',
        describe(expected),
        'a loop',
      );
    const difference = this.#eventDifference(expected, found);
    if (difference) return difference;
    // rt_sigreturn has no result: the interrupted code goes on, where a0 is a register like any other.
    const results = expected.kind === 'syscall' && expected.call.name !== 'rt_sigreturn';
    const outcome = this.#serve(expected, found);
    if (outcome || !results) return outcome;
    return this.#resultDifference();
  }

  #eventDifference(expected: ProcessEvent, found: ProcessEvent): Difference | undefined {
    const kinds = eventDifference(expected, found, this.#comparison);
    if (kinds) return this.#differ(...kinds);
    return expected.kind === 'syscall' ? (this.#registerDifference() ?? this.#memoryDifference(false)) : undefined;
  }

  #registerDifference(): Difference | undefined {
    const [o, p] = [this.#original.process.hart, this.#optimized.process.hart];
    const register = this.#comparison.register(this.#liveAt(this.#original.process.place.toLinked(o.pc)));
    if (register !== undefined)
      return this.#differ('register', `register ${regName(register)}`, o.get(register), p.get(register));
    const fcsr = (hart: typeof o) => (hart.frm << 5) | hart.fflags;
    if (fcsr(o) !== fcsr(p)) return this.#differ('register', 'register fcsr', fcsr(o), fcsr(p));
    return undefined;
  }

  /** @param always compare memory at this event, whatever comparing has cost so far */
  #memoryDifference(always: boolean): Difference | undefined {
    const { adopt, everyFrom, until } = this.#request;
    const allowed = FREE_BYTES + BYTES_PER_INSTRUCTION * this.#original.process.hart.retired;
    const exact = always || (everyFrom !== undefined && this.#syscall >= everyFrom) || this.#syscall === until;
    if (!exact && this.#comparison.compared > allowed) return undefined;
    const found = this.#comparison.memory(adopt);
    if (found) {
      const difference = this.#differ('memory', `memory at ${hex(found.address)}`, found.original, found.optimized);
      if (!adopt || found.permission) return difference;
      this.#adopted ??= { difference, lastCompared: this.#lastCompared };
    }
    this.#lastCompared = this.#syscall;
    return undefined;
  }

  /** Serves the event that both programs have come to, and compares what they write and how they go on. */
  #serve(expected: ProcessEvent, found: ProcessEvent): Outcome {
    const { process } = this.#original;
    const sp = Number(process.hart.get(SP));
    this.#history.addEvent(process, expected);
    const [result, other] = [serve(process, expected), serve(this.#optimized.process, found)];
    this.#original.syscalls++;
    this.#optimized.syscalls++;
    const written = this.#outputDifference();
    if (written) return written;
    if (result !== 'continue' || other !== 'continue') return this.#end(result, other);
    this.#comparison.noteFrame(sp);
    return undefined;
  }

  #outputDifference(): Difference | undefined {
    for (const { fd, bytes } of this.#original.output) {
      this.#output.update(`${fd}:${bytes.length}:`).update(bytes);
      this.#history.addOutput(bytes);
      if (this.#request.output) this.#setting.options.sink?.(fd, bytes);
    }
    const text = outputDifference(this.#original, this.#optimized);
    return text && this.#differ('output', 'output', text[0], text[1]);
  }

  #end(result: Exit | 'continue', other: Exit | 'continue'): Outcome {
    if (result !== 'continue') this.#original.exit = result;
    if (other !== 'continue') this.#optimized.exit = other;
    return this.#exitDifference(result, other) ?? this.#memoryDifference(true) ?? this.#filesDifference() ?? 'ended';
  }

  #exitDifference(result: Exit | 'continue', other: Exit | 'continue'): Difference | undefined {
    const [expected, found] = [describeExit(result), describeExit(other)];
    return expected === found ? undefined : this.#differ('exit', 'the end', expected, found);
  }

  #filesDifference(): Difference | undefined {
    return filesDifference((...finding) => this.#differ(...finding), this.#original.process, this.#optimized.process);
  }

  #resultDifference(): Difference | undefined {
    const [o, p] = [this.#original.process.hart.get(A0), this.#optimized.process.hart.get(A0)];
    return this.#comparison.same(o, p) ? undefined : this.#differ('result', 'the result of the syscall', o, p);
  }

  /**
   * Delivers the original's alarm, which came `instructions` after the last event. The optimized program gets the alarm somewhere on the
   * same path, where it may have computed more or less: neither memory nor the place is compared.
   */
  #alarm(instructions: InsnCount): Outcome {
    const [o, p] = [this.#original.process, this.#optimized.process];
    this.#beforeAlarms += instructions;
    this.#alarms = true;
    const found = toEvent(this.#optimized, Math.ceil(instructions / PATIENCE.factor));
    // The optimized program is further: the alarm comes before its syscall, which is made again behind the handler.
    if (found.kind === 'syscall') p.hart.pc -= ECALL_SIZE;
    if (found.kind === 'fault') return this.#differ('fault', 'what happens next', 'SIGALRM', describe(found));
    this.#comparison.pairPlaces();
    this.#comparison.adoptable = true;
    const sp = Number(o.hart.get(SP));
    const [result, other] = [o.alarm(), p.alarm()];
    this.#history.addAlarm(o);
    const difference = this.#exitDifference(result, other);
    if (difference) return difference;
    if (result !== 'continue' && other !== 'continue') {
      this.#original.exit = result;
      this.#optimized.exit = other;
      return this.#filesDifference() ?? 'ended';
    }
    this.#comparison.noteFrame(sp);
    return undefined;
  }

  #differ(
    kind: Difference['kind'],
    what: string,
    expected: string | bigint | number,
    found: string | bigint | number,
  ): Difference {
    const { process } = this.#original;
    const { pc } = process.hart;
    const show = (value: string | bigint | number) => (typeof value === 'string' ? value : hex(value));
    return {
      kind,
      syscall: this.#syscall,
      pc: process.place.toLinked(pc),
      symbol: process.symbolAt(pc),
      optimizedPc: process.place.toLinked(this.#optimized.process.hart.pc),
      superblock: undefined,
      superblockSymbol: undefined,
      assumptions: [],
      what,
      expected: show(expected),
      found: show(found),
    };
  }
}
