/** The host's standard streams, for a guest. */
import { constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { sleep } from '../base/sleep.ts';
import { NotYet } from '../machine/linux/errno.ts';
import type { Sink, Source } from '../machine/process.ts';

/** Gets the descriptor to use in place of 0, 1 or 2, and what to do where that is not ready. */
interface Access {
  of(fd: 0 | 1 | 2): number;
  late(): void;
}

/** The streams may be in non-blocking mode all the same (a pipe or terminal shared with another process): wait a little, try again. */
const WAITING: Access = { of: (fd) => fd, late: () => sleep(2) };

const opened = new Map<number, number>();
const LOOKING: Access = {
  of(fd) {
    const known = opened.get(fd);
    if (known !== undefined) return known;
    const own = withoutWaiting(fd);
    opened.set(fd, own);
    return own;
  },
  late() {
    throw new NotYet();
  },
};

/**
 * A descriptor of the same stream that does not wait, where that can be had. Pipes and terminals are opened again: whoever shares ours
 * does not want it to change. A socket cannot be; Node makes it so when its stream is asked for, and puts it back at the end.
 */
function withoutWaiting(fd: 0 | 1 | 2): number {
  try {
    const stat = fstatSync(fd);
    if (stat.isSocket()) void [process.stdin, process.stdout, process.stderr][fd];
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return fd;
    const { O_RDONLY, O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync(`/proc/self/fd/${fd}`, (fd === 0 ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_NOCTTY);
  } catch {
    return fd;
  }
}

function trying<T>(access: Access, operation: () => T): T {
  for (;;)
    try {
      return operation();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      access.late();
    }
}

/** Requests below this are served from a buffer: a guest that reads byte by byte costs no host call a byte. */
const BUFFERED = 4096;

/** The host's standard input, read when the guest asks for it (and up to 64 KiB ahead when it asks for little). */
function inputBy(access: Access): Source {
  let ahead = new Uint8Array(0);
  return (target) => {
    if (ahead.length === 0 && target.length >= BUFFERED) return readInput(access, target);
    if (ahead.length === 0) {
      const buffer = new Uint8Array(65536);
      ahead = buffer.subarray(0, readInput(access, buffer));
    }
    const part = ahead.subarray(0, target.length);
    target.set(part);
    ahead = ahead.subarray(part.length);
    return part.length;
  };
}

function readInput(access: Access, target: Uint8Array): number {
  try {
    return trying(access, () => readSync(access.of(0), target, 0, target.length, null));
  } catch (error) {
    // Closed, or (as Windows says it) at the end; a directory as standard input has nothing to give either.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EOF' || code === 'EBADF' || code === 'EISDIR') return 0;
    throw error;
  }
}

/** The host's standard output and error, unbuffered: what the guest has written is out. */
const outputBy =
  (access: Access): Sink =>
  (fd, bytes) => {
    for (let at = 0; at < bytes.length; )
      try {
        at += trying(access, () => writeSync(access.of(fd), bytes, at, bytes.length - at));
      } catch (error) {
        throw error instanceof NotYet ? new NotYet(at) : error;
      }
  };

export interface Streams {
  readonly stdin: Source;
  readonly sink: Sink;
}
/** @param wait for as long as it takes; else they throw NotYet, so that somebody may look at the clock meanwhile */
export function hostStreams(wait: boolean): Streams {
  const access = wait ? WAITING : LOOKING;
  return { stdin: inputBy(access), sink: outputBy(access) };
}
