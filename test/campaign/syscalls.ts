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
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeThrough } from '../../src/cli/writethrough.ts';
import { readImage } from '../../src/elf/read.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { execute } from '../../src/engine/execute.ts';
import { SYSCALLS } from '../../src/machine/linux/table.ts';
import { createProcess } from '../../src/machine/process.ts';
import { needs, ROOT, run, scratch, tool } from '../support/tools.ts';
import { withRuntime } from './optimized/runtime.ts';
import { keep, readState } from './state.ts';
import { generate } from './syscalls/generate.ts';

const { values } = parseArgs({
  options: {
    sequences: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    shard: { type: 'string', default: '1/1' },
    state: { type: 'string' },
    print: { type: 'boolean', default: false },
    host: { type: 'boolean', default: true },
  },
});

interface Line extends Comparison {
  readonly seed: number;
  readonly steps: number;
  readonly waits?: boolean;
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
      // What is neither file nor directory is not written through.
      if (kind !== 4) return [];
      return [text, ...tree(folder, path)];
    });
}

function under(file: string, folder: string, script: string): string {
  mkdirSync(folder, { recursive: true });
  const text: Buffer[] = [];
  const guest = createProcess({
    image: readImage(file),
    args: [script],
    env: [],
    stdin: STDIN,
    cwd: folder,
    grants: [join(folder, '..')],
    sink: (_, bytes) => void text.push(Buffer.from(bytes)),
  });
  const { exit } = execute(guest, makeEngine('dispatch', guest.memory), { limitInstructions: 1e8 });
  writeThrough(guest.changes(), folder);
  const how = exit.kind === 'status' ? `status ${exit.status}` : JSON.stringify(exit);
  return `${Buffer.concat(text).toString('latin1')}${how}\n${tree(folder).join('\n')}`;
}

function elsewhere(file: string, folder: string, script: string, how: 'qemu' | 'host'): string {
  mkdirSync(folder, { recursive: true });
  // A guest that opens itself may write there.
  const own = join(folder, '..', 'guest');
  copyFileSync(file, own);
  // Its input comes by a pipe; a shell's is one, which Node's is not.
  const input = join(folder, '..', 'input');
  writeFileSync(input, STDIN);
  const command = [...(how === 'qemu' ? [tool('qemu')] : []), own, script];
  try {
    const { status, stdout } = run('/bin/sh', ['-c', '/bin/cat "$0" | exec "$@"', input, ...command], {
      cwd: folder,
      timeout: 5000,
      env: {},
    });
    return `${stdout.toString('latin1')}status ${status}\n${tree(folder).join('\n')}`;
  } catch {
    return 'no answer';
  }
}

interface Comparison {
  /** Where the first line is that is as neither of the others has it, and what. */
  readonly difference?: string | undefined;
  /** A call that qemu answers otherwise than Linux and than we do; the host's Linux otherwise than qemu and we. */
  readonly qemu?: string | undefined;
  readonly host?: string | undefined;
}

/** Line by line, as long as all agree: behind the first line that differs they do not know the same any more. */
function compare(script: string, ours: string, qemus: string, hosts: string | undefined): Comparison {
  const steps = script.split(';');
  const [mine, theirs, linux] = [ours, qemus, hosts].map((text) => text?.split('\n'));
  for (let k = 0; k < Math.max(mine!.length, theirs!.length); k++) {
    const [is, other, right] = [mine![k], theirs![k], linux?.[k]];
    if (is === other && (linux === undefined || is === right)) continue;
    // Where a directory ends is the file system's affair.
    if (/7FFFFFF/.test(`${is}${right}`)) return {};
    const step = Number(/(?:^|\])(\d+):/.exec(is ?? '')?.[1] ?? Number.NaN);
    const what = Number.isNaN(step) ? 'files' : steps[step]!.replace('~', '').split(' ')[0]!;
    if (linux !== undefined && is === right) return { qemu: what };
    if (is === other) return { host: what };
    return {
      difference: `${steps[step] ?? ''}: ${is?.slice(0, 150)}; Linux: ${right?.slice(0, 150)}; qemu: ${other?.slice(0, 150)}`,
    };
  }
  return {};
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
  process.umask(0o22);
  const folder = scratch('syscalls');
  const lines: Line[] = [];
  const build = (name: string, compiler: string, before: readonly string[], behind: readonly string[]): string => {
    const out = join(folder, name);
    const source = join(ROOT, 'test/campaign/syscalls/guest.c');
    const flags = ['-O1', '-w', '-fno-builtin', '-fno-stack-protector', ...before];
    const { status, stderr } = run(compiler, [...flags, source, ...behind, '-o', out]);
    if (status !== 0) throw new Error(`cannot build the guest: ${stderr}`);
    return out;
  };
  try {
    const file = build('guest', tool('gcc'), [...withRuntime()], ['-lgcc']);
    // Where this is an x86-64 with a compiler its Linux has the last word.
    const native = process.arch === 'x64' && values.host ? build('native', 'gcc', ['-static'], []) : undefined;
    for (let seed = first + shard - 1; seed < first + Number(values.sequences); seed += shards) {
      let line = done.get(seed);
      if (line === undefined) {
        const script = generate(seed);
        const place = (name: string) => join(folder, name, 'in');
        const ours = under(file, place('ours'), script);
        if (ours.includes('deadlock')) line = { seed, steps: 0, waits: true };
        else {
          const theirs = elsewhere(file, place('qemu'), script, 'qemu');
          const linux = native && elsewhere(native, place('host'), script, 'host');
          if (values.print)
            console.log(`${script.replaceAll(';', ';\n')}\n${ours}\n--- qemu\n${theirs}\n--- Linux\n${linux}`);
          line = { seed, steps: script.split(';').length - 1, ...compare(script, ours, theirs, linux) };
        }
        for (const name of ['ours', 'qemu', 'host'])
          if (existsSync(join(folder, name))) {
            open(join(folder, name));
            rmSync(join(folder, name), { recursive: true, force: true });
          }
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
    `syscalls: ${lines.length} sequences (${lines.filter(({ waits }) => waits).length} would wait for ever), ${lines.reduce((sum, { steps }) => sum + steps, 0)} steps, ${wrong.length} with differences`,
  );
  console.log(`qemu does otherwise than Linux: ${tally(lines.map(({ qemu: call }) => call)) || 'nowhere'}`);
  console.log(`this host does otherwise than qemu: ${tally(lines.map(({ host }) => host)) || 'nowhere'}`);
  if (wrong.length > 0) process.exitCode = 1;
}

/** Directories that a guest has closed are opened again, to be removed. */
function open(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) open(join(folder, entry.name));
}
