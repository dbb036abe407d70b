/**
 * A guest process: its memory, its harts and its kernel. An engine runs a hart up to a syscall or a fault; then `syscall` or
 * `fault` does what Linux would do and tells whether the guest continues. All inputs from outside are in ProcessOptions, so two
 * processes with equal options behave alike.
 */
import { overLimit } from '../base/errors.ts';
import { sleep } from '../base/sleep.ts';
import { A0, A7, type Addr, type ByteCount, PAGE, type RunAddr } from '../base/units.ts';
import type { ElfSymbol, Image } from '../elf/image.ts';
import type { LinkMap } from '../place/link-map.ts';
import type { Place } from '../place/place.ts';
import type { Hart } from './hart.ts';
import { layoutOf, STACK_SIZE } from './layout.ts';
import { isBeyond } from './linux/beyond.ts';
import { type Change, changesOf } from './linux/changes.ts';
import type { Kernel } from './linux/kernel.ts';
import { CODE, deliver, force, SIG, signalName } from './linux/signals.ts';
import type { Pause } from './linux/steps.ts';
import { runSyscall, SYSCALLS } from './linux/table.ts';
import { type Memory, PERMISSION } from './memory.ts';
import { type ProcessOptions, setUp } from './setup.ts';

export type { Bytes, Change } from './linux/changes.ts';
export type { ClockOptions } from './linux/clock.ts';
export type { Sink, Source } from './linux/stdio.ts';
export type { Pause } from './linux/steps.ts';
export type { ProcessOptions } from './setup.ts';

/** How a guest ended. */
export type Exit =
  | { readonly kind: 'status'; readonly status: number }
  | {
      readonly kind: 'signal';
      readonly signal: number;
      /** `SIGSEGV`. */
      readonly name: string;
      readonly pc: RunAddr;
      /** The faulting address, if a fault raised the signal. */
      readonly address: bigint | undefined;
      /** `main+0x12`. */
      readonly symbol: string | undefined;
    }
  | {
      readonly kind: 'limit';
      readonly limit: 'instructions' | 'time' | 'deadlock' | 'interrupt';
      readonly message: string;
      readonly pc: RunAddr;
    };

/** An exception that a hart cannot handle by itself. The stops of engine/engine.ts that are faults have this form. */
export type Fault =
  | { readonly kind: 'ebreak' }
  | { readonly kind: 'illegal' }
  | { readonly kind: 'fault'; readonly access: 'load' | 'store' | 'fetch'; readonly address: bigint }
  | { readonly kind: 'misaligned'; readonly address: bigint };

/** A syscall that a hart has asked for. */
export interface PendingSyscall {
  readonly number: number;
  /** Undefined for an unknown syscall. */
  readonly name: string | undefined;
  /** a0..a5 as far as the syscall has arguments (unknown: all six). */
  readonly args: readonly bigint[];
}

/** A run-time address and its count, for profiles. */
export interface AddressCount {
  readonly at: RunAddr;
  readonly count: number;
}

/** Milliseconds between two tries of a host stream that is not ready. */
const STREAM_RETRY_MS = 2;

/** Loads the image and sets up everything up to the first instruction. Throws IsoformError if the image does not fit, or a grant is bad. */
export function createProcess(options: ProcessOptions): Process {
  return new Process(options);
}

export class Process {
  readonly image: Image;
  readonly memory: Memory;
  readonly kernel: Kernel;
  /** The images in memory. */
  readonly links: LinkMap;
  readonly heapStart: Addr;
  readonly #strace: ((line: string) => void) | undefined;
  readonly #starts = new Map<RunAddr, number>();
  readonly #stops = new Map<RunAddr, number>();

  constructor(options: ProcessOptions) {
    this.image = options.image;
    const fresh = setUp(options, (from, to) => {
      bump(this.#stops, from);
      bump(this.#starts, to);
    });
    this.memory = fresh.memory;
    this.kernel = fresh.kernel;
    this.links = fresh.links;
    this.heapStart = fresh.heapStart;
    this.#strace = options.strace;
    bump(this.#starts, fresh.entry);
  }

  /** The executable's place. */
  get place(): Place {
    return this.links.places[0]!;
  }
  /** All harts; the guest starts with one. */
  get harts(): readonly Hart[] {
    return this.kernel.tasks.map((task) => task.hart);
  }
  /** The hart that runs now. */
  get hart(): Hart {
    return this.kernel.task.hart;
  }
  /** The stack of the first thread: lowest address and size. */
  get stack(): { readonly address: Addr; readonly size: ByteCount } {
    return { address: layoutOf(this.memory.size).stackLow, size: STACK_SIZE };
  }
  /** The return address of signal handlers: code that is in no image. */
  get trampoline(): Addr {
    return this.kernel.trampoline;
  }

  /** Connects an engine: `listener` hears of code that syscalls change, `flush` of the guest's own notices that it has written code. */
  onCodeChange(listener: (address: Addr, length: ByteCount) => void, flush: () => void): void {
    const { space } = this.kernel;
    space.onCodeChange = listener;
    space.onFlush = flush;
  }

  /** The syscall that the current hart has asked for (its ecall has retired), before it is run. */
  pendingSyscall(): PendingSyscall {
    const { hart } = this;
    const number = hart.number(A7);
    const row = SYSCALLS.get(number);
    const count = row?.arguments.length ?? 6;
    return { number, name: row?.name, args: Array.from({ length: count }, (_, index) => hart.get(A0 + index)) };
  }

  /** Runs the pending syscall; its result is in a0 afterwards (unless it was rt_sigreturn, or a signal handler was entered). */
  syscall(): 'continue' | Exit {
    const steps = runSyscall(this.kernel, this.hart.number(A7), this.#strace);
    if (steps) for (const pause of steps) if (pause === 'wait') sleep(STREAM_RETRY_MS);
    return this.outcome;
  }
  /** Begins the pending syscall. @returns the remaining steps of a long syscall, to be run before anything else; then see `outcome` */
  beginSyscall(): Generator<Pause, void> | undefined {
    return runSyscall(this.kernel, this.hart.number(A7), this.#strace);
  }

  /** Lets an alarm expire that retired instructions have made due. */
  timePassed(): 'continue' | Exit {
    return this.alarmDue() ? this.alarm() : 'continue';
  }

  /** Have the retired instructions made a timer's signal due? */
  alarmDue(): boolean {
    const { timers, clock } = this.kernel;
    const timer = timers.next(({ signals }) => signals);
    if (!timer) return false;
    clock.passed(this.hart.retired);
    return clock.reached(timer.at);
  }

  /** Lets the next timer that sends a signal expire now, if there is one. */
  alarm(): 'continue' | Exit {
    const { kernel } = this;
    const { clock, timers } = kernel;
    clock.passed(this.hart.retired);
    const timer = timers.next(({ signals }) => signals);
    if (timer) clock.advance(timer.at);
    timers.fire(clock.monotonic);
    for (const { signal } of deliver(kernel, kernel.task)) this.#strace?.(`--- ${signalName(signal)} ---`);
    return this.outcome;
  }

  /** A fault of the current hart: enters the guest's handler if it has one, else ends the process. */
  fault(fault: Fault): 'continue' | Exit {
    const { kernel } = this;
    const pc = BigInt(kernel.task.hart.pc);
    kernel.clock.tick(kernel.task.hart.retired);
    switch (fault.kind) {
      case 'ebreak':
        force(kernel, kernel.task, { signal: SIG.TRAP, code: CODE.TRAP_BRKPT, address: pc });
        break;
      case 'illegal':
        force(kernel, kernel.task, { signal: SIG.ILL, code: CODE.ILL_ILLOPC, address: pc });
        break;
      case 'misaligned':
        force(kernel, kernel.task, { signal: SIG.BUS, code: CODE.BUS_ADRALN, address: fault.address });
        break;
      case 'fault': {
        const address = this.#failing(fault);
        const at = Number(address);
        const mapped = this.memory.allows(at, 1, PERMISSION.MAPPED);
        if (isBeyond(kernel, at, fault.access))
          force(kernel, kernel.task, { signal: SIG.BUS, code: CODE.BUS_ADRERR, address });
        else
          force(kernel, kernel.task, {
            signal: SIG.SEGV,
            code: mapped ? CODE.SEGV_ACCERR : CODE.SEGV_MAPERR,
            address,
          });
      }
    }
    const { signal } = kernel.task.pending[0]!;
    this.#strace?.(`--- ${signalName(signal)} at pc=0x${pc.toString(16)} ---`);
    deliver(kernel, kernel.task);
    return this.outcome;
  }

  /** The faulting address: of an access across two pages, the second page's start if the first allows it (privileged manual, "stval"). */
  #failing({ access, address }: Extract<Fault, { kind: 'fault' }>): bigint {
    const permission = { load: PERMISSION.READ, store: PERMISSION.WRITE, fetch: PERMISSION.EXECUTE }[access];
    const at = Number(address);
    return this.memory.allows(at, 1, permission) ? BigInt(at - (at % PAGE) + PAGE) : address;
  }

  /** Addresses where control entered from outside the code, ascending: the entry point, signal handlers, returns from handlers. */
  get starts(): AddressCount[] {
    return sorted(this.#starts);
  }
  /** Addresses where control left or ended, ascending: diversions, and each hart's pc (its next instruction, which has not run). */
  get stops(): AddressCount[] {
    const stops = new Map(this.#stops);
    for (const hart of this.harts) bump(stops, hart.pc);
    return sorted(stops);
  }

  /** The paths that differ from the host's now; the bytes of files are read on demand. */
  changes(): Iterable<Change> {
    return changesOf(this.kernel.overlay);
  }

  /** `name+0x12` for a run-time address inside a function of the image, if it has symbols. */
  symbolAt(address: RunAddr): string | undefined {
    const at = this.place.toLinked(address);
    let found: ElfSymbol | undefined;
    for (const symbol of this.image.symbols)
      if (symbol.kind === 'function' && symbol.address <= at && at < symbol.address + Math.max(symbol.size, 2))
        found = symbol;
    if (!found) return undefined;
    return at === found.address ? found.name : `${found.name}+0x${(at - found.address).toString(16)}`;
  }

  /** The outcome of the last syscall, fault or alarm. */
  get outcome(): 'continue' | Exit {
    const { ending } = this.kernel;
    if (!ending) return 'continue';
    if (ending.kind === 'status') return ending;
    const { pc } = this.hart;
    if (ending.kind === 'deadlock')
      return { kind: 'limit', limit: 'deadlock', message: `the guest waits for ever: ${ending.what}`, pc };
    const { signal, address } = ending;
    return { kind: 'signal', signal, name: signalName(signal), pc, address, symbol: this.symbolAt(pc) };
  }
}

/** Addresses at which signals may interrupt a guest: a Map holds 2^24 entries. */
const MAX_INTERRUPTED = 2 ** 23;

const bump = (counts: Map<RunAddr, number>, at: RunAddr): void => {
  if (counts.size >= MAX_INTERRUPTED && !counts.has(at))
    throw overLimit(`signals have interrupted the guest at ${MAX_INTERRUPTED} addresses`, 'run it with fewer signals');
  counts.set(at, (counts.get(at) ?? 0) + 1);
};
const sorted = (counts: ReadonlyMap<RunAddr, number>): AddressCount[] =>
  [...counts].map(([at, count]) => ({ at, count })).sort((a, b) => a.at - b.at);
