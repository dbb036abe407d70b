/**
 * epoll(7). Ready files are found by polling each file, in the order in which they were added; files that stay ready take turns
 * (fs/eventpoll.c, ep_send_events).
 */
import type { Addr } from '../../base/units.ts';
import { Blocked, E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { Looks } from './looks.ts';
import { isPipe, O, OpenFile, POLL, READABLE } from './openfile.ts';
import type { SyscallRow } from './row.ts';
import { waitFor, withMask } from './wait.ts';

const OP = { ADD: 1, DEL: 2, MOD: 3 } as const;
const EPOLL = { EXCLUSIVE: 2 ** 28, ONESHOT: 2 ** 30, ET: 2 ** 31 } as const;
/** Bits of `events` that are flags of an entry, as opposed to awaited POLL bits. */
const ENTRY_FLAGS = 0xf000_0000;
/** struct epoll_event, in bytes: events, a hole, data. */
const EVENT_SIZE = 16;
const MAX_EVENTS = Math.floor((2 ** 31 - 1) / EVENT_SIZE);
/** Longest chain of epoll descriptors that watch one another. */
const MAX_DEPTH = 5;

interface Entry {
  readonly fd: number;
  readonly file: OpenFile;
  /** As given, unsigned; with ONESHOT only the flags are left once the entry has been reported. */
  events: number;
  data: bigint;
  /** `arrivals` of the file at the last report of the entry (edge-triggered); undefined: never reported. */
  told: number | undefined;
}

const has = ({ events }: Entry, flag: number): boolean => (events & flag) !== 0;

/** Number of steps of the longest chain from an epoll on; infinite if a chain reaches `end`. */
function longest(
  from: Epoll,
  next: (epoll: Epoll) => readonly Epoll[],
  end?: Epoll,
  known = new Map<Epoll, number>(),
): number {
  if (from === end) return Number.POSITIVE_INFINITY;
  let length = known.get(from);
  if (length === undefined) {
    length = Math.max(0, ...next(from).map((each) => 1 + longest(each, next, end, known)));
    known.set(from, length);
  }
  return length;
}

export class Epoll extends OpenFile {
  override readonly nameless = 'anonymous';
  override readonly canRead = false;
  override readonly canWrite = false;
  readonly #looks: Looks;
  #entries: Entry[] = [];
  /** Entries that are polled first, in order. */
  #turns: Entry[] = [];
  /** Epolls that watch this one. */
  readonly #watchers = new Set<Epoll>();

  constructor(flags: number, looks: Looks) {
    super(flags | O.RDWR);
    this.#looks = looks;
  }
  read(): number {
    return fail(E.INVAL);
  }
  write(): number {
    return fail(E.INVAL);
  }
  override poll(): number {
    return this.any() ? READABLE : 0;
  }
  override get arrivals(): number {
    return this.#looks.once(() => {
      const seen = this.#looks.of(this);
      seen.arrivals ??= this.#open.reduce((sum, { file }) => sum + file.arrivals, 0);
      return seen.arrivals;
    });
  }

  /** Entries of files that are open. */
  get #open(): readonly Entry[] {
    if (this.#entries.some(({ file }) => file.references === 0))
      this.#entries = this.#entries.filter(({ file }) => file.references > 0);
    return this.#entries;
  }

  find(fd: number, file: OpenFile): Entry | undefined {
    return this.#open.find((entry) => entry.fd === fd && entry.file === file);
  }
  add(fd: number, file: OpenFile, events: number, data: bigint): void {
    this.#entries.push({ fd, file, events, data, told: undefined });
    if (file instanceof Epoll) file.#watchers.add(this);
  }
  remove(entry: Entry): void {
    const { file } = entry;
    this.#entries = this.#entries.filter((each) => each !== entry);
    if (file instanceof Epoll && !this.#entries.some((each) => each.file === file)) file.#watchers.delete(this);
  }

  /** Would a chain of epolls become longer than allowed if this epoll watched another one? */
  tooDeep(other: Epoll): boolean {
    const above = longest(this, (epoll) => [...epoll.#watchers].filter(({ references }) => references > 0));
    const below = (epoll: Epoll) => epoll.#open.map(({ file }) => file).filter((file) => file instanceof Epoll);
    return above + longest(other, below, this) + 2 > MAX_DEPTH;
  }

  /** The events of an entry to report now. */
  #news(entry: Entry): number {
    if (has(entry, EPOLL.ET) && entry.told === entry.file.arrivals) return 0;
    // A ONESHOT entry that has been reported has only flags left: then not even errors count.
    if ((entry.events & ~ENTRY_FLAGS) === 0) return 0;
    return entry.file.poll() & (entry.events | POLL.ERR | POLL.HUP);
  }
  any(): boolean {
    return this.#looks.once(() => {
      const seen = this.#looks.of(this);
      seen.ready ??= this.#open.some((entry) => this.#news(entry) !== 0);
      return seen.ready;
    });
  }

  /** Takes up to so many events of ready entries. */
  take(most: number): { readonly events: number; readonly data: bigint }[] {
    return this.#looks.once(() => this.#take(most));
  }
  #take(most: number): { readonly events: number; readonly data: bigint }[] {
    const open = this.#open;
    const turns = this.#turns.filter((entry) => open.includes(entry));
    turns.push(...open.filter((entry) => !turns.includes(entry)));
    const told: { events: number; data: bigint }[] = [];
    const again: Entry[] = [];
    while (turns.length > 0 && told.length < most) {
      const entry = turns.shift()!;
      const events = this.#news(entry);
      if (events === 0) continue;
      told.push({ events, data: entry.data });
      entry.told = entry.file.arrivals;
      if (has(entry, EPOLL.ONESHOT)) entry.events = (entry.events & ENTRY_FLAGS) >>> 0;
      else if (!has(entry, EPOLL.ET)) again.push(entry);
    }
    this.#turns = [...turns.filter((entry) => this.#news(entry) !== 0), ...again];
    return told;
  }
}

function epollOf(kernel: Kernel, fd: number): Epoll {
  const file = kernel.descriptors.get(fd);
  return file instanceof Epoll ? file : fail(E.INVAL);
}

/** Can a file be watched? Files and directories, which are always ready, and devices cannot (EPERM). */
const canWait = (file: OpenFile): boolean => isPipe(file) || file.node === undefined;

function control(kernel: Kernel, fd: number, operation: number, target: number, event: Addr): number {
  const { guest, descriptors } = kernel;
  const [events, data] = operation === OP.DEL ? [0, 0n] : [guest.u32(event), guest.u64(event + 8)];
  const epoll = descriptors.get(fd);
  const file = descriptors.get(target);
  if (!canWait(file)) fail(E.PERM);
  if (!(epoll instanceof Epoll) || file === epoll) return fail(E.INVAL);
  if (events & EPOLL.EXCLUSIVE) {
    const allowed = POLL.IN | POLL.OUT | POLL.ERR | POLL.HUP | POLL.RDNORM | POLL.WRNORM | (1 << 29) | EPOLL.ET;
    if (operation === OP.MOD || file instanceof Epoll || events & ~(allowed | EPOLL.EXCLUSIVE)) fail(E.INVAL);
  }
  if (operation === OP.ADD && file instanceof Epoll && epoll.tooDeep(file)) fail(E.LOOP);
  const entry = epoll.find(target, file);
  if (operation === OP.ADD) {
    if (entry) fail(E.EXIST);
    epoll.add(target, file, events, data);
  } else if (operation === OP.DEL) epoll.remove(entry ?? fail(E.NOENT));
  else if (operation === OP.MOD) {
    if (!entry) return fail(E.NOENT);
    if (has(entry, EPOLL.EXCLUSIVE)) fail(E.INVAL);
    Object.assign(entry, { events, data, told: undefined });
  } else fail(E.INVAL);
  return 0;
}

/** @param timeout nanoseconds; undefined: as long as it takes */
function pwait(
  kernel: Kernel,
  fd: number,
  at: Addr,
  most: number,
  timeout: bigint | undefined,
  mask: Addr,
  size: number,
): number {
  const { guest } = kernel;
  return withMask(kernel, mask, size, () => {
    if (most <= 0 || most > MAX_EVENTS) fail(E.INVAL);
    const epoll = epollOf(kernel, fd);
    const blocked = new Blocked('an epoll of descriptors that never become ready', () => epoll.any());
    return waitFor(kernel, timeout, blocked, () => {
      guest.output(at, EVENT_SIZE);
      const told = epoll.take(most);
      for (const [index, { events, data }] of told.entries()) {
        guest.setU32(at + EVENT_SIZE * index, events);
        guest.setU64(at + EVENT_SIZE * index + 8, data);
      }
      return told.length;
    });
  });
}

export const EPOLL_ROWS: readonly SyscallRow[] = [
  {
    number: 20,
    name: 'epoll_create1',
    arguments: ['flags'],
    run: (k, flags) => (flags & ~O.CLOEXEC ? fail(E.INVAL) : k.descriptors.add(new Epoll(0, k.looks), flags !== 0)),
  },
  { number: 21, name: 'epoll_ctl', arguments: ['fd', 'int', 'fd', 'address'], run: control },
  {
    number: 22,
    name: 'epoll_pwait',
    arguments: ['fd', 'address', 'int', 'int', 'address', 'size'],
    unused: (_, __, ___, ____, mask) => (mask === 0 ? [5] : []),
    run: (k, fd, at, most, timeout, mask, size) =>
      pwait(k, fd, at, most, timeout < 0 ? undefined : BigInt(timeout) * 1_000_000n, mask, size),
  },
  {
    number: 441,
    name: 'epoll_pwait2',
    arguments: ['fd', 'address', 'int', 'address', 'address', 'size'],
    unused: (_, __, ___, ____, mask) => (mask === 0 ? [5] : []),
    run: (k, fd, at, most, timeout, mask, size) =>
      pwait(k, fd, at, most, timeout === 0 ? undefined : k.guest.timespec(timeout), mask, size),
  },
];
