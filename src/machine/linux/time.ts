/** Syscalls about time. All times come from the deterministic clock; sleeping moves the clock on and returns at once. */
import type { Addr } from '../../base/units.ts';
import { Blocked, E, fail } from './errno.ts';
import type { Kernel, SignalTimer } from './kernel.ts';
import type { SyscallRow } from './row.ts';
import { CODE, SIG, SIGNAL_COUNT, send } from './signals.ts';
import { remaining, type Timer } from './timers.ts';
import { wait } from './wait.ts';

const TIMER_ABSTIME = 1;
const ITIMER_REAL = 0;
const MAX_TIMERS = 1024;
/** Nanoseconds of a clock tick of times(2): USER_HZ is 100. */
const TICK = 10_000_000n;

/** Reads a clock by its CLOCK_ id: realtime, monotonic, process and thread CPU time, raw, coarse ones, boottime, the alarms, TAI. */
export function readClock(kernel: Kernel, id: number): bigint {
  const { clock } = kernel;
  if (id === 0 || id === 5 || id === 8 || id === 11) return clock.realtime;
  if (id === 1 || id === 4 || id === 6 || id === 7 || id === 9) return clock.monotonic;
  // Negative ids are CPU clocks of a process or a thread (clock_getcpuclockid), by its number; 0 is the caller (posix-timers.h).
  const own = id < 0 && [0, kernel.pid].includes(~(id >> 3)) && (id & 3) !== 3;
  if (id === 2 || id === 3 || own) return clock.elapsed;
  return fail(E.INVAL);
}

const CLOCK_REALTIME = 0;
/** The thread's CPU time, raw and coarse clocks, and alarms, for which the machine has no clock. */
const CLOCKS_WITHOUT_SLEEP: ReadonlySet<number> = new Set([3, 4, 5, 6, 8, 9]);

function sleep(kernel: Kernel, id: number, flags: number, request: Addr, rest: Addr): number {
  const now = readClock(kernel, id);
  if (CLOCKS_WITHOUT_SLEEP.has(id)) fail(E.OPNOTSUPP);
  const wanted = kernel.guest.timespec(request);
  const time = flags & TIMER_ABSTIME ? wanted - now : wanted;
  const waited = wait(kernel, time > 0n ? time : 0n, new Blocked('time'));
  if (waited.kind !== 'signal') return 0;
  if (rest !== 0 && (flags & TIMER_ABSTIME) === 0) kernel.guest.setTimespec(rest, waited.left);
  return -E.INTR;
}

function putTimes(kernel: Kernel, at: Addr): void {
  const ticks = kernel.clock.elapsed / TICK;
  for (const [index, value] of [ticks, 0n, 0n, 0n].entries()) kernel.guest.setU64(at + 8 * index, value);
}

function getTimer(kernel: Kernel, which: number, at: Addr): number {
  if (which < 0 || which > 2) fail(E.INVAL);
  const alarm = which === ITIMER_REAL ? kernel.alarm : undefined;
  kernel.guest.setTimeval(at, alarm?.interval ?? 0n);
  const left = remaining(alarm, kernel.clock.monotonic);
  kernel.guest.setTimeval(at + 16, left > 0n && left < 1000n ? 1000n : left);
  return 0;
}

function setTimer(kernel: Kernel, which: number, wanted: Addr, old: Addr): number {
  if (which < 0 || which > 2) fail(E.INVAL);
  if (old !== 0) getTimer(kernel, which, old);
  const timeval = (at: Addr): bigint => {
    const [seconds, microseconds] = [kernel.guest.i64(at), kernel.guest.i64(at + 8)];
    if (seconds < 0n || microseconds < 0n || microseconds >= 1_000_000n) fail(E.INVAL);
    return seconds * 1_000_000_000n + microseconds * 1000n;
  };
  // Linux takes NULL for zeros.
  const [interval, value] = wanted === 0 ? [0n, 0n] : [timeval(wanted), timeval(wanted + 16)];
  if (which === ITIMER_REAL) {
    kernel.alarm ??= makeAlarm(kernel);
    kernel.alarm.at = value === 0n ? undefined : kernel.clock.monotonic + value;
    kernel.alarm.interval = interval;
  } else if (value !== 0n) kernel.report(NO_CPU_TIMERS);
  return 0;
}

const NO_CPU_TIMERS = 'the guest set a timer of CPU time, which never fires here';

function makeAlarm(kernel: Kernel): Timer {
  const expired = () => send(kernel, { signal: SIG.ALRM, code: CODE.KERNEL });
  const alarm: Timer = { at: undefined, interval: 0n, signals: true, expired };
  kernel.timers.add(alarm);
  return alarm;
}

const NOTIFY = { SIGNAL: 0, NONE: 1, THREAD: 2, THREAD_ID: 4 } as const;
const OVERRUN_MAX = 2n ** 31n - 1n;

/** Rejects clocks without timers (kernel/time/posix-timers.c); CPU clocks by number are checked when the timer has its id. */
function checkTimerClock(kernel: Kernel, id: number): void {
  if (id === 4 || id === 5 || id === 6 || (id < 0 && (id & 7) === 3)) fail(E.OPNOTSUPP);
  if (id >= 0) readClock(kernel, id);
}

function createTimer(kernel: Kernel, clock: number, event: Addr, at: Addr): number {
  const { guest, signalTimers, task } = kernel;
  const [given, signal, notify] =
    event === 0
      ? [undefined, SIG.ALRM, NOTIFY.SIGNAL]
      : [guest.u64(event), guest.i32(event + 8), guest.i32(event + 12)];
  checkTimerClock(kernel, clock);
  if (signalTimers.size >= MAX_TIMERS) fail(E.AGAIN);
  // The id is used up even if the call fails below.
  const id = kernel.timersMade++;
  readClock(kernel, clock);
  // The alarm clocks, which wake a sleeping machine, are for root.
  if (clock === 8 || clock === 9) fail(E.PERM);
  if (![NOTIFY.SIGNAL, NOTIFY.NONE, NOTIFY.THREAD, NOTIFY.THREAD_ID].includes(notify as 0)) fail(E.INVAL);
  const toThread = notify === NOTIFY.THREAD_ID;
  if (toThread && guest.i32(event + 16) !== task.tid) fail(E.INVAL);
  if (notify !== NOTIFY.NONE && (signal < 1 || signal > SIGNAL_COUNT)) fail(E.INVAL);
  const timer: SignalTimer = {
    id,
    clock,
    value: given ?? BigInt(id),
    at: undefined,
    interval: 0n,
    pending: false,
    overrun: 0n,
    told: 0n,
    signals: notify !== NOTIFY.NONE,
    expired: (times) => {
      if (!timer.signals) return;
      // One signal at a time is pending; further expiries are counted as overruns.
      const more = timer.pending ? times : times - 1n;
      timer.overrun = timer.overrun + more < OVERRUN_MAX ? timer.overrun + more : OVERRUN_MAX;
      if (!timer.pending) send(kernel, { signal, code: CODE.TIMER, timer }, toThread ? task : undefined);
    },
  };
  guest.setU32(at, id);
  signalTimers.set(id, timer);
  kernel.timers.add(timer);
  return 0;
}

const timerOf = (kernel: Kernel, id: number): SignalTimer => kernel.signalTimers.get(id) ?? fail(E.INVAL);

/** Writes a timer's state as a struct itimerspec. */
export function putTimer(kernel: Kernel, at: Addr, timer: Timer): void {
  kernel.guest.setTimespec(at, timer.interval);
  kernel.guest.setTimespec(at + 16, remaining(timer, kernel.clock.monotonic));
}

/** struct itimerspec, in nanoseconds. */
export interface TimerSpec {
  readonly interval: bigint;
  readonly value: bigint;
}
/** Fails with EINVAL if a time is not normalised. */
export const timerSpecAt = ({ guest }: Kernel, at: Addr): TimerSpec => ({
  interval: guest.timespec(at),
  value: guest.timespec(at + 16),
});

/** @param old address for the previous state of the timer, or 0 */
export function setTimerTo(
  kernel: Kernel,
  timer: Timer,
  clock: number,
  absolute: boolean,
  { interval, value }: TimerSpec,
  old: Addr,
): void {
  const before = { interval: timer.interval, left: remaining(timer, kernel.clock.monotonic) };
  timer.at = value === 0n ? undefined : kernel.clock.monotonic + (absolute ? value - readClock(kernel, clock) : value);
  timer.interval = interval;
  if (old === 0) return;
  kernel.guest.setTimespec(old, before.interval);
  kernel.guest.setTimespec(old + 16, before.left);
}

function setSignalTimer(kernel: Kernel, id: number, flags: number, wanted: Addr, old: Addr): number {
  if (wanted === 0) fail(E.INVAL);
  // The new state is checked before the id.
  const spec = timerSpecAt(kernel, wanted);
  const timer = timerOf(kernel, id);
  setTimerTo(kernel, timer, timer.clock, (flags & TIMER_ABSTIME) !== 0, spec, old);
  if (timer.at !== undefined && (timer.clock < 0 || timer.clock === 2 || timer.clock === 3)) {
    kernel.report(NO_CPU_TIMERS);
    timer.at = undefined;
  }
  return 0;
}

export const TIME_ROWS: readonly SyscallRow[] = [
  {
    number: 101,
    name: 'nanosleep',
    arguments: ['address', 'address'],
    run: (k, request, left) => sleep(k, 1, 0, request, left),
  },
  { number: 102, name: 'getitimer', arguments: ['int', 'address'], run: getTimer },
  { number: 103, name: 'setitimer', arguments: ['int', 'address', 'address'], run: setTimer },
  { number: 107, name: 'timer_create', arguments: ['int', 'address', 'address'], run: createTimer },
  {
    number: 108,
    name: 'timer_gettime',
    arguments: ['int', 'address'],
    run: (k, id, at) => {
      putTimer(k, at, timerOf(k, id));
      return 0;
    },
  },
  { number: 109, name: 'timer_getoverrun', arguments: ['int'], run: (k, id) => Number(timerOf(k, id).told) },
  { number: 110, name: 'timer_settime', arguments: ['int', 'int', 'address', 'address'], run: setSignalTimer },
  {
    number: 111,
    name: 'timer_delete',
    arguments: ['int'],
    run: (k, id) => {
      k.timers.delete(timerOf(k, id));
      k.signalTimers.delete(id);
      return 0;
    },
  },
  {
    number: 112,
    name: 'clock_settime',
    arguments: ['int', 'address'],
    run: (k, id, at) => {
      // Only the clock of the world can be set at all.
      if (id !== CLOCK_REALTIME) fail(E.INVAL);
      k.guest.timespec(at);
      return -E.PERM;
    },
  },
  {
    number: 113,
    name: 'clock_gettime',
    arguments: ['int', 'address'],
    run: (k, id, at) => {
      k.guest.setTimespec(at, readClock(k, id));
      return 0;
    },
  },
  {
    number: 114,
    name: 'clock_getres',
    arguments: ['int', 'address'],
    run: (k, id, at) => {
      readClock(k, id);
      if (at !== 0) k.guest.setTimespec(at, 1n);
      return 0;
    },
  },
  {
    number: 115,
    name: 'clock_nanosleep',
    arguments: ['int', 'flags', 'address', 'address'],
    run: sleep,
  },
  {
    number: 153,
    name: 'times',
    arguments: ['address'],
    run: (k, at) => {
      if (at !== 0) putTimes(k, at);
      return Number(k.clock.monotonic / TICK);
    },
  },
  {
    number: 165,
    name: 'getrusage',
    arguments: ['int', 'address'],
    run: (k, who, at) => {
      if (who < -1 || who > 1) fail(E.INVAL);
      k.guest.output(at, 144).fill(0);
      if (who !== -1) k.guest.setTimeval(at, k.clock.elapsed);
      return 0;
    },
  },
  {
    number: 169,
    name: 'gettimeofday',
    arguments: ['address', 'address'],
    run: (k, at, zone) => {
      if (at !== 0) k.guest.setTimeval(at, k.clock.realtime);
      if (zone !== 0) k.guest.setU64(zone, 0);
      return 0;
    },
  },
];
