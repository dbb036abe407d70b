/**
 * Damaged executables, as many as wanted:
 *
 *     node test/run.mjs campaign/elf-mutations --count 10000 --seed 1 [--sample words] [--from 0]
 *
 * Prints the seed and a score; each crash and each hang with its round (`--from ROUND --count 1` repeats it); exits 1 if there was one.
 * The work is done in a thread, so that a hang is seen and ended.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { mutationRounds, type Round } from '../support/elf-mutations.ts';
import { ROOT } from '../support/tools.ts';

interface Work {
  readonly sample: string;
  readonly seed: number;
  readonly first: number;
  readonly last: number;
}

/** A round that takes longer counts as a hang. */
const PATIENCE = 120_000;

if (isMainThread) await campaign();
else work(workerData as Work);

function work({ sample, seed, first, last }: Work): void {
  const folder = join(ROOT, 'samples', sample);
  const files = { bytes: readFileSync(join(folder, `${sample}.elf`)), stdin: readFileSync(join(folder, 'input')) };
  for (const round of mutationRounds(files, seed, first, last)) parentPort!.postMessage(round);
}

async function campaign(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
      sample: { type: 'string', default: 'words' },
      from: { type: 'string', default: '0' },
    },
  });
  const seed = Number(values.seed);
  const from = Number(values.from);
  const last = from + Number(values.count);
  console.log(`seed ${seed}`);
  const reached = new Map<string, number>();
  const crashes = new Map<string, number>();
  let bad = 0;
  let slowest = 0;
  for (let first = from; first < last; ) {
    const { next, hung } = await watch(
      { sample: values.sample, seed, first, last },
      ({ round, fate, milliseconds }) => {
        reached.set(fate.reached, (reached.get(fate.reached) ?? 0) + 1);
        slowest = Math.max(slowest, milliseconds);
        if ((round + 1) % 1000 === 0) console.error(`${round + 1} done`);
        if (fate.crash === undefined) return;
        bad++;
        console.log(`CRASH in round ${round}: ${fate.crash}`);
      },
    );
    if (hung) {
      bad++;
      console.log(`HANG in round ${next}: more than ${PATIENCE / 1000} seconds`);
    }
    first = hung ? next + 1 : next;
  }
  for (const [place, times] of crashes) console.log(`${times} times: ${place}`);
  const score = [...reached].sort().map(([name, count]) => `${count} ${name}`);
  console.log(
    `${last - from} mutations of ${values.sample}: ${score.join(', ')}; slowest ${Math.round(slowest)} ms; ${bad === 0 ? 'no crash, no hang' : `${bad} CRASHED OR HUNG`}`,
  );
  process.exitCode = bad === 0 ? 0 : 1;
}

/** @returns the first round that was not done, and whether it hung */
function watch(data: Work, seen: (round: Round) => void): Promise<{ readonly next: number; readonly hung: boolean }> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: data });
    let next = data.first;
    let timer = setTimeout(giveUp, PATIENCE);
    function giveUp() {
      void worker.terminate().then(() => resolve({ next, hung: true }));
    }
    worker.on('message', (round: Round) => {
      seen(round);
      next = round.round + 1;
      clearTimeout(timer);
      timer = setTimeout(giveUp, PATIENCE);
    });
    worker.on('error', reject);
    worker.on('exit', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve({ next, hung: false });
    });
  });
}
