/** Runs a guest in the machine as a test wants it: everything in, everything out, nothing of the host touched. */

import { readImage } from '../../src/elf/read.ts';
import type { Engine, Transfer } from '../../src/engine/engine.ts';
import { type EngineOptions, makeEngine } from '../../src/engine/engines.ts';
import { type ExecuteOptions, execute, type Outcome } from '../../src/engine/execute.ts';
import { createProcess, type ProcessOptions } from '../../src/machine/process.ts';
import type { Run } from './programs.ts';

export interface GuestResult {
  /** As a shell sees it: 128 + n after signal n. Throws for a guest that went over a limit. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly outcome: Outcome;
  /** What the engine counted: every control transfer, sorted. */
  readonly transfers: readonly Transfer[];
  readonly engine: Engine;
}

/** Runs an executable on an engine to its end. Options of the process, such as the seed, can be given. */
export function runGuest(
  file: string,
  run: Run,
  engine: string,
  options: Partial<ProcessOptions> & ExecuteOptions & Pick<EngineOptions, 'kept'> = {},
): GuestResult {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const process = createProcess({
    image: readImage(file),
    args: run.args,
    stdin: run.stdin,
    grants: [run.dir],
    cwd: run.dir,
    sink: (descriptor, bytes) => {
      (descriptor === 1 ? out : err).push(Buffer.from(bytes));
    },
    ...options,
  });
  const runner = makeEngine(engine, process.memory, { kept: options.kept });
  const outcome = execute(process, runner, options);
  const { exit } = outcome;
  if (exit.kind === 'limit') throw new Error(`${file}: ${exit.message}`);
  const status = exit.kind === 'status' ? exit.status : 128 + exit.signal;
  const [stdout, stderr] = [Buffer.concat(out), Buffer.concat(err)];
  return { status, stdout, stderr, outcome, transfers: runner.transfers(), engine: runner };
}
