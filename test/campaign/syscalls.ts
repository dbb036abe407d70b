/**
 * Random sequences of system calls, under isoform and under qemu-riscv64: what each returns, what it does to memory, and the files that are left
 * must be the same.
 *
 *     node test/run.mjs campaign/syscalls --sequences 20000 --seed 1 [--shard 1/2] [--state FILE] [--print]
 *
 * Each seed's sequence is made by syscalls/generate.ts and run by syscalls/guest.c, in a folder of its own. Where qemu's answer is known to be
 * another than Linux's (syscalls/known.ts) it is not asked. With a state file, what is in it is not done again. `--print` shows sequences and both outputs. Prints
 * the seed and a one-line score; on a difference, where, and exits 1.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeThrough } from '../../src/cli/writethrough.ts';
import { readImage } from '../../src/elf/read.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { execute } from '../../src/engine/execute.ts';
import { createProcess } from '../../src/machine/process.ts';
import { needs, qemu, ROOT, run, scratch, tool } from '../support/tools.ts';
import { withRuntime } from './optimized/runtime.ts';
import { keep, readState } from './state.ts';
import { generate } from './syscalls/generate.ts';
import { comparable } from './syscalls/known.ts';

const { values } = parseArgs({
  options: {
    sequences: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    shard: { type: 'string', default: '1/1' },
    state: { type: 'string' },
    print: { type: 'boolean', default: false },
  },
});

interface Line {
  readonly seed: number;
  readonly steps: number;
  /** The first difference. */
  readonly difference?: string;
}

const STDIN = Buffer.from('what comes in\non three lines\nand ends\n');

/** Everything in a folder: kind, mode and contents by path. */
function tree(folder: string, at = ''): string[] {
  return readdirSync(join(folder, at))
    .sort()
    .flatMap((name) => {
      const path = join(at, name);
      const full = join(folder, path);
      const { mode } = lstatSync(full);
      const kind = (mode & 0o170000) >> 12;
      const text = `${path} ${kind.toString(8)} ${kind === 10 ? '' : (mode & 0o7777).toString(8)}`;
      if (kind === 10) return [`${text} -> ${readlinkSync(full)}`];
      if (kind === 8) return [`${text}: ${readFileSync(full).toString('latin1')}`];
      if (kind !== 4) return [text];
      return [text, ...tree(folder, path)];
    });
}

function under(file: string, folder: string, script: string): string {
  mkdirSync(folder);
  const text: Buffer[] = [];
  const guest = createProcess({
    image: readImage(file),
    args: [script],
    env: [],
    stdin: STDIN,
    cwd: folder,
    sink: (_, bytes) => void text.push(Buffer.from(bytes)),
  });
  const { exit } = execute(guest, makeEngine('dispatch', guest.memory), { limitInstructions: 1e8 });
  writeThrough(guest.changes(), folder);
  const how = exit.kind === 'status' ? `status ${exit.status}` : JSON.stringify(exit);
  return `${Buffer.concat(text).toString('latin1')}${how}\n${tree(folder).join('\n')}`;
}

function underQemu(file: string, folder: string, script: string): string {
  mkdirSync(folder);
  const { status, stdout } = qemu(file, [script], { stdin: STDIN, cwd: folder });
  return `${stdout.toString('latin1')}status ${status}\n${tree(folder).join('\n')}`;
}

function firstDifference(script: string, ours: string, theirs: string): string | undefined {
  const steps = script.split(';');
  const [one, other] = [ours.split('\n'), theirs.split('\n')];
  for (let k = 0; k < Math.max(one.length, other.length); k++) {
    if (one[k] === other[k]) continue;
    const step = Number(/^(?:\[.*\])*(\d+):/.exec(one[k] ?? '')?.[1] ?? Number.NaN);
    return `${Number.isNaN(step) ? '' : `${steps[step]}: `}${one[k]?.slice(0, 200)}, qemu: ${other[k]?.slice(0, 200)}`;
  }
  return undefined;
}

if (needs('campaign/syscalls', 'gcc', 'qemu')) {
  const [shard, shards] = values.shard.split('/').map(Number) as [number, number];
  const first = Number(values.seed);
  const done = new Map(readState<Line>(values.state).map((line) => [line.seed, line]));
  console.log(`seed ${first}`);
  process.umask(0o22);
  const folder = scratch('syscalls');
  const lines: Line[] = [];
  try {
    const file = join(folder, 'guest');
    const source = join(ROOT, 'test/campaign/syscalls/guest.c');
    const { status, stderr } = run(tool('gcc'), [
      '-O1',
      '-w',
      '-fno-builtin',
      '-fno-stack-protector',
      ...withRuntime(),
      source,
      '-lgcc',
      '-o',
      file,
    ]);
    if (status !== 0) throw new Error(`cannot build the guest: ${stderr}`);
    for (let seed = first + shard - 1; seed < first + Number(values.sequences); seed += shards) {
      let line = done.get(seed);
      if (line === undefined) {
        const script = generate(seed);
        const places = ['ours', 'theirs'].map((name) => join(folder, name)) as [string, string];
        const ours = comparable(under(file, places[0], script));
        const theirs = comparable(underQemu(file, places[1], script));
        if (values.print) console.log(`${script.replaceAll(';', ';\n')}\n${ours}\n---\n${theirs}`);
        const difference = firstDifference(script, ours, theirs);
        line = { seed, steps: script.split(';').length - 1, ...(difference !== undefined && { difference }) };
        for (const place of places) {
          open(place);
          rmSync(place, { recursive: true, force: true });
        }
        keep(values.state, line);
        if (difference !== undefined) console.log(`seed ${seed}: ${difference}`);
      }
      lines.push(line);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const wrong = lines.filter(({ difference }) => difference !== undefined);
  console.log(
    `syscalls: ${lines.length} sequences, ${lines.reduce((sum, { steps }) => sum + steps, 0)} steps, ${wrong.length} with differences`,
  );
  if (wrong.length > 0) process.exitCode = 1;
}

/** Directories that a guest has closed are opened again, to be removed. */
function open(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) open(join(folder, entry.name));
}
