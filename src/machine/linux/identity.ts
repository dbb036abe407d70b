/** Syscalls about the process, its threads, limits and the system. One process, one thread, one user, all the same in every run. */
import type { Addr } from '../../base/units.ts';
import { STACK_SIZE } from '../layout.ts';
import { processControl } from './control.ts';
import { Descriptors } from './descriptors.ts';
import { E, fail } from './errno.ts';
import { type Kernel, SIGNALS_PENDING } from './kernel.ts';
import type { ArgumentKind, SyscallRow } from './row.ts';
import { move, type Steps } from './steps.ts';

const INFINITY = 2n ** 64n - 1n;
const LIMIT_COUNT = 16;
const RLIMIT = {
  FSIZE: 1,
  DATA: 2,
  STACK: 3,
  CORE: 4,
  NOFILE: 7,
  AS: 9,
  SIGPENDING: 11,
  NICE: 13,
  REAL_TIME: 14,
} as const;
const UTS_FIELD = 65;
function exit(kernel: Kernel, status: number): undefined {
  kernel.ending = { kind: 'status', status: status & 255 };
}

export function limitOf(kernel: Kernel, resource: number): readonly [bigint, bigint] {
  if (resource < 0 || resource >= LIMIT_COUNT) fail(E.INVAL);
  const set = kernel.limits.get(resource);
  if (set) return set;
  if (resource === RLIMIT.STACK) return [BigInt(STACK_SIZE), INFINITY];
  if (resource === RLIMIT.CORE) return [0n, INFINITY];
  if (resource === RLIMIT.NOFILE) return [BigInt(Descriptors.LIMIT), BigInt(Descriptors.LIMIT)];
  if (resource === RLIMIT.SIGPENDING) return [BigInt(SIGNALS_PENDING), BigInt(SIGNALS_PENDING)];
  if (resource === RLIMIT.AS) return [BigInt(kernel.memory.size), INFINITY];
  if (resource === RLIMIT.NICE || resource === RLIMIT.REAL_TIME) return [0n, 0n];
  return [INFINITY, INFINITY];
}

function putLimit(kernel: Kernel, resource: number, at: Addr): void {
  const [soft, hard] = limitOf(kernel, resource);
  if (at === 0) return;
  kernel.guest.setU64(at, soft);
  kernel.guest.setU64(at + 8, hard);
}

/** Keeps a limit. Only the limits of descriptors and of a file's size have an effect. */
function setLimit(kernel: Kernel, resource: number, at: Addr): number {
  const [before, hard] = limitOf(kernel, resource);
  const [soft, wantedHard] = [kernel.guest.u64(at), kernel.guest.u64(at + 8)];
  if (soft > wantedHard) fail(E.INVAL);
  if (wantedHard > hard) fail(E.PERM);
  kernel.limits.set(resource, [soft, wantedHard]);
  if (resource === RLIMIT.NOFILE) kernel.descriptors.limit = Number(soft);
  else if (resource === RLIMIT.FSIZE)
    kernel.overlay.sizeLimit = soft === INFINITY ? Number.POSITIVE_INFINITY : Number(soft);
  else if (resource !== RLIMIT.CORE && soft < before)
    kernel.report(`the guest lowered its resource limit ${resource}, which has no effect here`);
  return 0;
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

function randomBytes(kernel: Kernel, at: Addr, size: number, flags: number): number | Steps {
  const GRND = { NONBLOCK: 1, RANDOM: 2, INSECURE: 4 };
  const both = GRND.RANDOM | GRND.INSECURE;
  if (flags & ~(GRND.NONBLOCK | both) || (flags & both) === both) fail(E.INVAL);
  const bytes = kernel.guest.outputBefore(at, Math.min(size, 2 ** 25 - 1));
  if (bytes.length === 0 && size > 0) fail(E.FAULT);
  return move(bytes, (part) => {
    kernel.random(part);
    return part.length;
  });
}

/** Commands of membarrier up to those for private memory, expedited, which a process registers for. */
const MEMBARRIER = { QUERY: 0, PRIVATE: 8, REGISTER: 16, ALL: 31 } as const;

/** With one task, memory is in order: there is nothing to do. */
function barrier({ traits }: Kernel, command: number, flags: number): number {
  if (flags !== 0) fail(E.INVAL);
  if (command === MEMBARRIER.QUERY) return MEMBARRIER.ALL;
  // One bit.
  if ((command & MEMBARRIER.ALL) !== command || (command & (command - 1)) !== 0) fail(E.INVAL);
  if (command === MEMBARRIER.REGISTER) traits.barriers = true;
  return command === MEMBARRIER.PRIVATE && !traits.barriers ? fail(E.PERM) : 0;
}

/** Options of wait4 and waitid, KINDS those for kinds of children (__WALL, __WCLONE, __WNOTHREAD); and whom waitid waits for. */
const WAIT = {
  NOHANG: 1,
  STOPPED: 2,
  EXITED: 4,
  CONTINUED: 8,
  NOWAIT: 0x1000000,
  KINDS: 0xe0000000 | 0,
  PROCESS: 1,
  GROUP: 2,
} as const;

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

const CLONE = {
  VM: 0x100,
  VFORK: 0x4000,
  PARENT_SETTID: 0x100000,
  SETTLS: 0x80000,
  CHILD_CLEARTID: 0x200000,
  CHILD_SETTID: 0x1000000,
  PIDFD: 0x1000,
} as const;
/** struct robust_list_head. */
const ROBUST_LIST_HEAD_SIZE = 24;
const NO_THREADS = 'a second thread or process is not supported';

export const IDENTITY_ROWS: readonly SyscallRow[] = [
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
    number: 99,
    name: 'set_robust_list',
    arguments: ['address', 'size'],
    run: (k, head, size) => {
      if (size !== ROBUST_LIST_HEAD_SIZE) fail(E.INVAL);
      k.task.robustList = head;
      return 0;
    },
  },
  {
    number: 100,
    name: 'get_robust_list',
    arguments: ['int', 'address', 'address'],
    run: (k, id, head, size) => {
      if (id !== 0 && id !== k.task.tid) fail(E.SRCH);
      k.guest.setU64(size, BigInt(ROBUST_LIST_HEAD_SIZE));
      k.guest.setU64(head, BigInt(k.task.robustList));
      return 0;
    },
  },
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
  {
    number: 95,
    name: 'waitid',
    arguments: ['int', 'int', 'address', 'flags', 'address'],
    run: (_, which, id, __, options) => {
      const events = WAIT.EXITED | WAIT.STOPPED | WAIT.CONTINUED;
      if (options & ~(WAIT.NOHANG | WAIT.NOWAIT | WAIT.KINDS | events) || (options & events) === 0) fail(E.INVAL);
      if (which < 0 || which > WAIT.GROUP || (which === WAIT.PROCESS && id <= 0) || id < 0) fail(E.INVAL);
      return -E.CHILD;
    },
  },
  {
    number: 260,
    name: 'wait4',
    arguments: ['int', 'address', 'flags', 'address'],
    run: (_, __, ___, options) =>
      options & ~(WAIT.NOHANG | WAIT.STOPPED | WAIT.CONTINUED | WAIT.KINDS) ? -E.INVAL : -E.CHILD,
  },
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
  { number: 283, name: 'membarrier', arguments: ['int', 'flags', 'int'], run: barrier },
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
