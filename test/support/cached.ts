/** What takes long to make is made once: folders of the cache, and locks between processes. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CACHE, publish, scratch } from './tools.ts';

/**
 * A folder of the cache, made once per content of `key` by `fill`, whole or not at all, by one process at a time.
 * A failure that took long is remembered for ten minutes: without a network, each test file would otherwise wait for the
 * time-outs again.
 */
export async function once(
  kind: string,
  name: string,
  key: readonly string[],
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 16);
  const target = join(CACHE, 'programs', kind, `${name}-${hash}`);
  if (existsSync(target)) return target;
  const failed = `${target}.failed`;
  const release = await lock(`${kind}-${name}`);
  try {
    if (existsSync(target)) return target;
    if (existsSync(failed) && Date.now() - statSync(failed).mtimeMs < 600_000)
      throw new Error(readFileSync(failed, 'utf8'));
    const folder = scratch(`${kind}-${name}`);
    const start = Date.now();
    try {
      await fill(folder);
      publish(folder, target);
      rmSync(failed, { force: true });
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(join(CACHE, 'programs', kind), { recursive: true });
      if (Date.now() - start > 5000) writeFileSync(failed, error instanceof Error ? error.message : String(error));
      throw error;
    }
    return target;
  } finally {
    release();
  }
}

/** A lock between processes: a folder with the holder's process id; one whose holder is gone is taken over. */
export async function lock(name: string): Promise<() => void> {
  const folder = join(CACHE, 'locks', name);
  mkdirSync(join(CACHE, 'locks'), { recursive: true });
  for (;;) {
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, 'pid'), String(process.pid));
      return () => rmSync(folder, { recursive: true, force: true });
    } catch {
      if (!alive(folder)) {
        const gone = `${folder}.${process.pid}`;
        try {
          renameSync(folder, gone);
          rmSync(gone, { recursive: true, force: true });
        } catch {
          // another one was faster
        }
      } else {
        await sleep(200);
      }
    }
  }
}

function alive(folder: string): boolean {
  try {
    const pid = join(folder, 'pid');
    // Between mkdir and writing the id there is a moment without one.
    if (!existsSync(pid)) return Date.now() - statSync(folder).mtimeMs < 5000;
    process.kill(Number(readFileSync(pid, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}
