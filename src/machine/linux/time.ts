/** Syscalls about time. All of it comes from the deterministic clock; sleeping moves the clock on and returns at once. */
import type { Addr } from '../../base/units.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { SyscallRow } from './row.ts';
import { wait } from './wait.ts';

const TIMER_ABSTIME = 1;
const ITIMER_REAL = 0;
/** Clock ticks of times(2) a second: USER_HZ. */
const TICK = 10_000_000n;

/** CLOCK_ ids: realtime, monotonic, process and thread CPU time, raw, coarse ones, boottime, the alarms, TAI. */
function readClock(kernel: Kernel, id: number): bigint {
  const { clock } = kernel;
  if (id === 0 || id === 5 || id === 8 || id === 11) return clock.realtime;
  if (id === 1 || id === 4 || id === 6 || id === 7 || id === 9) return clock.monotonic;
  // Also the clocks of one process (clock_getcpuclockid): negative ids.
  // Negative ones are the processor clocks of a process or a thread, by its number; 0 is the caller's (posix-timers.h).
  const own = id < 0 && [0, kernel.pid].includes(~(id >> 3)) && (id & 3) !== 3;
  if (id === 2 || id === 3 || own) return clock.elapsed;
  return fail(E.INVAL);
}

function sleep(kernel: Kernel, id: number, flags: number, request: Addr, remaining: Addr): number {
  const wanted = kernel.guest.timespec(request);
  const now = readClock(kernel, id);
  const time = flags & TIMER_ABSTIME ? wanted - now : wanted;
  const left = wait(kernel, time > 0n ? time : 0n, 'time');
  if (left === undefined) return 0;
  if (remaining !== 0 && (flags & TIMER_ABSTIME) === 0) kernel.guest.setTimespec(remaining, left);
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
  const left = alarm ? alarm.at - kernel.clock.monotonic : 0n;
  kernel.guest.setTimeval(at + 16, left > 0n ? left : alarm ? 1000n : 0n);
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
  const [interval, value] = [timeval(wanted), timeval(wanted + 16)];
  if (which === ITIMER_REAL) kernel.alarm = value === 0n ? undefined : { at: kernel.clock.monotonic + value, interval };
  else if (value !== 0n) kernel.report('the guest set a timer of CPU time, which never fires here');
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
  { number: 112, name: 'clock_settime', arguments: ['int', 'address'], run: () => -E.PERM },
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
