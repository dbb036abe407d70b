/**
 * Files are written whole or not at all. A new file is made beside its place, under a name that nobody can guess and without following
 * a link, and renamed over the old file. A process that is killed meanwhile leaves such a file behind; the next process that writes to
 * that folder removes the leftover.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { cannotWrite } from './errors.ts';

const PREFIX = '.isoform-';
/** A hash of the host's name: several machines may share a folder. */
const machine = (): string => createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** A unique name in a folder, for a file or folder that exists for a moment only. */
export const momentaryName = (folder: string): string =>
  join(folder, `${PREFIX}${machine()}-${process.pid}-${randomBytes(8).toString('hex')}`);

/**
 * @param path a link is replaced, not its target
 * @param mode as for open(2): the bits of the umask are cleared
 * @throws cannot-write; the path then holds what it held before
 */
export function replaceFile(path: string, content: string | Uint8Array, mode = 0o644): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const folder = dirname(path);
  const temporary = momentaryName(folder);
  try {
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    chmodSync(temporary, mode & ~process.umask());
    renameSync(temporary, path);
  } catch (error) {
    remove(temporary);
    throw cannotWrite(path, error);
  }
  removeLeftovers(folder);
}

/** Removes the files and folders that dead processes of this machine have left. */
export function removeLeftovers(folder: string): void {
  const own = `${PREFIX}${machine()}-`;
  for (const name of namesIn(folder)) {
    const pid = name.startsWith(own) ? /^\d+(?=-[0-9a-f]{16}$)/.exec(name.slice(own.length))?.[0] : undefined;
    if (pid !== undefined && !isAlive(Number(pid))) remove(join(folder, name));
  }
}

/** A folder that cannot be listed stays as it is. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Removes a file or folder, unless the host refuses (another user's). */
function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The leftover stays for its owner.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
