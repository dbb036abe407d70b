/** The state that Linux keeps for a process and its threads (tasks). The rows of the syscall table act on this state. */

import type { Addr, RunAddr } from '../../base/units.ts';
import type { Hart } from '../hart.ts';
import type { Memory } from '../memory.ts';
import type { Other } from '../others.ts';
import type { AddressSpace } from '../space.ts';
import { BackedPages, type MappedFile } from './backed.ts';
import type { Clock } from './clock.ts';
import type { View } from './contents.ts';
import { Descriptors } from './descriptors.ts';
import { Guest } from './guest.ts';
import { Locks } from './locks.ts';
import { Looks } from './looks.ts';
import type { DirectoryNode, FileNode } from './nodes.ts';
import type { Overlay } from './overlay.ts';
import { Ranges } from './ranges.ts';
import { type Span, Spans } from './spans.ts';
import { type Timer, Timers } from './timers.ts';

/** struct sigaction as riscv64 has it (no restorer). */
export interface Action {
  /** SIG_DFL = 0, SIG_IGN = 1, else the handler. */
  readonly handler: Addr;
  readonly flags: bigint;
  /** Bit n-1 for signal n. */
  readonly mask: bigint;
}

/** A pending signal: the contents of its siginfo_t. */
export interface Pending {
  readonly signal: number;
  readonly code: number;
  /** si_addr, for faults. */
  readonly address?: bigint | undefined;
  /** The whole siginfo_t, for rt_sigqueueinfo: the sender provides it. */
  readonly info?: Uint8Array | undefined;
  /** The POSIX timer that sent the signal. */
  readonly timer?: SignalTimer;
}

/** A POSIX timer (timer_create). */
export interface SignalTimer extends Timer {
  readonly id: number;
  /** Id of the clock of absolute times. */
  readonly clock: number;
  /** sigev_value. */
  readonly value: bigint;
  /** The signal of the timer is pending: further expiries are only counted, in `overrun`. */
  pending: boolean;
  overrun: bigint;
  /** Overrun count of the last signal that was taken (timer_getoverrun). */
  told: bigint;
}

/** An interrupted syscall that is restarted when a handler has returned. */
export interface Restart {
  readonly number: number;
  readonly args: readonly number[];
}

/** One thread. */
export interface Task {
  readonly hart: Hart;
  readonly tid: number;
  mask: bigint;
  /** The mask to restore after the handler that ended a wait with a mask of its own (rt_sigsuspend, ppoll). */
  savedMask: bigint | undefined;
  altStack: { address: Addr; size: number; flags: number };
  /** Signals for this task; signals for the process are in Kernel. */
  readonly pending: Pending[];
  /** Interrupted syscalls, by the address of the handler's frame. */
  readonly restarts: Map<Addr, Restart>;
  clearTid: Addr;
  /** The head of the list of robust futexes, as set_robust_list gave it. */
  robustList: Addr;
}

/** RLIMIT_SIGPENDING. */
export const SIGNALS_PENDING = 1024;

/** How a process ended. */
export type Ending =
  | { readonly kind: 'status'; readonly status: number }
  /** Terminated by a signal; `address` is the faulting address. */
  | { readonly kind: 'signal'; readonly signal: number; readonly address?: bigint | undefined }
  /** Waits for ever. */
  | { readonly kind: 'deadlock'; readonly what: string };

/** Guest pages that share a part of a file (see shared.ts), by their addresses. */
export interface SharedMapping extends Span {
  readonly file: MappedFile;
  readonly node: FileNode;
  readonly view: View;
}

/** Attributes of the process that syscalls set and tell. */
export interface Traits {
  name: Uint8Array;
  dumpable: number;
  noNewPrivileges: number;
  deathSignal: number;
  keepCapabilities: number;
  subreaper: number;
  noHugePages: number;
  /** Nanoseconds; undefined: the default. */
  timerSlack: number | undefined;
  /** Registered for membarrier. */
  barriers: boolean;
  /** Scheduling. */
  policy: number;
  nice: number;
  /** Ids of the process group and the session. */
  group: number;
  session: number;
}
/** A process of its parent's group and session, as a script starts it. */
const newTraits = (parent: number): Traits => ({
  name: Buffer.from('guest'),
  dumpable: 1,
  noNewPrivileges: 0,
  deathSignal: 0,
  keepCapabilities: 0,
  subreaper: 0,
  noHugePages: 0,
  timerSlack: undefined,
  barriers: false,
  policy: 0,
  nice: 0,
  group: parent,
  session: parent,
});

export interface KernelParts {
  readonly memory: Memory;
  readonly space: AddressSpace;
  readonly overlay: Overlay;
  readonly clock: Clock;
  readonly random: (target: Uint8Array) => void;
  readonly cwd: DirectoryNode;
  readonly heapStart: Addr;
  readonly heapLimit: Addr;
  readonly trampoline: Addr;
  readonly uid: number;
  readonly pid: number;
  readonly hart: Hart;
  /** Called when the kernel, not the guest's code, moves control. */
  readonly diverted: (from: RunAddr, to: RunAddr) => void;
  /** Tells the user about a request that is not supported. */
  readonly report: (message: string) => void;
}

/** Number of different messages to the user; the rest is dropped. */
const MAX_REPORTS = 100;

export class Kernel {
  readonly memory: Memory;
  readonly guest: Guest;
  readonly space: AddressSpace;
  readonly overlay: Overlay;
  readonly clock: Clock;
  readonly random: (target: Uint8Array) => void;
  readonly locks: Locks;
  readonly descriptors = new Descriptors((file, last) => this.locks.closed(file, last));
  readonly trampoline: Addr;
  readonly uid: number;
  readonly pid: number;
  /** The parent's process id. */
  readonly parent: number;
  readonly heapStart: Addr;
  /** The heap may not grow beyond this. */
  readonly heapLimit: Addr;
  /** Pages beyond the end of their mapped file, and the permissions that the guest gave them (see beyond.ts). */
  readonly beyond = new Map<Addr, number>();
  /** Shared mappings of files. */
  readonly shared = new Spans<SharedMapping>();
  /** Addresses of shared anonymous memory. */
  readonly sharedMemory = new Ranges();
  /** RLIMIT_* that the guest has set, soft and hard. */
  readonly limits = new Map<number, readonly [bigint, bigint]>();
  /** Private pages of files. */
  readonly backed: BackedPages;
  readonly tasks: Task[];
  /** The task whose syscall or fault is being served. */
  task: Task;
  cwd: DirectoryNode;
  umask = 0o022;
  readonly traits: Traits;
  /** The guest has opened its /proc/self/maps. */
  mapsRead = false;
  /** The program break. */
  brk: Addr;
  /** By signal number; missing: default. */
  readonly actions = new Map<number, Action>();
  /** Signals for the process: any task may take them. */
  readonly pending: Pending[] = [];
  /** Number of signals that have become pending so far. */
  sent = 0;
  readonly timers = new Timers();
  /** Shared by all epolls. */
  readonly looks = new Looks();
  /** ITIMER_REAL, once it has been set. */
  alarm: Timer | undefined;
  /** POSIX timers by id. */
  readonly signalTimers = new Map<number, SignalTimer>();
  /** Number of ids that timer_create has used so far: the next timer's id. */
  timersMade = 0;
  ending: Ending | undefined;
  /** The last syscall may have taken milliseconds. */
  slow = false;
  /** Parties that have been able to read or write the guest's memory so far (see others.ts). */
  readonly others = new Set<Other>();
  readonly diverted: (from: RunAddr, to: RunAddr) => void;
  readonly #report: (message: string) => void;
  readonly #reported = new Set<string>();

  constructor(parts: KernelParts) {
    this.memory = parts.memory;
    this.guest = new Guest(parts.memory);
    this.backed = new BackedPages(parts.memory.size);
    this.space = parts.space;
    this.overlay = parts.overlay;
    this.clock = parts.clock;
    this.random = parts.random;
    this.trampoline = parts.trampoline;
    this.uid = parts.uid;
    this.pid = parts.pid;
    this.locks = new Locks(this.guest, parts.pid);
    this.parent = parts.pid - 1;
    this.traits = newTraits(this.parent);
    this.cwd = parts.cwd;
    this.heapStart = parts.heapStart;
    this.heapLimit = parts.heapLimit;
    this.brk = parts.heapStart;
    this.task = {
      hart: parts.hart,
      tid: parts.pid,
      mask: 0n,
      savedMask: undefined,
      altStack: { address: 0, size: 0, flags: 2 },
      pending: [],
      restarts: new Map(),
      clearTid: 0,
      robustList: 0,
    };
    this.tasks = [this.task];
    this.diverted = parts.diverted;
    this.#report = parts.report;
  }

  /** Tells the user a message, each only once. */
  report(message: string): void {
    if (this.#reported.has(message) || this.#reported.size >= MAX_REPORTS) return;
    this.#reported.add(message);
    this.#report(message);
  }
}
