/**
 * Checks made in a process of their own, which is ended where it takes too long, and started again. What it has compiled stays warm from
 * one check to the next.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Checked, check, type Job } from './check.ts';

export interface Checker {
  /** @param seconds what the check may take, for each form */
  check(job: Job, seconds: number): Promise<Checked>;
  close(): void;
}

const SERVE = '--serve-checks';

export function makeChecker(): Checker {
  let child: ChildProcess | undefined;
  const start = () => fork(fileURLToPath(import.meta.url), [SERVE], { stdio: ['ignore', 2, 2, 'ipc'] });
  const close = () => {
    child?.kill('SIGKILL');
    child = undefined;
  };
  const failed = (what: string, kind: 'time' | 'error'): Checked => ({
    found: [{ form: 'default', kind, what }],
    superblocks: 0,
    unproved: [],
    expected: [],
  });
  return {
    async check(job, seconds) {
      child ??= start();
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(), seconds * 1000 * Math.max(1, job.forms.length));
      try {
        child.send(job);
        const answer = once(child, 'message', { signal: limit.signal }).then(([value]) => value as Checked | string);
        const gone = once(child, 'exit', { signal: limit.signal }).then(() => 'the checking process ended');
        // The one that loses is aborted below.
        for (const each of [answer, gone]) each.catch(() => undefined);
        const done = await Promise.race([answer, gone]);
        if (typeof done !== 'string') return done;
        close();
        return failed(done, 'error');
      } catch (error) {
        close();
        if (!limit.signal.aborted) throw error;
        return failed(`no answer in ${seconds} seconds a form`, 'time');
      } finally {
        clearTimeout(timer);
        limit.abort();
      }
    },
    close,
  };
}

if (process.argv[2] === SERVE)
  process.on('message', (job: Job) => {
    try {
      process.send!(check(job));
    } catch (error) {
      process.send!(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  });
