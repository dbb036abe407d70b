/** The commands that write files, each with what it begins with and where its output goes. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileFile, ROOT, run } from '../../support/tools.ts';

/** The command as it is installed. */
export const START = join(ROOT, 'dist/src/cli/start.cjs');

export interface FaultCommand {
  readonly name: string;
  readonly args: readonly string[];
  /** Standard input; default: none. */
  readonly stdin?: Uint8Array;
  /** Files that must be there in the end, by their paths in the folder; `*` at the end: whatever is in this folder. */
  readonly outputs: readonly string[];
  /** Puts what it reads into a folder. */
  readonly prepare: (folder: string) => void;
  /** An output may be there already, with something else in it. */
  readonly replaces: boolean;
}

const SAMPLE = join(ROOT, 'samples/queens');
const LIMIT = ['--limit-instructions', '200000'];

function isoform(folder: string, ...args: string[]): void {
  const { status, stderr } = run(process.execPath, [START, ...args], { cwd: folder });
  if (status !== 0) throw new Error(`isoform ${args.join(' ')}: ${stderr}`);
}

/** @param folder of its own, for what all runs begin with */
export function faultCommands(folder: string): FaultCommand[] {
  const made = (name: string) => join(folder, name);
  copyFileSync(join(SAMPLE, 'queens.elf'), made('elf'));
  copyFileSync(join(ROOT, 'samples/bytecode/bytecode.elf'), made('long'));
  writeFileSync(made('in'), readFileSync(join(SAMPLE, 'input')));
  isoform(folder, 'profile', '-q', '--no-code-cache', ...LIMIT, '-o', 'p', 'elf');
  isoform(folder, 'optimize', '-q', '-p', 'p', '-o', 'fast', 'elf');
  const with_ =
    (...names: string[]) =>
    (to: string) => {
      for (const name of names) copyFileSync(made(name), join(to, name));
    };
  const writer = compileFile('test/campaign/faults/writer.c', ['-O1', '-static', '-w']);
  return [
    {
      name: 'profile',
      args: ['profile', '-q', '--no-code-cache', ...LIMIT, '-o', 'out', 'elf'],
      outputs: ['out'],
      prepare: with_('elf'),
      replaces: true,
    },
    { name: 'merge', args: ['merge', '-o', 'out', 'p', 'p'], outputs: ['out'], prepare: with_('p'), replaces: true },
    {
      name: 'optimize',
      args: ['optimize', '-q', '-p', 'p', '-o', 'out', 'elf'],
      outputs: ['out'],
      prepare: with_('elf', 'p'),
      replaces: true,
    },
    {
      name: 'report',
      args: ['report', '-q', '-p', 'p', '--stdin', 'in', '-o', 'sub/page.html', '--json', 'data.json', 'elf', 'fast'],
      outputs: ['sub/page.html', 'data.json'],
      prepare: with_('elf', 'p', 'fast', 'in'),
      replaces: true,
    },
    {
      name: 'pgo',
      args: ['pgo', '-q', '--stdin', 'in', '-o', 'out', '--report', 'page.html', '--json', 'data.json', 'elf'],
      outputs: ['out', 'page.html', 'data.json'],
      prepare: with_('elf', 'in'),
      replaces: true,
    },
    {
      name: 'run --write-through',
      args: ['run', '--no-code-cache', '--write-through', '.', '../writer'],
      outputs: ['*'],
      prepare: (to) => {
        copyFileSync(writer, join(to, '../writer'));
        for (const name of ['changed', 'deleted', 'before', 'kept'])
          writeFileSync(join(to, name), `${name}, as it was\n`);
        mkdirSync(join(to, 'gone'));
      },
      replaces: false,
    },
    {
      name: 'run --code-cache',
      args: ['run', '--code-cache', 'cache', 'long'],
      stdin: readFileSync(join(ROOT, 'samples/bytecode/input')),
      outputs: ['cache/*'],
      prepare: with_('long'),
      replaces: false,
    },
  ];
}
