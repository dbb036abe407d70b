/** The state that Linux keeps for a process, and its threads (tasks). What syscalls do with it is in the rows. */

import type { Addr, ByteCount } from '../../base/units.ts';
import type { Hart } from '../hart.ts';
import type { Memory } from '../memory.ts';
import type { Other } from '../others.ts';
import type { AddressSpace } from '../space.ts';
import { BackedPages, type MappedFile } from './backed.ts';
import type { Clock } from './clock.ts';
import type { View } from './contents.ts';
import { Descriptors } from './descriptors.ts';
import { Guest } from './guest.ts';
import type { DirectoryNode, FileNode } from './nodes.ts';
import type { Overlay } from './overlay.ts';
import { type Timer, Timers } from './timers.ts';

/** struct sigaction as riscv64 has it (no restorer). */
export interface Action {
  /** SIG_DFL = 0, SIG_IGN = 1, else the handler. */
  readonly handler: Addr;
  readonly flags: bigint;
  /** Bit n-1 for signal n. */
  readonly mask: bigint;
}

/** A signal on its way: what siginfo_t will say. */
export interface Pending {
  readonly signal: number;
  readonly code: number;
  /** si_addr, for faults. */
  readonly address?: bigint | undefined;
  /** The whole siginfo_t, for rt_sigqueueinfo: the sender says what is in it. */
  readonly info?: Uint8Array | undefined;
  /** For POSIX timers. */
  readonly timer?: SignalTimer;
}

/** A POSIX timer, as its signal tells about it. */
export interface SignalTimer extends Timer {
  readonly id: number;
  /** The clock that absolute times are of. */
  readonly clock: number;
  /** sigev_value. */
  readonly value: bigint;
  /** Its signal is on its way: as often as it expires meanwhile, it is only counted. */
  pending: boolean;
  overrun: bigint;
  /** What the last signal said (timer_getoverrun). */
  told: bigint;
}

/** A syscall that goes on when a handler has returned. */
export interface Restart {
  readonly number: number;
  readonly args: readonly number[];
}

/** One thread. */
export interface Task {
  readonly hart: Hart;
  readonly tid: number;
  mask: bigint;
  /** The mask to go back to after the handler that rt_sigsuspend waited for. */
  savedMask: bigint | undefined;
  altStack: { address: Addr; size: number; flags: number };
  /** Signals for this task; those for the process are the kernel's. */
  readonly pending: Pending[];
  /** By the address of the handler's frame: what it interrupted. */
  readonly restarts: Map<Addr, Restart>;
  clearTid: Addr;
}

/** RLIMIT_SIGPENDING. */
export const SIGNALS_PENDING = 1024;

/** How a process ended. */
export type Ending =
  | { readonly kind: 'status'; readonly status: number }
  /** Terminated by a signal; `address` is what a fault was about. */
  | { readonly kind: 'signal'; readonly signal: number; readonly address?: bigint | undefined }
  /** Waits for ever. */
  | { readonly kind: 'deadlock'; readonly what: string };

/** Guest pages that are a part of a file (see shared.ts). */
export interface SharedMapping {
  readonly address: Addr;
  readonly length: ByteCount;
  readonly file: MappedFile;
  readonly node: FileNode;
  readonly view: View;
}

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
  readonly diverted: (from: Addr, to: Addr) => void;
  /** Tells the user once about something that is missing. */
  readonly report: (message: string) => void;
}

/** Whoever is told so much knows enough. */
const MOST_REPORTS = 100;

export class Kernel {
  readonly memory: Memory;
  readonly guest: Guest;
  readonly space: AddressSpace;
  readonly overlay: Overlay;
  readonly clock: Clock;
  readonly random: (target: Uint8Array) => void;
  readonly descriptors = new Descriptors();
  readonly trampoline: Addr;
  readonly uid: number;
  readonly pid: number;
  readonly heapStart: Addr;
  /** The heap may not grow beyond this. */
  readonly heapLimit: Addr;
  /** Pages beyond the end of the file that is mapped there, and the permissions that they were given (see beyond.ts). */
  readonly beyond = new Map<Addr, number>();
  /** Shared mappings of files. */
  readonly shared: SharedMapping[] = [];
  /** Private pages of files. */
  readonly backed: BackedPages;
  readonly tasks: Task[];
  /** The task whose syscall or fault is being served. */
  task: Task;
  cwd: DirectoryNode;
  umask = 0o022;
  /** What prctl keeps of a process. */
  readonly traits: { name: Uint8Array; dumpable: number; noNewPrivileges: number } = {
    name: Buffer.from('guest'),
    dumpable: 1,
    noNewPrivileges: 0,
  };
  /** The program break. */
  brk: Addr;
  /** By signal number; missing: default. */
  readonly actions = new Map<number, Action>();
  /** Signals for the process: any task may take them. */
  readonly pending: Pending[] = [];
  /** How many signals have become pending so far. */
  sent = 0;
  readonly timers = new Timers();
  /** ITIMER_REAL, once it has been set. */
  alarm: Timer | undefined;
  /** What timer_create has made, by its number. */
  readonly signalTimers = new Map<number, SignalTimer>();
  /** How many it has made so far: the next one's number. */
  timersMade = 0;
  ending: Ending | undefined;
  /** The last syscall may have taken milliseconds. */
  slow = false;
  /** Who else has been able to look at the guest's memory, or to write to it, so far. */
  readonly others = new Set<Other>();
  readonly diverted: (from: Addr, to: Addr) => void;
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
    };
    this.tasks = [this.task];
    this.diverted = parts.diverted;
    this.#report = parts.report;
  }

  /** Tells the user something, each message once. */
  report(message: string): void {
    if (this.#reported.has(message) || this.#reported.size >= MOST_REPORTS) return;
    this.#reported.add(message);
    this.#report(message);
  }
}
