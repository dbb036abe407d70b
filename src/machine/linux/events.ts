/** Descriptors of event counters, timers and signals (eventfd, timerfd, signalfd). Their state is read like a file. */
import type { Addr } from '../../base/units.ts';
import { Blocked, E, fail } from './errno.ts';
import type { Kernel, Pending } from './kernel.ts';
import { O, OpenFile, POLL } from './openfile.ts';
import type { SyscallRow } from './row.ts';
import { blockable, pendingSet, take } from './signals.ts';
import { putTimer, readClock, setTimerTo, timerSpecAt } from './time.ts';
import type { Timer } from './timers.ts';

/** An open file without a node, whose state is read. */
abstract class Anonymous extends OpenFile {
  override readonly nameless = 'anonymous';
  constructor(flags: number) {
    super(flags | O.RDWR);
  }
  write(_source: Uint8Array): number {
    return fail(E.INVAL);
  }
  /** Throws Blocked, or fails with EAGAIN if the file is non-blocking. */
  protected block(what: string, ready: () => boolean): never {
    if (this.blocking) throw new Blocked(what, ready);
    return fail(E.AGAIN);
  }
}

const COUNT_MAX = 2n ** 64n - 2n;

/** eventfd(2). */
class EventCounter extends Anonymous {
  #count: bigint;
  readonly #semaphore: boolean;
  #arrivals = 0;
  constructor(count: bigint, flags: number, semaphore: boolean) {
    super(flags);
    this.#count = count;
    this.#semaphore = semaphore;
  }
  read(target: Uint8Array): number {
    if (target.length < 8) fail(E.INVAL);
    if (this.#count === 0n) this.block('a read from an event counter that is 0', () => this.#count > 0n);
    const value = this.#semaphore ? 1n : this.#count;
    this.#count -= value;
    put64(target, value);
    return 8;
  }
  override write(source: Uint8Array): number {
    if (source.length !== 8) fail(E.INVAL);
    const value = new DataView(source.buffer, source.byteOffset).getBigUint64(0, true);
    if (value > COUNT_MAX) fail(E.INVAL);
    if (this.#count + value > COUNT_MAX)
      this.block('a write to an event counter that is full', () => this.#count + value <= COUNT_MAX);
    this.#count += value;
    this.#arrivals++;
    return 8;
  }
  override poll(): number {
    return (this.#count > 0n ? POLL.IN : 0) | (this.#count < COUNT_MAX ? POLL.OUT : 0);
  }
  override get arrivals(): number {
    return this.#arrivals;
  }
}

/** timerfd_create(2). */
class TimerFile extends Anonymous {
  override readonly canWrite = false;
  readonly clock: number;
  readonly timer: Timer;
  readonly #close: () => void;
  #expired = 0n;
  #arrivals = 0;
  constructor(kernel: Kernel, clock: number, flags: number) {
    super(flags);
    this.clock = clock;
    this.timer = {
      at: undefined,
      interval: 0n,
      signals: false,
      expired: (times) => {
        this.#expired += times;
        this.#arrivals++;
      },
    };
    kernel.timers.add(this.timer);
    this.#close = () => kernel.timers.delete(this.timer);
  }
  /** Discards expiries, because the timer is set anew. */
  forget(): void {
    this.#expired = 0n;
  }
  read(target: Uint8Array): number {
    if (target.length < 8) fail(E.INVAL);
    if (this.#expired === 0n) this.block('a timer that is not set', () => this.#expired > 0n);
    put64(target, this.#expired);
    this.#expired = 0n;
    return 8;
  }
  override poll(): number {
    return this.#expired > 0n ? POLL.IN : 0;
  }
  override get arrivals(): number {
    return this.#arrivals;
  }
  override close(): void {
    this.#close();
  }
}

/** struct signalfd_siginfo, in bytes. */
const INFO_SIZE = 128;

/** signalfd(2): a read takes the pending signals of a set. */
class SignalFile extends Anonymous {
  override readonly canWrite = false;
  set: bigint;
  readonly #kernel: Kernel;
  constructor(kernel: Kernel, set: bigint, flags: number) {
    super(flags);
    this.#kernel = kernel;
    this.set = set;
  }
  read(target: Uint8Array): number {
    const kernel = this.#kernel;
    if (target.length < INFO_SIZE) fail(E.INVAL);
    if (!this.#any()) this.block('a signal that nobody sends', () => this.#any());
    let at = 0;
    for (; at + INFO_SIZE <= target.length; at += INFO_SIZE) {
      const pending = take(kernel, kernel.task, this.set);
      if (!pending) break;
      putSignal(kernel, target.subarray(at, at + INFO_SIZE), pending);
    }
    return at;
  }
  override poll(): number {
    return this.#any() ? POLL.IN : 0;
  }
  override get arrivals(): number {
    return this.#kernel.sent;
  }
  #any(): boolean {
    return (pendingSet(this.#kernel, this.#kernel.task) & this.set) !== 0n;
  }
}

function putSignal(kernel: Kernel, target: Uint8Array, { signal, code, address, info, timer }: Pending): void {
  target.fill(0);
  const view = new DataView(target.buffer, target.byteOffset);
  view.setUint32(0, signal, true);
  view.setInt32(8, code, true);
  if (timer) {
    view.setUint32(24, timer.id, true);
    view.setUint32(32, Number(timer.told), true);
    view.setInt32(44, Number(BigInt.asIntN(32, timer.value)), true);
    view.setBigUint64(48, timer.value, true);
  } else if (info) {
    const given = new DataView(info.buffer, info.byteOffset);
    view.setInt32(4, given.getInt32(4, true), true);
    view.setUint32(12, given.getUint32(16, true), true);
    view.setUint32(16, given.getUint32(20, true), true);
    view.setInt32(44, given.getInt32(24, true), true);
    view.setBigUint64(48, given.getBigUint64(24, true), true);
  } else if (address !== undefined) view.setBigUint64(72, address, true);
  else if (code <= 0) {
    view.setUint32(12, kernel.pid, true);
    view.setUint32(16, kernel.uid, true);
  }
}

const put64 = (target: Uint8Array, value: bigint): void =>
  new DataView(target.buffer, target.byteOffset).setBigUint64(0, value, true);

const OPEN_FLAGS = O.CLOEXEC | O.NONBLOCK;
/** The descriptor of a new file. */
const opened = (kernel: Kernel, file: OpenFile, flags: number): number =>
  kernel.descriptors.add(file, (flags & O.CLOEXEC) !== 0);

function eventfd(kernel: Kernel, count: number, flags: number): number {
  const SEMAPHORE = 1;
  if (flags & ~(OPEN_FLAGS | SEMAPHORE)) fail(E.INVAL);
  const file = new EventCounter(BigInt(count >>> 0), flags & O.NONBLOCK, (flags & SEMAPHORE) !== 0);
  return opened(kernel, file, flags);
}

function signalfd(kernel: Kernel, fd: number, set: Addr, size: number, flags: number): number {
  if (size !== 8) fail(E.INVAL);
  const wanted = blockable(kernel.guest.u64(set));
  if (flags & ~OPEN_FLAGS) fail(E.INVAL);
  if (fd === -1) return opened(kernel, new SignalFile(kernel, wanted, flags & O.NONBLOCK), flags);
  const file = kernel.descriptors.get(fd);
  if (!(file instanceof SignalFile)) return fail(E.INVAL);
  file.set = wanted;
  return fd;
}

function timerfd(kernel: Kernel, clock: number, flags: number): number {
  if (flags & ~OPEN_FLAGS || ![0, 1, 7, 8, 9].includes(clock)) fail(E.INVAL);
  // The alarm clocks, which wake a sleeping machine, are for root.
  if (clock === 8 || clock === 9) fail(E.PERM);
  readClock(kernel, clock);
  return opened(kernel, new TimerFile(kernel, clock, flags & O.NONBLOCK), flags);
}

function timerFile(kernel: Kernel, fd: number): TimerFile {
  const file = kernel.descriptors.get(fd);
  return file instanceof TimerFile ? file : fail(E.INVAL);
}

function setTimerFile(kernel: Kernel, fd: number, flags: number, wanted: Addr, old: Addr): number {
  const [ABSOLUTE, CANCEL_ON_SET] = [1, 2];
  const spec = timerSpecAt(kernel, wanted);
  if (flags & ~(ABSOLUTE | CANCEL_ON_SET)) fail(E.INVAL);
  const file = timerFile(kernel, fd);
  file.forget();
  setTimerTo(kernel, file.timer, file.clock, (flags & ABSOLUTE) !== 0, spec, old);
  return 0;
}

export const EVENT_ROWS: readonly SyscallRow[] = [
  { number: 19, name: 'eventfd2', arguments: ['int', 'flags'], run: eventfd },
  { number: 74, name: 'signalfd4', arguments: ['fd', 'address', 'size', 'flags'], run: signalfd },
  { number: 85, name: 'timerfd_create', arguments: ['int', 'flags'], run: timerfd },
  { number: 86, name: 'timerfd_settime', arguments: ['fd', 'flags', 'address', 'address'], run: setTimerFile },
  {
    number: 87,
    name: 'timerfd_gettime',
    arguments: ['fd', 'address'],
    run: (k, fd, at) => {
      putTimer(k, at, timerFile(k, fd).timer);
      return 0;
    },
  },
];
