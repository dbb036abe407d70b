/** The host's standard streams, for a guest. */
import { constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { sleep } from '../base/sleep.ts';
import { NotYet } from '../machine/linux/errno.ts';
import type { Sink, Source } from '../machine/process.ts';

/** The descriptor to use in place of 0, 1 or 2 (`of`), and the action if that descriptor is not ready (`late`). */
interface Access {
  of(fd: 0 | 1 | 2): number;
  late(): void;
}

/** Waits and tries again: even these streams may be in non-blocking mode (a pipe or terminal shared with another process). */
const BLOCKING_ACCESS: Access = { of: (fd) => fd, late: () => sleep(2) };

/** Throws NotYet instead of waiting. */
class PollingAccess implements Access {
  /** The non-blocking descriptors that have been made, by the descriptors in whose place they are used. */
  readonly #made = new Map<number, number>();

  of(fd: 0 | 1 | 2): number {
    const known = this.#made.get(fd);
    if (known !== undefined) return known;
    const own = nonBlockingDescriptor(fd);
    this.#made.set(fd, own);
    return own;
  }
  late(): never {
    throw new NotYet();
  }
}

/**
 * A non-blocking descriptor of the same stream, if possible. Pipes and character devices are opened again, because a change of mode would
 * affect the processes that share ours. A socket cannot be opened again; Node makes the socket non-blocking when its stream is first
 * used, and restores its mode at the end.
 */
function nonBlockingDescriptor(fd: 0 | 1 | 2): number {
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

function retrying<T>(access: Access, operation: () => T): T {
  for (;;)
    try {
      return operation();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      access.late();
    }
}

/** Bytes; smaller requests are served from a buffer, so that a guest that reads byte by byte does not cost a host call a byte. */
const BUFFERED_BYTES = 4096;

/** The host's standard input, read when the guest asks for it (and up to 64 KiB ahead when it asks for little). */
function inputBy(access: Access): Source {
  let ahead = new Uint8Array(0);
  return (target) => {
    if (ahead.length === 0 && target.length >= BUFFERED_BYTES) return readInput(access, target);
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
    return retrying(access, () => readSync(access.of(0), target, 0, target.length, null));
  } catch (error) {
    // A closed standard input, one at its end (EOF on Windows) and a directory all read as empty.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EOF' || code === 'EBADF' || code === 'EISDIR') return 0;
    throw error;
  }
}

/** The host's standard output and error, unbuffered: the guest's bytes are out when its write returns. */
const outputBy =
  (access: Access): Sink =>
  (fd, bytes) => {
    for (let at = 0; at < bytes.length; )
      try {
        at += retrying(access, () => writeSync(access.of(fd), bytes, at, bytes.length - at));
      } catch (error) {
        // What the host has taken counts: an error is the next write's.
        throw error instanceof NotYet || at > 0 ? new NotYet(at) : error;
      }
  };

export interface Streams {
  readonly stdin: Source;
  readonly sink: Sink;
}

export class HostStreams {
  readonly #polling = new PollingAccess();

  /** @param wait true: the streams wait as long as needed; false: they throw NotYet, so that the caller can check limits meanwhile */
  open(wait: boolean): Streams {
    const access = wait ? BLOCKING_ACCESS : this.#polling;
    return { stdin: inputBy(access), sink: outputBy(access) };
  }

  /**
   * Writes to standard error as long as somebody reads it.
   * @param deadline on the clock of `performance`, in milliseconds: what cannot be written by then is dropped
   */
  writeErrorBefore(deadline: number, text: string): void {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; )
      try {
        at += writeSync(this.#polling.of(2), bytes, at);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        if (performance.now() >= deadline) return;
        sleep(2);
      }
  }
}
