/**
 * A guest process: its memory, its harts and its kernel. An engine runs a hart up to a syscall or a fault; then `syscall` or
 * `fault` does what Linux would do and tells whether the guest continues. All inputs from outside are in ProcessOptions, so two
 * processes with equal options behave alike.
 */
import { realpathSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { badOption, overLimit } from '../base/errors.ts';
import { sleep } from '../base/sleep.ts';
import { A0, A7, type Addr, type ByteCount } from '../base/units.ts';
import type { ElfSymbol, Image } from '../elf/image.ts';
import { Hart } from './hart.ts';
import { layoutOf, STACK_SIZE } from './layout.ts';
import { backedBy } from './linux/backed.ts';
import { isBeyond } from './linux/beyond.ts';
import { type Change, changesOf } from './linux/changes.ts';
import { Clock, type ClockOptions, makeRandom } from './linux/clock.ts';
import { InputStream, OutputStream, type Sink, type Source } from './linux/descriptors.ts';
import { Kernel } from './linux/kernel.ts';
import { Overlay } from './linux/overlay.ts';
import { provideProc } from './linux/proc.ts';
import { unshare } from './linux/shared.ts';
import { CODE, deliver, force, SIG, signalName } from './linux/signals.ts';
import type { Pause } from './linux/steps.ts';
import { runSyscall, SYSCALLS } from './linux/table.ts';
import { type Loaded, load } from './load.ts';
import { Memory, PAGE, PERMISSION } from './memory.ts';
import { AddressSpace } from './space.ts';

export type { Bytes, Change } from './linux/changes.ts';
export type { ClockOptions } from './linux/clock.ts';
export type { Sink, Source } from './linux/descriptors.ts';
export type { Pause } from './linux/steps.ts';

export interface ProcessOptions {
  readonly image: Image;
  /** The guest's arguments, without the program's name. */
  readonly args?: readonly string[];
  /** argv[0]; default: the image's path. Two forms of one program must get the same to be comparable. */
  readonly programName?: string;
  /** The whole environment, `NAME=value`; default: empty. */
  readonly env?: readonly string[] | undefined;
  /** Standard input: bytes, or a function that fills a target and returns how many it put there, 0 at the end. Default: empty. */
  readonly stdin?: Uint8Array | Source | undefined;
  /** Receives the bytes of standard output (1) and error (2), live: use or copy them at once. Default: the bytes are dropped. */
  readonly sink?: Sink | undefined;
  /** Host directories that the guest can read; default: the working directory. */
  readonly grants?: readonly string[] | undefined;
  /** The guest's working directory; default: the host's. */
  readonly cwd?: string;
  /** Guest memory in bytes, a multiple of 64 KiB; default 1 GiB. */
  readonly memorySize?: ByteCount | undefined;
  /** First address of the heap; default: behind the image. An optimized file needs that of its original (`Process.heapStart`). */
  readonly heapStart?: Addr | undefined;
  readonly clock?: ClockOptions | undefined;
  /** Addresses whose pages /proc/self/maps shows as executable where they can be read. */
  readonly shownExecutable?: { readonly from: Addr; readonly to: Addr } | undefined;
  /** Seed of getrandom, /dev/urandom and AT_RANDOM. */
  readonly seed?: bigint;
  /** Gets one line a syscall, as strace prints it. */
  readonly strace?: ((line: string) => void) | undefined;
  /** Gets messages for the user, each once: requests of the guest that are not supported. */
  readonly report?: ((message: string) => void) | undefined;
}

/** How a guest ended. */
export type Exit =
  | { readonly kind: 'status'; readonly status: number }
  | {
      readonly kind: 'signal';
      readonly signal: number;
      /** `SIGSEGV`. */
      readonly name: string;
      readonly pc: Addr;
      /** The faulting address, if a fault raised the signal. */
      readonly address: bigint | undefined;
      /** `main+0x12`. */
      readonly symbol: string | undefined;
    }
  | {
      readonly kind: 'limit';
      readonly limit: 'instructions' | 'time' | 'deadlock' | 'interrupt';
      readonly message: string;
      readonly pc: Addr;
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
  readonly at: Addr;
  readonly count: number;
}

const DEFAULT_SIZE: ByteCount = 2 ** 30;
/** In a smaller memory not even the stack fits. */
const SMALLEST_MEMORY: ByteCount = 2 ** 24;
const LARGEST_MEMORY: ByteCount = 3 * 2 ** 30;
/** Milliseconds between two tries of a host stream that is not ready. */
const STREAM_RETRY_MS = 2;
const PID = 1000;
const UID = 1000;

/** Loads the image and sets up everything up to the first instruction. Throws IsoformError if the image does not fit, or a grant is bad. */
export function createProcess(options: ProcessOptions): Process {
  return new Process(options);
}

export class Process {
  readonly image: Image;
  readonly memory: Memory;
  readonly kernel: Kernel;
  /** Load bias: what is added to the image's addresses at run time. */
  readonly bias: Addr;
  readonly heapStart: Addr;
  readonly #strace: ((line: string) => void) | undefined;
  readonly #starts = new Map<Addr, number>();
  readonly #stops = new Map<Addr, number>();

  constructor(options: ProcessOptions) {
    const { image } = options;
    const size = options.memorySize ?? DEFAULT_SIZE;
    if (size < SMALLEST_MEMORY || size > LARGEST_MEMORY || size % 65536 !== 0)
      throw badOption(`guest memory of ${size} bytes`, '16 MiB to 3 GiB, a multiple of 64 KiB');
    this.image = image;
    this.memory = new Memory(size);
    const hart = new Hart(this.memory);
    const layout = layoutOf(size);
    const space = new AddressSpace(this.memory, layout.mappingTop);
    const clock = new Clock(options.clock);
    hart.time = (retired) => clock.ticks(retired);
    const random = makeRandom(options.seed ?? 0x69736f666f726dn);
    const cwd = resolve(options.cwd ?? process.cwd());
    const overlay = new Overlay(
      (options.grants ?? [cwd]).map((dir) => resolve(cwd, dir)),
      () => clock.realtime,
    );
    const executable = realPath(resolve(cwd, image.file));
    const { ino } = overlay.provideFile(executable, image.bytes);
    const seedBytes = new Uint8Array(16);
    random(seedBytes);
    const fileName = options.programName ?? image.file;
    const loaded: Loaded = load(space, {
      image,
      layout,
      heapStart: options.heapStart,
      args: [fileName, ...(options.args ?? [])],
      env: options.env ?? [],
      fileName,
      random: seedBytes,
      uid: UID,
    });
    this.bias = loaded.bias;
    this.heapStart = loaded.heapStart;
    hart.pc = loaded.entry;
    hart.set(2, BigInt(loaded.sp));
    this.#strace = options.strace;
    this.kernel = new Kernel({
      memory: this.memory,
      space,
      overlay,
      clock,
      random,
      cwd: overlay.ensureDirectory(cwd),
      heapStart: loaded.heapStart,
      heapLimit: layout.mappingTop,
      trampoline: layout.trampoline,
      uid: UID,
      pid: PID,
      hart,
      diverted: (from, to) => {
        bump(this.#stops, from);
        bump(this.#starts, to);
      },
      report: options.report ?? (() => {}),
    });
    space.onRelease = (address, length) => {
      if (this.kernel.shared.length > 0) unshare(this.kernel, address, length);
      this.kernel.backed.release(address, length);
      if (!this.kernel.sharedMemory.empty) this.kernel.sharedMemory.remove(address, address + length);
      if (this.kernel.beyond.size > 0)
        for (let page = address; page < address + length; page += PAGE) this.kernel.beyond.delete(page);
    };
    this.kernel.backed.push(...backedBy(image, loaded.bias, { path: executable, ino }));
    const { stackLow: low, stackTop: top } = layout;
    const args = [fileName, ...(options.args ?? [])];
    this.kernel.traits.name = Buffer.from(basename(fileName)).subarray(0, 15);
    provideProc({
      kernel: this.kernel,
      executable,
      args,
      env: options.env ?? [],
      stack: { low, top },
      shownExecutable: options.shownExecutable,
    });
    bump(this.#starts, loaded.entry);
    const sink = options.sink ?? (() => {});
    const { descriptors } = this.kernel;
    descriptors.add(new InputStream(asSource(options.stdin)), false);
    descriptors.add(new OutputStream(1, sink), false);
    descriptors.add(new OutputStream(2, sink), false);
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
  symbolAt(address: Addr): string | undefined {
    const at = address - this.bias;
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

const bump = (counts: Map<Addr, number>, at: Addr): void => {
  if (counts.size >= MAX_INTERRUPTED && !counts.has(at))
    throw overLimit(`signals have interrupted the guest at ${MAX_INTERRUPTED} addresses`, 'run it with fewer signals');
  counts.set(at, (counts.get(at) ?? 0) + 1);
};
const sorted = (counts: ReadonlyMap<Addr, number>): AddressCount[] =>
  [...counts].map(([at, count]) => ({ at, count })).sort((a, b) => a.at - b.at);

/** The real path on the host; the path itself if nothing is there. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function asSource(stdin: Uint8Array | Source | undefined): Source {
  if (typeof stdin === 'function') return stdin;
  let rest = stdin ?? new Uint8Array(0);
  return (target) => {
    const part = rest.subarray(0, target.length);
    target.set(part);
    rest = rest.subarray(part.length);
    return part.length;
  };
}
