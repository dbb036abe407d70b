/** The syscall fcntl: flags and owners of open files, locks, seals, sizes of pipes. */
import { PAGE } from '../../base/units.ts';
import { PIPE_CAPACITY } from './buffer.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { addSeals, sealsOf } from './memfd.ts';
import { OpenDirectory, RegularFile } from './nodefiles.ts';
import { isPipe, O, type OpenFile } from './openfile.ts';
import { pipeOf } from './pipe.ts';
import type { SyscallRow } from './row.ts';
import { SIGNAL_COUNT } from './signals.ts';

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

function resizePipe(kernel: Kernel, file: OpenFile, argument: number): number {
  if (!isPipe(file)) return fail(E.BADF);
  const asked = argument < 2 ** 53 ? argument % 2 ** 32 : Number.POSITIVE_INFINITY;
  if (asked > 2 ** 31) fail(E.INVAL);
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(asked, PAGE)));
  // Larger pipes are for root (/proc/sys/fs/pipe-max-size).
  if (capacity > 2 ** 20) fail(E.PERM);
  const pipe = pipeOf(file);
  if (!pipe) {
    kernel.report('the guest set the size of a standard stream, which has none here: fcntl fails with EPERM');
    return fail(E.PERM);
  }
  return pipe.resize(capacity) ? capacity : fail(E.BUSY);
}

export const FCNTL_ROWS: readonly SyscallRow[] = [
  {
    number: 25,
    name: 'fcntl',
    arguments: ['fd', 'int', 'address'],
    unused: (_, command) => (COMMANDS_WITHOUT_ARGUMENT.has(command) ? [2] : []),
    run: control,
  },
];
