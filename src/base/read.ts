/** Input files, read whole. Nothing here waits for ever: an input that does not end meets a limit. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { cannotRead, overLimit } from './errors.ts';
import { sleep } from './sleep.ts';
import type { ByteCount } from './units.ts';

/** No file that isoform reads is larger. */
const MAX_SIZE: ByteCount = 2 ** 30;
const CHUNK: ByteCount = 2 ** 20;
/** Milliseconds between two tries of a stream that is in non-blocking mode. */
const RETRY_MS = 2;

/** The bytes of a regular file. Throws cannot-read, also for a FIFO or a device, which might never end. */
export function readRegular(file: string): Uint8Array {
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = regular(fd);
      if (size > MAX_SIZE) throw { code: `it has ${size} bytes; ${MAX_SIZE} are the most` };
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; ) {
        const got = readSync(fd, bytes, at, size - at, at);
        if (got === 0) return bytes.subarray(0, at);
        at += got;
      }
      return bytes;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw cannotRead(file, error);
  }
}

/** Throws cannot-read if a path names no regular file. */
export function checkRegular(file: string): void {
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      regular(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw cannotRead(file, error);
  }
}

function regular(fd: number): { readonly size: ByteCount } {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw { code: 'it is not a regular file' };
  return stat;
}

/**
 * The bytes of a file, pipe or device up to its end.
 * @param name for messages
 * @throws limit for an input that has no end; the errors of the host
 */
export function readToEnd(fd: number, name: string): Uint8Array {
  const chunks: Uint8Array[] = [];
  while (chunks.length * CHUNK <= MAX_SIZE) {
    const chunk = new Uint8Array(CHUNK);
    let size = 0;
    for (let got = 1; got > 0 && size < CHUNK; size += got) got = readSome(fd, chunk.subarray(size));
    chunks.push(chunk.subarray(0, size));
    if (size < CHUNK) return Buffer.concat(chunks);
  }
  throw overLimit(`${name}: more than ${MAX_SIZE} bytes`, 'give a shorter input');
}

function readSome(fd: number, target: Uint8Array): number {
  for (;;)
    try {
      return readSync(fd, target, 0, target.length, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      sleep(RETRY_MS);
    }
}
