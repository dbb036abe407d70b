/** Syscalls about the process, its threads, limits and the system. One process, one thread, one user, all the same in every run. */
import type { Addr } from '../../base/units.ts';
import { STACK_SIZE } from '../layout.ts';
import { Descriptors } from './descriptors.ts';
import { Blocked, E, fail } from './errno.ts';
import { type Kernel, SIGNALS_PENDING } from './kernel.ts';
import type { ArgumentKind, SyscallRow } from './row.ts';
import { move, type Steps } from './steps.ts';
import { wait } from './wait.ts';

const INFINITY = 2n ** 64n - 1n;
const LIMIT_COUNT = 16;
const RLIMIT = { DATA: 2, STACK: 3, CORE: 4, NOFILE: 7, AS: 9, SIGPENDING: 11 } as const;
const FUTEX = {
  WAIT: 0,
  WAKE: 1,
  REQUEUE: 3,
  CMP_REQUEUE: 4,
  WAKE_OP: 5,
  WAIT_BITSET: 9,
  WAKE_BITSET: 10,
  COMMAND: 127,
} as const;
const UTS_FIELD = 65;
const PR = {
  SET_NAME: 15,
  GET_NAME: 16,
  GET_DUMPABLE: 3,
  SET_DUMPABLE: 4,
  SET_NO_NEW_PRIVS: 38,
  GET_NO_NEW_PRIVS: 39,
} as const;

function exit(kernel: Kernel, status: number): undefined {
  kernel.ending = { kind: 'status', status: status & 255 };
}

function limitOf(kernel: Kernel, resource: number): [bigint, bigint] {
  if (resource < 0 || resource >= LIMIT_COUNT) fail(E.INVAL);
  if (resource === RLIMIT.STACK) return [BigInt(STACK_SIZE), INFINITY];
  if (resource === RLIMIT.CORE) return [0n, INFINITY];
  if (resource === RLIMIT.NOFILE) return [BigInt(Descriptors.LIMIT), BigInt(Descriptors.LIMIT)];
  if (resource === RLIMIT.SIGPENDING) return [BigInt(SIGNALS_PENDING), BigInt(SIGNALS_PENDING)];
  if (resource === RLIMIT.AS) return [BigInt(kernel.memory.size), INFINITY];
  return [INFINITY, INFINITY];
}

function putLimit(kernel: Kernel, resource: number, at: Addr): void {
  const [soft, hard] = limitOf(kernel, resource);
  if (at === 0) return;
  kernel.guest.setU64(at, soft);
  kernel.guest.setU64(at + 8, hard);
}

/** Setting a limit changes nothing, but is checked against the hard limit first. */
function setLimit(kernel: Kernel, resource: number, at: Addr): number {
  const [, hard] = limitOf(kernel, resource);
  const [soft, wantedHard] = [kernel.guest.u64(at), kernel.guest.u64(at + 8)];
  if (soft > wantedHard) fail(E.INVAL);
  if (wantedHard > hard) fail(E.PERM);
  return 0;
}

function futex(kernel: Kernel, at: Addr, operation: number, value: number, timeout: Addr): number {
  const { guest } = kernel;
  const command = operation & FUTEX.COMMAND;
  if (at % 4 !== 0) fail(E.INVAL);
  switch (command) {
    case FUTEX.WAIT:
    case FUTEX.WAIT_BITSET: {
      if (guest.i32(at) !== value) fail(E.AGAIN);
      const wakeEvent = new Blocked('a futex that no other thread can wake');
      if (timeout === 0) throw wakeEvent;
      // The time-out of WAIT is relative, that of WAIT_BITSET absolute (futex(2)), on CLOCK_REALTIME if bit 8 is set.
      const time = guest.timespec(timeout);
      const now = operation & 256 ? kernel.clock.realtime : kernel.clock.monotonic;
      const left = command === FUTEX.WAIT ? time : time - now;
      return fail(wait(kernel, left > 0n ? left : 0n, wakeEvent).kind === 'signal' ? E.INTR : E.TIMEDOUT);
    }
    case FUTEX.CMP_REQUEUE:
    case FUTEX.WAKE:
    case FUTEX.WAKE_BITSET:
    case FUTEX.REQUEUE:
    case FUTEX.WAKE_OP:
      guest.i32(at);
      return 0;
    default:
      return fail(E.NOSYS);
  }
}

function systemName(kernel: Kernel, at: Addr): number {
  const fields = ['Linux', 'isoform', '6.1.0', '#1 SMP', 'riscv64', '(none)'];
  kernel.guest.output(at, UTS_FIELD * fields.length).fill(0);
  for (const [index, text] of fields.entries())
    kernel.guest.output(at + UTS_FIELD * index, UTS_FIELD).set(Buffer.from(text, 'latin1'));
  return 0;
}

/** struct sysinfo, 112 bytes. */
function systemInfo(kernel: Kernel, at: Addr): number {
  const { guest, memory } = kernel;
  guest.output(at, 112).fill(0);
  guest.setU64(at, kernel.clock.monotonic / 1_000_000_000n);
  guest.setU64(at + 32, memory.size);
  guest.setU64(at + 40, memory.size / 2);
  guest.setU16(at + 80, 1);
  guest.setU32(at + 104, 1);
  return 0;
}

function processControl(kernel: Kernel, option: number, argument: Addr, ...rest: readonly number[]): number {
  const { guest, traits } = kernel;
  const noFurtherArguments = rest.every((more) => more === 0);
  switch (option) {
    case PR.SET_NAME:
      traits.name = Buffer.from(nameAt(kernel, argument), 'latin1');
      return 0;
    case PR.GET_NAME:
      guest.output(argument, 16).fill(0).set(traits.name);
      return 0;
    case PR.GET_DUMPABLE:
      return traits.dumpable;
    case PR.SET_DUMPABLE:
      if (argument > 1) fail(E.INVAL);
      traits.dumpable = argument;
      return 0;
    case PR.SET_NO_NEW_PRIVS:
      if (argument !== 1 || !noFurtherArguments) fail(E.INVAL);
      traits.noNewPrivileges = 1;
      return 0;
    case PR.GET_NO_NEW_PRIVS:
      return argument === 0 && noFurtherArguments ? traits.noNewPrivileges : fail(E.INVAL);
    default:
      return fail(E.INVAL);
  }
}

/** A thread's name: up to 15 bytes, or up to a NUL. */
function nameAt({ guest }: Kernel, address: Addr): string {
  let name = '';
  for (let at = address; name.length < 15; at++) {
    const byte = guest.u8(at);
    if (byte === 0) break;
    name += String.fromCharCode(byte);
  }
  return name;
}

/** The machine has one processor, which the set must contain. */
function setAffinity(kernel: Kernel, _pid: number, size: number, at: Addr): number {
  return size > 0 && (kernel.guest.u8(at) & 1) !== 0 ? 0 : fail(E.INVAL);
}

function randomBytes(kernel: Kernel, at: Addr, size: number, flags: number): number | Steps {
  if (flags & ~7) fail(E.INVAL);
  const bytes = kernel.guest.outputBefore(at, Math.min(size, 2 ** 25 - 1));
  if (bytes.length === 0 && size > 0) fail(E.FAULT);
  return move(bytes, (part) => {
    kernel.random(part);
    return part.length;
  });
}

function affinity(kernel: Kernel, size: number, at: Addr): number {
  if (size < 8 || size % 8 !== 0) fail(E.INVAL);
  kernel.guest.setU64(at, 1);
  return 8;
}

/** A syscall whose result depends on no argument. */
const constantRow = (
  number: number,
  name: string,
  kinds: readonly ArgumentKind[],
  value: (kernel: Kernel) => number,
): SyscallRow => ({
  number,
  name,
  arguments: kinds,
  run: (kernel) => value(kernel),
});
const zeroRow = (number: number, name: string, kinds: readonly ArgumentKind[] = []) =>
  constantRow(number, name, kinds, () => 0);

/** A syscall that fails with ENOSYS: programs fall back on other means. `why` is told to the user once. */
const missingRow = (number: number, name: string, kinds: readonly ArgumentKind[], why?: string): SyscallRow =>
  constantRow(number, name, kinds, (kernel) => notThere(kernel, name, why));

function notThere(kernel: Kernel, name: string, why?: string): number {
  if (why) kernel.report(`the guest called ${name}: ${why}; it gets ENOSYS`);
  return -E.NOSYS;
}

/** A clone with CLONE_VM fails here, but on other systems makes a task in the same memory. (With CLONE_VFORK the parent waits.) */
function newTask(kernel: Kernel, name: string, flags: number): number {
  if ((flags & CLONE.VM) !== 0 && (flags & CLONE.VFORK) === 0) kernel.others.add('task');
  return notThere(kernel, name, NO_THREADS);
}

/** A request for memory that is shared with other processes, which fails with ENOSYS. */
const sharedMemoryRow = (number: number, name: string, kinds: readonly ArgumentKind[], why: string): SyscallRow =>
  constantRow(number, name, kinds, (kernel) => {
    kernel.others.add('shared mapping');
    return notThere(kernel, name, why);
  });

const uid = (kernel: Kernel) => kernel.uid;

const CLONE = {
  VM: 0x100,
  VFORK: 0x4000,
  PARENT_SETTID: 0x100000,
  SETTLS: 0x80000,
  CHILD_CLEARTID: 0x200000,
  CHILD_SETTID: 0x1000000,
  PIDFD: 0x1000,
} as const;
/** Number of arguments by operation (futex(2)); other operations: all six. */
const FUTEX_ARGUMENTS: Readonly<Record<number, number>> = { 0: 4, 1: 3, 3: 5, 4: 6, 5: 6, 6: 4, 7: 1, 8: 1, 10: 6 };
const NO_THREADS = 'a second thread or process is not supported';

export const IDENTITY_ROWS: readonly SyscallRow[] = [
  zeroRow(90, 'capget', ['address', 'address']),
  zeroRow(92, 'personality', ['flags']),
  { number: 93, name: 'exit', arguments: ['int'], run: exit },
  { number: 94, name: 'exit_group', arguments: ['int'], run: exit },
  {
    number: 96,
    name: 'set_tid_address',
    arguments: ['address'],
    run: (k, at) => {
      k.task.clearTid = at;
      return k.task.tid;
    },
  },
  {
    number: 98,
    name: 'futex',
    arguments: ['address', 'int', 'int', 'address', 'address', 'int'],
    unused: (_, operation) => [0, 1, 2, 3, 4, 5].slice(FUTEX_ARGUMENTS[operation & 127] ?? 6),
    run: futex,
  },
  zeroRow(99, 'set_robust_list', ['address', 'size']),
  missingRow(100, 'get_robust_list', ['int', 'address', 'address']),
  zeroRow(118, 'sched_setparam', ['int', 'address']),
  zeroRow(119, 'sched_setscheduler', ['int', 'int', 'address']),
  zeroRow(120, 'sched_getscheduler', ['int']),
  {
    number: 121,
    name: 'sched_getparam',
    arguments: ['int', 'address'],
    run: (k, _pid, at) => {
      k.guest.setU32(at, 0);
      return 0;
    },
  },
  { number: 122, name: 'sched_setaffinity', arguments: ['int', 'size', 'address'], run: setAffinity },
  {
    number: 123,
    name: 'sched_getaffinity',
    arguments: ['int', 'size', 'address'],
    run: (k, _pid, size, at) => affinity(k, size, at),
  },
  zeroRow(124, 'sched_yield'),
  constantRow(125, 'sched_get_priority_max', ['int'], () => 0),
  constantRow(126, 'sched_get_priority_min', ['int'], () => 0),
  zeroRow(140, 'setpriority', ['int', 'int', 'int']),
  // The kernel's getpriority gives 20 - nice.
  constantRow(141, 'getpriority', ['int', 'int'], () => 20),
  zeroRow(144, 'setgid', ['int']),
  zeroRow(146, 'setuid', ['int']),
  ...[148, 150].map((number) => ({
    number,
    name: number === 148 ? 'getresuid' : 'getresgid',
    arguments: ['address', 'address', 'address'] as const,
    run: (k: Kernel, ...at: number[]) => {
      for (const address of at) k.guest.setU32(address, k.uid);
      return 0;
    },
  })),
  zeroRow(154, 'setpgid', ['int', 'int']),
  {
    number: 155,
    name: 'getpgid',
    arguments: ['int'],
    run: (k, pid) => (pid === 0 || pid === k.pid ? k.pid : fail(E.SRCH)),
  },
  constantRow(156, 'getsid', ['int'], (k) => k.pid),
  constantRow(157, 'setsid', [], (k) => k.pid),
  zeroRow(158, 'getgroups', ['int', 'address']),
  { number: 160, name: 'uname', arguments: ['address'], run: systemName },
  {
    number: 163,
    name: 'getrlimit',
    arguments: ['int', 'address'],
    run: (k, resource, at) => {
      putLimit(k, resource, at);
      return 0;
    },
  },
  { number: 164, name: 'setrlimit', arguments: ['int', 'address'], run: setLimit },
  { number: 167, name: 'prctl', arguments: ['int', 'address', 'address', 'address', 'address'], run: processControl },
  {
    number: 168,
    name: 'getcpu',
    arguments: ['address', 'address'],
    run: (k, cpu, node) => {
      if (cpu !== 0) k.guest.setU32(cpu, 0);
      if (node !== 0) k.guest.setU32(node, 0);
      return 0;
    },
  },
  constantRow(172, 'getpid', [], (k) => k.pid),
  constantRow(173, 'getppid', [], (k) => k.pid - 1),
  constantRow(174, 'getuid', [], uid),
  constantRow(175, 'geteuid', [], uid),
  constantRow(176, 'getgid', [], uid),
  constantRow(177, 'getegid', [], uid),
  constantRow(178, 'gettid', [], (k) => k.task.tid),
  { number: 179, name: 'sysinfo', arguments: ['address'], run: systemInfo },
  {
    number: 220,
    name: 'clone',
    arguments: ['flags', 'address', 'address', 'address', 'address'],
    unused: (flags) => [
      ...(flags & (CLONE.PARENT_SETTID | CLONE.PIDFD) ? [] : [2]),
      ...(flags & CLONE.SETTLS ? [] : [3]),
      ...(flags & (CLONE.CHILD_CLEARTID | CLONE.CHILD_SETTID) ? [] : [4]),
    ],
    run: (k, flags) => newTask(k, 'clone', flags),
  },
  missingRow(221, 'execve', ['path', 'address', 'address'], 'other programs are not run'),
  missingRow(258, 'riscv_hwprobe', ['address', 'size', 'size', 'address', 'flags']),
  constantRow(260, 'wait4', ['int', 'address', 'int', 'address'], () => -E.CHILD),
  {
    number: 261,
    name: 'prlimit64',
    arguments: ['int', 'int', 'address', 'address'],
    run: (k, pid, resource, wanted, old) => {
      if (pid !== 0 && pid !== k.pid) fail(E.SRCH);
      putLimit(k, resource, old);
      return wanted === 0 ? 0 : setLimit(k, resource, wanted);
    },
  },
  { number: 278, name: 'getrandom', arguments: ['address', 'size', 'flags'], run: randomBytes },
  constantRow(283, 'membarrier', ['int', 'flags', 'int'], () => 0),
  missingRow(293, 'rseq', ['address', 'size', 'flags', 'flags']),
  sharedMemoryRow(196, 'shmat', ['int', 'address', 'flags'], 'shared memory of System V is not supported'),
  sharedMemoryRow(425, 'io_uring_setup', ['int', 'address'], 'it is not supported'),
  {
    number: 435,
    name: 'clone3',
    arguments: ['address', 'size'],
    run: (k, at) => newTask(k, 'clone3', k.guest.u32(at)),
  },
];
