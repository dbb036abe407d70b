/**
 * Random sequences of system calls under isoform, under qemu-riscv64 and, where the host is an x86-64, on its Linux: what each returns, what it does to
 * memory, and the files that are left must be the same.
 *
 *     node test/run.mjs campaign/syscalls --sequences 20000 --seed 1 [--shard 1/2] [--state FILE] [--print] [--no-host]
 *
 * Each seed's sequence is made by syscalls/generate.ts and run by syscalls/guest.c, in a folder of its own. Where the other two do not agree either
 * is right, and it is counted what qemu does otherwise than Linux; behind that line nothing more of the sequence is compared. With a state file, what is in it is
 * not done again. `--print` shows sequences and outputs. Prints the seed and a score; on a difference, where, and exits 1.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { SYSCALLS } from '../../src/machine/linux/table.ts';
import { needs, scratch } from '../support/tools.ts';
import { keep, readState } from './state.ts';
import { type Comparison, makeSequences } from './syscalls/compare.ts';

const { values } = parseArgs({
  options: {
    sequences: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    shard: { type: 'string', default: '1/1' },
    state: { type: 'string' },
    print: { type: 'boolean', default: false },
    host: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

interface Line extends Comparison {
  readonly seed: number;
  readonly steps: number;
  readonly waits?: boolean;
  readonly refused?: string;
}

/** How often each name comes, most often first. */
function tally(names: readonly (string | undefined)[]): string {
  const counts = new Map<string, number>();
  for (const name of names) if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${/^-?\d+$/.test(name) ? (SYSCALLS.get(Number(name))?.name ?? name) : name} ${count}`)
    .join(', ');
}

if (needs('campaign/syscalls', 'gcc', 'qemu')) {
  const [shard, shards] = values.shard.split('/').map(Number) as [number, number];
  const first = Number(values.seed);
  const done = new Map(readState<Line>(values.state).map((line) => [line.seed, line]));
  console.log(`seed ${first}`);
  const folder = scratch('syscalls');
  const lines: Line[] = [];
  try {
    const sequences = makeSequences(folder, values.host);
    for (let seed = first + shard - 1; seed < first + Number(values.sequences); seed += shards) {
      let line = done.get(seed);
      if (line === undefined) {
        const { script, outputs, ...found } = sequences.run(seed);
        if (values.print) console.log(`${script.replaceAll(';', ';\n')}\n${outputs.join('\n---\n')}`);
        line = { seed, steps: found.waits || found.refused ? 0 : script.split(';').length - 1, ...found };
        keep(values.state, line);
        if (line.difference !== undefined) console.log(`seed ${seed}: ${line.difference}`);
      }
      lines.push(line);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const wrong = lines.filter(({ difference }) => difference !== undefined);
  console.log(
    `syscalls: ${lines.length} sequences (${lines.filter(({ waits }) => waits).length} would wait for ever, ${lines.filter(({ refused }) => refused).length} ask for what is not supported), ${lines.reduce((sum, { steps }) => sum + steps, 0)} steps, ${wrong.length} with differences`,
  );
  console.log(`qemu does otherwise than Linux: ${tally(lines.map(({ qemu: call }) => call)) || 'nowhere'}`);
  console.log(`this host does otherwise than qemu: ${tally(lines.map(({ host }) => host)) || 'nowhere'}`);
  if (wrong.length > 0) process.exitCode = 1;
}
