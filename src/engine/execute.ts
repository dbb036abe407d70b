/**
 * Runs a process on an engine: from event to event, or to its end. Engines run in slices, so that limits are looked at now and
 * then; the number of instructions is limited exactly.
 */
import type { InsnCount } from '../base/units.ts';
import type { Exit, Fault, PendingSyscall, Process } from '../machine/process.ts';
import type { Engine } from './engine.ts';

/** Instructions an engine runs before the wall clock is looked at: tenths of a second even on a slow engine. */
const SLICE: InsnCount = 2 ** 22;

/** Why a stretch of execution ended. */
export type ProcessEvent =
  /** A syscall is asked for and has not run: call process.syscall(). `call` tells which, until then. */
  | { readonly kind: 'syscall'; readonly call: PendingSyscall }
  /** Call process.fault(fault). */
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'budget' };

/** Looks at the call only when asked: most users just run it. */
class SyscallEvent {
  readonly kind = 'syscall';
  readonly #process: Process;
  constructor(process: Process) {
    this.#process = process;
  }
  get call(): PendingSyscall {
    return this.#process.pendingSyscall();
  }
}

/** Runs the current hart for at most `budget` instructions, up to the next syscall or fault. Counts what retired in the hart. */
export function runToEvent(process: Process, engine: Engine, budget: InsnCount): ProcessEvent {
  const { hart } = process;
  const { stop, retired } = engine.run(hart, budget);
  hart.retired += retired;
  if (stop.kind === 'ecall') return new SyscallEvent(process);
  if (stop.kind === 'budget') return stop;
  return { kind: 'fault', fault: stop };
}

/** Serves an event as the machine does. */
export function serve(process: Process, event: ProcessEvent): 'continue' | Exit {
  if (event.kind === 'syscall') return process.syscall();
  return event.kind === 'fault' ? process.fault(event.fault) : process.timePassed();
}

export interface ExecuteOptions {
  /** The guest is stopped when it has retired so many instructions. */
  readonly limitInstructions?: InsnCount;
  /** Seconds on the host's clock, looked at between slices and syscalls. */
  readonly wallTime?: number;
  /** Called before each syscall runs. */
  readonly onSyscall?: (call: PendingSyscall) => void;
}

export interface Outcome {
  readonly exit: Exit;
  /** Instructions retired, all harts. */
  readonly instructions: InsnCount;
}

/** Runs a process to its end. Counts of control transfers are then in `engine.transfers()`. */
export function execute(process: Process, engine: Engine, options: ExecuteOptions = {}): Outcome {
  const turns = executing(process, engine, options);
  for (;;) {
    const { done, value } = turns.next();
    if (done) return value;
  }
}

/** Milliseconds after which signals of the host are looked at. */
const TURN = 50;

/** The same, and in between the host may run other things. @param interrupted asked then: stop here, as at a limit */
export async function executeInTurns(
  process: Process,
  engine: Engine,
  options: ExecuteOptions,
  interrupted: () => boolean,
): Promise<Outcome> {
  const turns = executing(process, engine, options);
  for (let last = performance.now(); ; ) {
    const { done, value } = turns.next(interrupted());
    if (done) return value;
    if (performance.now() - last < TURN) continue;
    await new Promise((resume) => setImmediate(resume));
    last = performance.now();
  }
}

/** Yields now and then; told `true` then, it stops. */
function* executing(
  process: Process,
  engine: Engine,
  options: ExecuteOptions,
): Generator<void, Outcome, boolean | undefined> {
  const limit = options.limitInstructions ?? Number.POSITIVE_INFINITY;
  const deadline = options.wallTime === undefined ? undefined : performance.now() + options.wallTime * 1000;
  attach(process, engine);
  const retired = () => process.harts.reduce((sum, hart) => sum + hart.retired, 0);
  for (let turn = 0; ; turn++) {
    const left = limit === Number.POSITIVE_INFINITY ? limit : limit - retired();
    if (left <= 0) return stopped('instructions', `the guest has run ${limit} instructions, the limit`);
    const event = runToEvent(process, engine, Math.min(SLICE, left));
    if (event.kind === 'syscall') options.onSyscall?.(event.call);
    const result = serve(process, event);
    if (result !== 'continue') return { exit: result, instructions: retired() };
    if (event.kind !== 'budget' && turn % 1024 !== 0) continue;
    if (deadline !== undefined && performance.now() > deadline)
      return stopped('time', `the guest has run for ${options.wallTime} seconds, the limit`);
    if (yield) return stopped('interrupt', 'interrupted');
  }

  function stopped(which: 'instructions' | 'time' | 'interrupt', message: string): Outcome {
    return { exit: { kind: 'limit', limit: which, message, pc: process.hart.pc }, instructions: retired() };
  }
}

/** Makes the engine forget code that the guest changes by syscalls. `execute` does it; users of `runToEvent` call it once. */
export function attach(process: Process, engine: Engine): void {
  process.onCodeChange((address, length) => engine.invalidate(address, length));
}
