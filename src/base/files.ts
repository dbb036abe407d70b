/**
 * The one way in which files are written: whole or not at all. What is new is made beside its place, under a name that nobody can guess
 * and that follows no link, and renamed over it. Whoever is killed meanwhile leaves such a file behind; the next one who writes there takes it away.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { cannotWrite } from './errors.ts';

const PREFIX = '.isoform-';
/** A folder may be that of many machines. */
const machine = (): string => createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** A name of one's own in a folder: for what is there for a moment only. */
export const momentaryName = (folder: string): string =>
  join(folder, `${PREFIX}${machine()}-${process.pid}-${randomBytes(8).toString('hex')}`);

/**
 * @param path a link is replaced, not what it leads to
 * @param mode as for open(2): what umask forbids is left out
 * @throws cannot-write; then all is as it was
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
    rmSync(temporary, { force: true });
    throw cannotWrite(path, error);
  }
  removeLeftovers(folder);
}

/** Takes away what processes of this machine have left that are no more. */
export function removeLeftovers(folder: string): void {
  const own = `${PREFIX}${machine()}-`;
  try {
    for (const name of readdirSync(folder)) {
      const pid = name.startsWith(own) ? /^\d+(?=-[0-9a-f]{16}$)/.exec(name.slice(own.length))?.[0] : undefined;
      if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true });
    }
  } catch {
    // A folder that cannot be listed, or a file that somebody else has left, stays as it is.
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
