/**
 * Syscalls on open files and descriptors: seek, duplicate, close, pipes, ioctl, synchronize. Calls that move bytes are in transfers.ts.
 */
import type { Addr } from '../../base/units.ts';
import { Descriptors } from './descriptors.ts';
import { Epoll } from './epoll.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { isFlock } from './locks.ts';
import { OpenDevice, OpenDirectory, RegularFile } from './nodefiles.ts';
import { isPipe, O, type OpenFile } from './openfile.ts';
import { makePipe, pipeOf } from './pipe.ts';
import type { SyscallRow } from './row.ts';
import { SocketEnd } from './socket.ts';
import { InputStream } from './stdio.ts';
import { type Steps, untilReady } from './steps.ts';

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
