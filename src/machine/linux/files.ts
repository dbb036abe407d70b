/** Syscalls on open files and descriptors: seek, duplicate, pipes, poll. Calls that move bytes are in transfers.ts. */
import type { Addr } from '../../base/units.ts';
import { PIPE_CAPACITY, type Pipe } from './buffer.ts';
import {
  Descriptors,
  InputStream,
  isPipe,
  O,
  OpenDevice,
  OpenDirectory,
  type OpenFile,
  POLL,
  RegularFile,
} from './descriptors.ts';
import { Epoll, lookOnce } from './epoll.ts';
import { Blocked, E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { isFlock } from './locks.ts';
import { addSeals, sealsOf } from './memfd.ts';
import { makePipe, OpenFifo, PipeEnd } from './pipe.ts';
import type { SyscallRow } from './row.ts';
import { SIGNAL_COUNT } from './signals.ts';
import { SocketEnd } from './socket.ts';
import { type Steps, untilReady } from './steps.ts';
import { waitAndTellLeft, withMask } from './wait.ts';

const F = {
  DUPFD: 0,
  GETFD: 1,
  SETFD: 2,
  GETFL: 3,
  SETFL: 4,
  GETLK: 5,
  SETLK: 6,
  SETLKW: 7,
  SETOWN: 8,
  GETOWN: 9,
  SETSIG: 10,
  GETSIG: 11,
  SETOWN_EX: 15,
  GETOWN_EX: 16,
  OFD_GETLK: 36,
  OFD_SETLK: 37,
  OFD_SETLKW: 38,
  GETLEASE: 1025,
  NOTIFY: 1026,
  DUPFD_CLOEXEC: 1030,
  SETPIPE_SZ: 1031,
  GETPIPE_SZ: 1032,
  ADD_SEALS: 1033,
  GET_SEALS: 1034,
} as const;
const COMMANDS_WITHOUT_ARGUMENT: ReadonlySet<number> = new Set([
  F.GETFD,
  F.GETFL,
  F.GETOWN,
  F.GETSIG,
  F.GETLEASE,
  F.GETPIPE_SZ,
  F.GET_SEALS,
]);
/** fcntl commands that descriptors opened with O_PATH allow. */
const O_PATH_COMMANDS: ReadonlySet<number> = new Set([F.DUPFD, F.DUPFD_CLOEXEC, F.GETFD, F.SETFD, F.GETFL]);
const F_UNLCK = 2;
const F_OWNER_PID = 1;
const IOCTL = { FIONREAD: 0x541b, FIONBIO: 0x5421, FIONCLEX: 0x5450, FIOCLEX: 0x5451 } as const;
const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;

function seek(kernel: Kernel, fd: number, offset: number, whence: number): number {
  const file = kernel.descriptors.get(fd);
  if (whence < 0 || whence > SEEK.HOLE) fail(E.INVAL);
  // The position of a device never moves (null_lseek).
  if (file instanceof OpenDevice) return 0;
  // The position never moves, whatever the arguments (noop_llseek).
  if (file.nameless === 'anonymous') return 0;
  const end = file.end();
  let position: number;
  if (whence === SEEK.SET) position = offset;
  else if (whence === SEEK.CUR) position = file.position + offset;
  else if (whence === SEEK.END) position = end + offset;
  else if (whence === SEEK.DATA || whence === SEEK.HOLE) {
    if (offset < 0 || offset >= end) fail(E.NXIO);
    position = whence === SEEK.DATA ? (file.nextData(offset) ?? fail(E.NXIO)) : file.nextHole(offset);
  } else return fail(E.INVAL);
  if (position < 0 || position > file.limit) fail(E.INVAL);
  if (position > Number.MAX_SAFE_INTEGER) fail(E.OVERFLOW);
  if (file instanceof OpenDirectory && position === 0) file.rewind();
  file.position = position;
  return position;
}

/** The owner gets the signals of O_ASYNC, of which there are none. */
function setOwner(kernel: Kernel, file: OpenFile, id: number): number {
  if (id !== 0 && id !== kernel.pid) fail(E.SRCH);
  file.owner = id;
  return 0;
}

/** F_SETFL. Files may be opened for direct transfers and without access times, which changes nothing here. */
function setFlags(kernel: Kernel, file: OpenFile, asked: number): number {
  const settable = O.APPEND | O.NONBLOCK | O.NOATIME | (file instanceof RegularFile ? O.DIRECT : 0);
  if (asked & O.ASYNC)
    kernel.report('the guest asked for SIGIO when a file becomes ready (O_ASYNC), which never comes');
  file.flags = (file.flags & ~settable) | (asked & settable);
  return 0;
}

function control(kernel: Kernel, fd: number, command: number, argument: number): number {
  const { descriptors, guest } = kernel;
  const file = descriptors.any(fd);
  if (file.flags & O.PATH && !O_PATH_COMMANDS.has(command)) fail(E.BADF);
  switch (command) {
    case F.DUPFD:
    case F.DUPFD_CLOEXEC:
      if (argument < 0 || argument >= descriptors.limit) fail(E.INVAL);
      return descriptors.add(file, command === F.DUPFD_CLOEXEC, argument);
    case F.GETFD:
      return descriptors.cloexec(fd) ? 1 : 0;
    case F.SETFD:
      descriptors.setCloexec(fd, (argument & 1) !== 0);
      return 0;
    case F.GETFL:
      return file.node && file.node.kind !== 'fifo' && (file.flags & O.PATH) === 0
        ? file.flags | O.LARGEFILE
        : file.flags;
    case F.SETFL:
      return setFlags(kernel, file, argument);
    case F.GETOWN:
      return file.owner;
    case F.SETOWN:
      return setOwner(kernel, file, argument);
    // struct f_owner_ex: the kind (F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP), and the id.
    case F.GETOWN_EX:
      guest.setU32(argument, F_OWNER_PID);
      guest.setU32(argument + 4, file.owner);
      return 0;
    case F.SETOWN_EX: {
      const [kind, id] = [guest.i32(argument), guest.i32(argument + 4)];
      return kind < 0 || kind > F_OWNER_PID + 1 ? fail(E.INVAL) : setOwner(kernel, file, id);
    }
    case F.GETSIG:
      return file.signal;
    case F.SETSIG:
      file.signal = argument < 0 || argument > SIGNAL_COUNT ? fail(E.INVAL) : argument;
      return 0;
    case F.GETLEASE:
      return F_UNLCK;
    case F.NOTIFY:
      if (argument === 0) return 0;
      if (file instanceof OpenDirectory) kernel.report('the guest asked for signals of changes in a directory: EINVAL');
      return fail(file instanceof OpenDirectory ? E.INVAL : E.NOTDIR);
    case F.GETLK:
    case F.OFD_GETLK:
      return kernel.locks.get(file, argument, command === F.OFD_GETLK);
    case F.SETLK:
    case F.SETLKW:
    case F.OFD_SETLK:
    case F.OFD_SETLKW:
      return kernel.locks.set(file, argument, {
        ofd: command >= F.OFD_GETLK,
        waits: command === F.SETLKW || command === F.OFD_SETLKW,
      });
    case F.ADD_SEALS:
      return addSeals(kernel, file, argument);
    case F.GET_SEALS:
      return sealsOf(file);
    case F.SETPIPE_SZ:
      return resizePipe(kernel, file, argument);
    case F.GETPIPE_SZ:
      return isPipe(file) ? (pipeOf(file)?.capacity ?? PIPE_CAPACITY) : fail(E.BADF);
    default:
      return fail(E.INVAL);
  }
}

/** The pipe behind a file. The standard streams, of which the guest holds one end only, have none here. */
const pipeOf = (file: OpenFile): Pipe | undefined =>
  file instanceof PipeEnd || file instanceof OpenFifo ? file.pipe : undefined;

function resizePipe(kernel: Kernel, file: OpenFile, argument: number): number {
  if (!isPipe(file)) return fail(E.BADF);
  const asked = argument < 2 ** 53 ? argument % 2 ** 32 : Number.POSITIVE_INFINITY;
  if (asked > 2 ** 31) fail(E.INVAL);
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(asked, 4096)));
  // Larger pipes are for root (/proc/sys/fs/pipe-max-size).
  if (capacity > 2 ** 20) fail(E.PERM);
  const pipe = pipeOf(file);
  if (!pipe) {
    kernel.report('the guest set the size of a standard stream, which has none here: fcntl fails with EPERM');
    return fail(E.PERM);
  }
  return pipe.resize(capacity) ? capacity : fail(E.BUSY);
}

/** FIONREAD of the standard input: waits until the host has given bytes, or the end. */
function* putWaiting({ guest }: Kernel, file: InputStream, at: Addr): Steps {
  guest.setU32(at, yield* untilReady(() => file.waiting));
  return 0;
}

function ioctl(kernel: Kernel, fd: number, request: number, argument: Addr): number | Steps {
  const { descriptors, guest } = kernel;
  const file = descriptors.get(fd);
  switch (request) {
    case IOCTL.FIOCLEX:
    case IOCTL.FIONCLEX:
      descriptors.setCloexec(fd, request === IOCTL.FIOCLEX);
      return 0;
    case IOCTL.FIONBIO:
      file.flags = guest.i32(argument) !== 0 ? file.flags | O.NONBLOCK : file.flags & ~O.NONBLOCK;
      return 0;
    case IOCTL.FIONREAD:
      if (isPipe(file)) {
        if (file instanceof InputStream) return putWaiting(kernel, file, argument);
        guest.setU32(argument, pipeOf(file)?.count ?? 0);
      } else if (file instanceof SocketEnd) guest.setU32(argument, file.waiting);
      else if (file instanceof RegularFile) guest.setU32(argument, Math.max(0, file.end() - file.position));
      else return fail(E.NOTTY);
      return 0;
    default:
      // No file is a terminal, whatever the host's streams are: output must not depend on them.
      return fail(file instanceof Epoll ? E.INVAL : E.NOTTY);
  }
}

function poll(kernel: Kernel, fds: Addr, count: number, timeout: Addr, mask: Addr, maskSize: number): number {
  const { guest } = kernel;
  if (count > kernel.descriptors.limit) fail(E.INVAL);
  const limit = timeout === 0 ? undefined : guest.timespec(timeout);
  const look = (): number => {
    let ready = 0;
    for (let index = 0; index < count; index++) {
      const at = fds + 8 * index;
      const fd = guest.i32(at);
      let events = 0;
      if (fd >= 0) {
        const file = kernel.descriptors.find(fd);
        const known = file && (file.flags & O.PATH) === 0;
        events = known ? file.poll() & (guest.u16(at + 4) | POLL.ERR | POLL.HUP) : POLL.NVAL;
      }
      guest.setU16(at + 6, events);
      if (events !== 0) ready++;
    }
    return ready;
  };
  const blocked = new Blocked('a poll of descriptors that never become ready', () => lookOnce(look) > 0);
  return withMask(kernel, mask, maskSize, () => waitAndTellLeft(kernel, timeout, limit, blocked, () => lookOnce(look)));
}

function select(
  kernel: Kernel,
  asked: number,
  readSet: Addr,
  writeSet: Addr,
  exceptSet: Addr,
  timeout: Addr,
  mask: Addr,
): number {
  const { guest } = kernel;
  if (asked < 0) fail(E.INVAL);
  const count = Math.min(asked, kernel.descriptors.size);
  const limit = timeout === 0 ? undefined : guest.timespec(timeout);
  const sets = [readSet, writeSet, exceptSet];
  const wanted = [POLL.IN | POLL.HUP | POLL.ERR, POLL.OUT | POLL.ERR, 0];
  const bytes = Math.ceil(count / 64) * 8;
  const results = sets.map(() => new Uint8Array(bytes));
  const look = (): number => {
    let ready = 0;
    for (const [which, set] of sets.entries()) {
      if (set === 0) continue;
      for (let fd = 0; fd < count; fd++) {
        if ((guest.u8(set + (fd >> 3)) & (1 << (fd & 7))) === 0) continue;
        if (kernel.descriptors.get(fd).poll() & wanted[which]!) {
          results[which]![fd >> 3]! |= 1 << (fd & 7);
          ready++;
        }
      }
    }
    return ready;
  };
  // The sixth argument points to the mask's address and its size.
  const [set, size] = mask === 0 ? [0, 0] : [guest.word(mask), guest.word(mask + 8)];
  const blocked = new Blocked('a select of descriptors that never become ready', () => lookOnce(look) > 0);
  const ready = withMask(kernel, set, size, () =>
    waitAndTellLeft(kernel, timeout, limit, blocked, () => lookOnce(look)),
  );
  for (const [which, set] of sets.entries()) if (set !== 0) guest.output(set, bytes).set(results[which]!);
  return ready;
}

const isStored = (file: OpenFile): boolean => file instanceof RegularFile || file instanceof OpenDirectory;

function pipe(kernel: Kernel, fds: Addr, flags: number): number {
  if (flags & ~(O.CLOEXEC | O.NONBLOCK)) fail(E.INVAL);
  kernel.guest.output(fds, 8);
  const cloexec = (flags & O.CLOEXEC) !== 0;
  kernel.descriptors.free(kernel.descriptors.free() + 1);
  const [input, output] = makePipe(flags & O.NONBLOCK);
  const first = kernel.descriptors.add(input, cloexec);
  kernel.guest.setU32(fds, first);
  kernel.guest.setU32(fds + 4, kernel.descriptors.add(output, cloexec));
  return 0;
}

function duplicate(kernel: Kernel, from: number, to: number, flags: number): number {
  if (flags & ~O.CLOEXEC || from === to) fail(E.INVAL);
  kernel.descriptors.replace(to, kernel.descriptors.any(from), (flags & O.CLOEXEC) !== 0);
  return to;
}

function closeRange(kernel: Kernel, first: number, last: number, flags: number): number {
  const CLOEXEC = 4;
  if (first > last || flags & ~(CLOEXEC | 2)) fail(E.INVAL);
  for (let fd = first; fd <= Math.min(last, Descriptors.LIMIT - 1); fd++) {
    if (!kernel.descriptors.find(fd)) continue;
    if (flags & CLOEXEC) kernel.descriptors.setCloexec(fd, true);
    else kernel.descriptors.close(fd);
  }
  return 0;
}

export const FILE_ROWS: readonly SyscallRow[] = [
  { number: 23, name: 'dup', arguments: ['fd'], run: (k, fd) => k.descriptors.add(k.descriptors.any(fd), false) },
  { number: 24, name: 'dup3', arguments: ['fd', 'fd', 'flags'], run: duplicate },
  {
    number: 25,
    name: 'fcntl',
    arguments: ['fd', 'int', 'address'],
    unused: (_, command) => (COMMANDS_WITHOUT_ARGUMENT.has(command) ? [2] : []),
    run: control,
  },
  {
    number: 29,
    name: 'ioctl',
    arguments: ['fd', 'flags', 'address'],
    unused: (_, request) => (request === IOCTL.FIOCLEX || request === IOCTL.FIONCLEX ? [2] : []),
    run: ioctl,
  },
  {
    number: 32,
    name: 'flock',
    arguments: ['fd', 'int'],
    run: (k, fd, operation) => {
      if (!isFlock(operation)) fail(E.INVAL);
      return k.locks.flock(k.descriptors.get(fd), operation);
    },
  },
  {
    number: 57,
    name: 'close',
    arguments: ['fd'],
    run: (k, fd) => {
      k.descriptors.close(fd);
      return 0;
    },
  },
  { number: 59, name: 'pipe2', arguments: ['address', 'flags'], run: pipe },
  { number: 62, name: 'lseek', arguments: ['fd', 'offset', 'int'], run: seek },
  {
    number: 72,
    name: 'pselect6',
    arguments: ['int', 'address', 'address', 'address', 'address', 'address'],
    run: select,
  },
  {
    number: 73,
    name: 'ppoll',
    arguments: ['address', 'size', 'address', 'address', 'size'],
    // Without a mask its size is ignored: glibc's pause leaves the old register contents there.
    unused: (_, __, ___, mask) => (mask === 0 ? [4] : []),
    run: poll,
  },
  ...[82, 83].map((number) => ({
    number,
    name: number === 82 ? 'fsync' : 'fdatasync',
    arguments: ['fd'] as const,
    run: (k: Kernel, fd: number) => (isStored(k.descriptors.get(fd)) ? 0 : fail(E.INVAL)),
  })),
  { number: 81, name: 'sync', arguments: [], run: () => 0 },
  {
    number: 84,
    name: 'sync_file_range',
    arguments: ['fd', 'offset', 'offset', 'flags'],
    run: (k, fd, from, length, flags) => {
      const file = k.descriptors.get(fd);
      if (flags & ~7 || from < 0 || length < 0 || from + length >= 2 ** 63) fail(E.INVAL);
      return isPipe(file) || file instanceof SocketEnd ? fail(E.SPIPE) : 0;
    },
  },
  {
    number: 213,
    name: 'readahead',
    arguments: ['fd', 'offset', 'size'],
    run: (k, fd) => {
      const file = k.descriptors.get(fd);
      if (!file.readable) fail(E.BADF);
      return file instanceof RegularFile ? 0 : fail(E.INVAL);
    },
  },
  {
    number: 267,
    name: 'syncfs',
    arguments: ['fd'],
    run: (k, fd) => {
      k.descriptors.get(fd);
      return 0;
    },
  },
  { number: 436, name: 'close_range', arguments: ['size', 'size', 'flags'], run: closeRange },
];
