/**
 * Runs a process on an engine: from event to event, or to its end. Engines run in slices, so that limits are checked now and
 * then; the number of instructions is limited exactly.
 */
import { sleep } from '../base/sleep.ts';
import type { InsnCount } from '../base/units.ts';
import type { Exit, Fault, Pause, PendingSyscall, Process } from '../machine/process.ts';
import type { Engine } from './engine.ts';

/** Instructions that an engine runs before alarms are checked. */
const SLICE: InsnCount = 2 ** 22;

/** Why a stretch of execution ended. */
export type ProcessEvent =
  /** A syscall is asked for and has not run: call process.syscall(). `call` describes the syscall until then. */
  | { readonly kind: 'syscall'; readonly call: PendingSyscall }
  /** Call process.fault(fault). */
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'budget' };

/** Reads the pending call only when asked: most users just run the syscall. */
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

/** Runs the current hart for at most `budget` instructions, up to the next syscall or fault. Adds the retired instructions to the hart. */
export const runToEvent = (process: Process, engine: Engine, budget: InsnCount): ProcessEvent =>
  // Without a time limit every stop is an event.
  runUntil(process, engine, budget, undefined)!;

/** @param until as of Engine.run @returns undefined if that time has come: call again with the rest of the budget */
function runUntil(
  process: Process,
  engine: Engine,
  budget: InsnCount,
  until: number | undefined,
): ProcessEvent | undefined {
  const { hart } = process;
  const { stop, retired } = engine.run(hart, budget, until);
  hart.retired += retired;
  if (stop.kind === 'pause') return undefined;
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
  readonly limitInstructions?: InsnCount | undefined;
  /** Seconds on the host's clock. A syscall that is under way then is left unfinished. */
  readonly wallTime?: number | undefined;
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
  const waits = new Waits();
  const turns = executing(process, engine, options, options.wallTime !== undefined);
  for (;;) {
    const { done, value } = turns.next();
    if (done) return value;
    const wait = waits.after(value);
    if (wait > 0) sleep(wait);
  }
}

/** Milliseconds after which the clock, and signals of the host, are looked at. */
const TURN_MS = 50;

/** As `execute`, in turns between which the host may run other things. @param interrupted asked each turn: true stops as at a limit */
export async function executeInTurns(
  process: Process,
  engine: Engine,
  options: ExecuteOptions,
  interrupted: () => boolean,
): Promise<Outcome> {
  const waits = new Waits();
  const turns = executing(process, engine, options, true);
  for (let last = performance.now(); ; ) {
    const { done, value } = turns.next(interrupted());
    if (done) return value;
    const wait = waits.after(value);
    if (wait === 0 && performance.now() - last < TURN_MS) continue;
    await new Promise((resume) => (wait > 0 ? setTimeout(resume, wait) : setImmediate(resume)));
    last = performance.now();
  }
}

/** Events between two looks at the clock, if the events since the look before took less than QUICK_MS; otherwise one. */
const QUICK_EVENTS = 8;
const QUICK_MS = 1;

/** Milliseconds to wait for the host's streams: twice as many at each wait in a row. */
class Waits {
  #next = SHORTEST_WAIT_MS;
  after(pause: Pause): number {
    const wait = pause === 'wait' ? this.#next : 0;
    this.#next = wait === 0 ? SHORTEST_WAIT_MS : Math.min(LONGEST_WAIT_MS, wait * 2);
    return wait;
  }
}
const SHORTEST_WAIT_MS = 0.05;
const LONGEST_WAIT_MS = 10;

/** Runs the process. Yields while a syscall waits and, if `timed`, now and then; stops if a yield is answered with `true`. */
function* executing(
  process: Process,
  engine: Engine,
  options: ExecuteOptions,
  timed: boolean,
): Generator<Pause, Outcome, boolean | undefined> {
  const limit = options.limitInstructions ?? Number.POSITIVE_INFINITY;
  const deadline = performance.now() + (options.wallTime ?? Number.POSITIVE_INFINITY) * 1000;
  attach(process, engine);
  const retired = () => process.harts.reduce((sum, hart) => sum + hart.retired, 0);
  let next = timed ? Math.min(performance.now() + TURN_MS, deadline) : undefined;
  /** Instructions left in the current slice: alarms come at its end, whatever the host's clock says. */
  let slice = SLICE;
  /** Events until the next look at the clock, and the time of the last one. */
  let events = 1;
  let looked = performance.now();
  for (;;) {
    const left = limit === Number.POSITIVE_INFINITY ? limit : limit - retired();
    if (left <= 0) return stopped('instructions', `the guest has run ${limit} instructions, the limit`);
    const before = process.hart.retired;
    const event = runUntil(process, engine, Math.min(slice, left), next);
    slice = event === undefined ? slice - (process.hart.retired - before) : SLICE;
    let result: 'continue' | Exit = 'continue';
    if (event?.kind === 'syscall') {
      options.onSyscall?.(event.call);
      const steps = process.beginSyscall();
      if (steps)
        for (const pause of steps) {
          const end = late() ?? ((yield pause) ? stopped('interrupt', 'interrupted') : undefined);
          if (end) return end;
        }
      result = process.outcome;
    } else if (event) result = serve(process, event);
    if (result !== 'continue') return { exit: result, instructions: retired() };
    if (next === undefined || (event && !process.kernel.slow && --events > 0)) continue;
    const now = performance.now();
    events = now - looked < QUICK_MS ? QUICK_EVENTS : 1;
    looked = now;
    if (now < next) continue;
    const end = late() ?? ((yield 'look') ? stopped('interrupt', 'interrupted') : undefined);
    if (end) return end;
    next = Math.min(performance.now() + TURN_MS, deadline);
  }

  function late(): Outcome | undefined {
    if (performance.now() < deadline) return undefined;
    return stopped('time', `the guest has run for ${options.wallTime} seconds, the limit`);
  }
  function stopped(which: 'instructions' | 'time' | 'interrupt', message: string): Outcome {
    return { exit: { kind: 'limit', limit: which, message, pc: process.hart.pc }, instructions: retired() };
  }
}

/** Makes the engine forget code that the guest changes by syscalls. `execute` calls this; users of `runToEvent` call it once. */
export function attach(process: Process, engine: Engine): void {
  process.onCodeChange(
    (address, length) => engine.invalidate(address, length),
    () => engine.flush(),
  );
}
