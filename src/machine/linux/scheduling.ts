/** Syscalls about scheduling: policy, priority, processors. One process runs on one processor, so the answers are kept and change nothing. */
import type { Addr } from '../../base/units.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { SyscallRow } from './row.ts';

const SCHED = { OTHER: 0, FIFO: 1, RR: 2, BATCH: 3, IDLE: 5, DEADLINE: 6, RESET_ON_FORK: 0x40000000 } as const;
const POLICIES: ReadonlySet<number> = new Set([SCHED.OTHER, SCHED.FIFO, SCHED.RR, SCHED.BATCH, SCHED.IDLE]);
const REAL_TIME: ReadonlySet<number> = new Set([SCHED.FIFO, SCHED.RR]);
/** sched_get_priority_min and _max. */
const PRIORITIES = { min: 1, max: 99 } as const;
const PRIO = { PROCESS: 0, GROUP: 1, USER: 2 } as const;
const NICEST = 19;
/** Nanoseconds that a process runs before another gets its turn. */
const TIME_SLICE = 4_000_000n;

/** Fails with EINVAL for a negative id and with ESRCH for another process. */
function ownProcess(kernel: Kernel, pid: number): void {
  if (pid < 0) fail(E.INVAL);
  if (pid !== 0 && pid !== kernel.pid) fail(E.SRCH);
}

/** The priority of a struct sched_param. */
function priorityAt(kernel: Kernel, pid: number, at: Addr): number {
  if (at === 0 || pid < 0) fail(E.INVAL);
  return kernel.guest.i32(at);
}

function setPolicy(kernel: Kernel, pid: number, policy: number, at: Addr): number {
  if (policy < 0) fail(E.INVAL);
  const priority = priorityAt(kernel, pid, at);
  ownProcess(kernel, pid);
  const wanted = policy & ~SCHED.RESET_ON_FORK;
  const realTime = REAL_TIME.has(wanted);
  if (!POLICIES.has(wanted) || realTime !== (priority !== 0) || priority < 0 || priority > PRIORITIES.max)
    fail(E.INVAL);
  if (realTime) fail(E.PERM);
  kernel.traits.policy = policy;
  return 0;
}

const priorityRow = (number: number, which: 'min' | 'max'): SyscallRow => ({
  number,
  name: `sched_get_priority_${which}`,
  arguments: ['int'],
  run: (_, policy) => {
    if (REAL_TIME.has(policy)) return PRIORITIES[which];
    return POLICIES.has(policy) || policy === SCHED.DEADLINE ? 0 : fail(E.INVAL);
  },
});

/** Fails unless the process of setpriority or getpriority is the only one, by id, group or user. */
function checkWhose(kernel: Kernel, which: number, who: number): void {
  const own = { [PRIO.PROCESS]: kernel.pid, [PRIO.GROUP]: kernel.traits.group, [PRIO.USER]: kernel.uid }[which];
  if (own === undefined) fail(E.INVAL);
  if (who !== 0 && who !== own) fail(E.SRCH);
}

function setNice(kernel: Kernel, which: number, who: number, nice: number): number {
  checkWhose(kernel, which, who);
  const wanted = Math.max(-NICEST - 1, Math.min(NICEST, nice));
  if (wanted < kernel.traits.nice) fail(E.ACCES);
  kernel.traits.nice = wanted;
  return 0;
}

/** The machine has one processor, which the set must contain. */
function setAffinity(kernel: Kernel, pid: number, size: number, at: Addr): number {
  const first = size > 0 ? kernel.guest.u8(at) : 0;
  if (pid !== 0 && pid !== kernel.pid) fail(E.SRCH);
  return (first & 1) !== 0 ? 0 : fail(E.INVAL);
}

function affinity(kernel: Kernel, pid: number, size: number, at: Addr): number {
  if (size < 8 || size % 8 !== 0) fail(E.INVAL);
  if (pid !== 0 && pid !== kernel.pid) fail(E.SRCH);
  kernel.guest.setU64(at, 1);
  return 8;
}

export const SCHEDULING_ROWS: readonly SyscallRow[] = [
  {
    number: 118,
    name: 'sched_setparam',
    arguments: ['int', 'address'],
    run: (k, pid, at) => {
      const priority = priorityAt(k, pid, at);
      ownProcess(k, pid);
      return priority === 0 ? 0 : fail(E.INVAL);
    },
  },
  { number: 119, name: 'sched_setscheduler', arguments: ['int', 'int', 'address'], run: setPolicy },
  {
    number: 120,
    name: 'sched_getscheduler',
    arguments: ['int'],
    run: (k, pid) => {
      ownProcess(k, pid);
      return k.traits.policy;
    },
  },
  {
    number: 121,
    name: 'sched_getparam',
    arguments: ['int', 'address'],
    run: (k, pid, at) => {
      if (at === 0) fail(E.INVAL);
      ownProcess(k, pid);
      k.guest.setU32(at, 0);
      return 0;
    },
  },
  { number: 122, name: 'sched_setaffinity', arguments: ['int', 'size', 'address'], run: setAffinity },
  { number: 123, name: 'sched_getaffinity', arguments: ['int', 'size', 'address'], run: affinity },
  { number: 124, name: 'sched_yield', arguments: [], run: () => 0 },
  priorityRow(125, 'max'),
  priorityRow(126, 'min'),
  {
    number: 127,
    name: 'sched_rr_get_interval',
    arguments: ['int', 'address'],
    run: (k, pid, at) => {
      ownProcess(k, pid);
      k.guest.setTimespec(at, TIME_SLICE);
      return 0;
    },
  },
  { number: 140, name: 'setpriority', arguments: ['int', 'int', 'int'], run: setNice },
  {
    number: 141,
    name: 'getpriority',
    arguments: ['int', 'int'],
    run: (k, which, who) => {
      checkWhose(k, which, who);
      // The kernel's getpriority gives 20 - nice.
      return 20 - k.traits.nice;
    },
  },
];
