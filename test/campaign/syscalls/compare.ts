/** One sequence of system calls under isoform, under qemu-riscv64 and on the host's Linux, and where they differ. */
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
import { writeThrough } from '../../../src/cli/writethrough.ts';
import { readImage } from '../../../src/elf/read.ts';
import { makeEngine } from '../../../src/engine/engines.ts';
import { execute } from '../../../src/engine/execute.ts';
import { SYSCALL_NAMES } from '../../../src/machine/linux/names.ts';
import { SYSCALLS } from '../../../src/machine/linux/table.ts';
import { createProcess } from '../../../src/machine/process.ts';
import { ROOT, run, tool } from '../../support/tools.ts';
import { withRuntime } from '../optimized/runtime.ts';
import { generate } from './generate.ts';

const GUEST = join(ROOT, 'test/campaign/syscalls/guest.c');
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
      // Who may do more than its owner is not let out.
      const text = `${path} ${kind.toString(8)} ${kind === 10 ? '' : (mode & 0o777).toString(8)}`;
      if (kind === 10) return [`${text} -> ${readlinkSync(full)}`];
      if (kind === 8) return [`${text}: ${readFileSync(full).toString('latin1')}`];
      // What is neither file nor directory is not written through.
      if (kind !== 4) return [];
      return [text, ...tree(folder, path)];
    });
}

/** @param refused gets what the machine says that it does not do */
function under(file: string, folder: string, script: string, refused: (what: string) => void): string {
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
    report: refused,
  });
  const { exit } = execute(guest, makeEngine('dispatch', guest.memory), { limitInstructions: 1e8 });
  writeThrough(guest.changes(), folder);
  const status = exit.kind === 'signal' ? 128 + exit.signal : exit.kind === 'status' ? exit.status : undefined;
  const how = status === undefined ? JSON.stringify(exit) : `status ${status}`;
  return `${Buffer.concat(text).toString('latin1')}${how}\n${tree(folder).join('\n')}`;
}

function elsewhere(file: string, folder: string, script: string, how: 'qemu' | 'host'): string {
  mkdirSync(folder, { recursive: true });
  // A guest that opens itself may write there.
  const own = join(folder, '../..', `${how}-guest`);
  rmSync(own, { force: true });
  copyFileSync(file, own);
  // Its input comes by a pipe; a shell's is one, which Node's is not.
  const input = join(folder, '../..', 'input');
  writeFileSync(input, STDIN);
  const command = [...(how === 'qemu' ? [tool('qemu')] : []), own, script];
  try {
    const { status, stdout } = run(
      '/bin/sh',
      ['-c', '/bin/cat "$0" | exec timeout -s KILL 5 "$@"', input, ...command],
      {
        cwd: folder,
        timeout: 20_000,
        env: {},
      },
    );
    return `${stdout.toString('latin1')}status ${status}\n${tree(folder).join('\n')}`;
  } catch {
    return 'no answer';
  }
}

export interface Comparison {
  /** Where the first line is that is as neither of the others has it, and what. */
  readonly difference?: string | undefined;
  /** A call that qemu answers otherwise than Linux and than we do; the host's Linux otherwise than qemu and we. */
  readonly qemu?: string | undefined;
  readonly host?: string | undefined;
}

/** Line by line, as long as all agree: behind the first line that differs they do not know the same any more. */
function compare(script: string, ours: string, qemus: string, hosts: string | undefined): Comparison {
  const steps = script.split(';');
  const [mine, theirs, linux] = [ours.split('\n'), qemus.split('\n'), hosts?.split('\n')];
  for (let k = 0; k < Math.max(mine.length, theirs.length); k++) {
    const [is, other, right] = [mine[k], theirs[k], linux?.[k]];
    if (is === other && (linux === undefined || is === right)) continue;
    // Where a directory ends is the file system's affair.
    if (/7FFFFFF|0?80000[0-9A-F]{3}\b/.test(`${is} ${right}`)) return {};
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

export interface Outcome extends Comparison {
  readonly script: string;
  /** What each of them has printed and left. */
  readonly outputs: readonly string[];
  /** It would wait for ever: not run elsewhere. */
  readonly waits?: boolean;
  /** What our machine says that it does not do: from there on there is nothing to compare. */
  readonly refused?: string;
}

/**
 * @param folder of its own, for what is built and what runs leave
 * @param host ask the host's Linux as well, where it is an x86-64 with a compiler
 */
export function makeSequences(folder: string, host: boolean): { run(seed: number): Outcome } {
  const build = (name: string, compiler: string, before: readonly string[], behind: readonly string[]): string => {
    const out = join(folder, name);
    const flags = ['-O1', '-w', '-fno-builtin', '-fno-stack-protector', ...before];
    const { status, stderr } = run(compiler, [...flags, GUEST, ...behind, '-o', out]);
    if (status !== 0) throw new Error(`cannot build the guest: ${stderr}`);
    return out;
  };
  process.umask(0o22);
  const file = build('guest', tool('gcc'), [...withRuntime()], ['-lgcc']);
  const native = process.arch === 'x64' && host ? build('native', 'gcc', ['-static'], []) : undefined;
  const place = (name: string) => join(folder, name, 'in');
  const translated = new Set(
    [...readFileSync(GUEST, 'utf8').matchAll(/\[(\d+)\] = \d/g)].map(([, number]) => Number(number)),
  );
  return {
    run(seed) {
      const script = generate(seed);
      for (const [, number] of script.matchAll(/(?:^|;)~?(\d+)\b/g))
        if (SYSCALLS.has(Number(number)) && !translated.has(Number(number)))
          throw new Error(`${SYSCALL_NAMES.get(Number(number))} (${number}) has no x86-64 number in ${GUEST}`);
      try {
        const said: string[] = [];
        const ours = under(file, place('ours'), script, (what) => said.push(what));
        const [refused] = said;
        if (refused !== undefined) return { script, outputs: [ours], refused };
        if (ours.includes('deadlock')) return { script, outputs: [ours], waits: true };
        const theirs = elsewhere(file, place('qemu'), script, 'qemu');
        const linux = native && elsewhere(native, place('host'), script, 'host');
        return { script, outputs: [ours, theirs, linux ?? ''], ...compare(script, ours, theirs, linux) };
      } finally {
        for (const name of ['ours', 'qemu', 'host']) {
          if (!existsSync(join(folder, name))) continue;
          open(join(folder, name));
          rmSync(join(folder, name), { recursive: true, force: true });
        }
      }
    },
  };
}

/** Directories that a guest has closed are opened again, to be removed. */
function open(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) open(join(folder, entry.name));
}
