/** Processes to be measured, and their processor time: user and system, all threads, from start to end. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../support/tools.ts';

/** isoform as test/run.mjs has compiled it, which is always the checkout's state, and bundled as when it is installed. */
export const ISOFORM: readonly string[] = (() => {
  const folder = join(ROOT, '.cache/test-build');
  const { status } = spawnSync(process.execPath, [join(ROOT, 'scripts/bundle.mjs'), folder], { stdio: 'inherit' });
  if (status !== 0) throw new Error('isoform cannot be bundled');
  return [process.execPath, join(folder, 'src/cli/start.cjs')];
})();

export interface Measured {
  /** Seconds of processor time. */
  readonly seconds: number;
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/**
 * Any Linux has a shell that can time its children; Node tells of its own process only. Where standard input is a socket, as Node makes
 * it, bash takes itself to be a remote shell and reads the user's start-up file, hence `--norc`.
 */
const TIMED = 'TIMEFORMAT="%3U %3S"; time "$@"';
/** As under qemu in tests: the guest's stack is laid out alike every time. Node needs nothing of it. */
const ENVIRONMENT = { LC_ALL: 'C', PATH: process.env.PATH };

export function measure(
  command: readonly string[],
  options: { cwd?: string; stdin?: Uint8Array | undefined } = {},
): Measured {
  const done = spawnSync('bash', ['--norc', '-c', TIMED, 'measured', ...command], {
    cwd: options.cwd,
    input: options.stdin ?? new Uint8Array(),
    env: ENVIRONMENT,
    timeout: 600_000,
    maxBuffer: 1 << 29,
  });
  if (done.error) throw new Error(`${command.join(' ')}: ${done.error.message}`);
  const lines = done.stderr.toString().trimEnd().split('\n');
  const [user, system] = lines.pop()!.split(' ').map(Number);
  const seconds = user! + system!;
  if (!(seconds >= 0)) throw new Error(`${command.join(' ')}: not measured: ${done.stderr}`);
  return { seconds, status: done.status ?? -1, stdout: done.stdout, stderr: lines.join('\n') };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
