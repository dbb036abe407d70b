/** What the tests of the command line share: a folder of their own, samples, and what an error must look like. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { isoform } from '../support/cli.ts';
import { type CommandOptions, type Result, ROOT } from '../support/tools.ts';

export const sample = (name: string) => {
  const folder = join(ROOT, 'samples', name);
  return {
    elf: join(folder, `${name}.elf`),
    input: join(folder, 'input'),
    other: join(folder, 'input.other'),
    expected: readFileSync(join(folder, 'expected')),
    expectedOther: readFileSync(join(folder, 'expected.other')),
  };
};

/** A folder that lives as long as the test file; commands run in it. */
export function workplace(name: string) {
  const state = { folder: '' };
  beforeAll(() => {
    state.folder = mkdtempSync(join(tmpdir(), `isoform-${name}-`));
  });
  afterAll(() => rmSync(state.folder, { recursive: true, force: true }));
  return {
    path: (file: string) => join(state.folder, file),
    files: () => readdirSync(state.folder).sort(),
    run: (args: readonly string[], options: CommandOptions = {}): Result =>
      isoform(args, { cwd: state.folder, ...options }),
  };
}

/**
 * Every command on a file of a name, and on files beside it that begin with the name, each after those that make its files: what tests ask of
 * all commands, they ask of these.
 */
export const commandsOn = (file: string): Readonly<Record<string, readonly string[]>> => ({
  run: ['run', '--limit-instructions', '100', file],
  profile: ['profile', '--limit-instructions', '100', '-o', `${file}.p`, file],
  merge: ['merge', '-o', `${file}.sum`, `${file}.p`, `${file}.none`],
  optimize: ['optimize', '-p', `${file}.p`, '-o', `${file}.isoform`, file],
  verify: ['verify', '--limit-instructions', '100', file, `${file}.isoform`, file],
  prove: ['prove', file, `${file}.isoform`],
  replay: ['replay', file],
  report: ['report', '-p', `${file}.p`, '--limit-instructions', '100', '-o', `${file}.html`, file, `${file}.isoform`],
  pgo: ['pgo', '--limit-instructions', '100', '-o', `${file}.2`, '--report', `${file}.html`, file, file],
  dump: ['dump', 'cfg', file],
  bisect: ['bisect', '-p', `${file}.p`, '--limit-instructions', '100', file, file],
  demo: ['demo', '--report', `/dev/null/${file}.html`],
});

/** One clear line on standard error, nothing on standard output, exit 2. @returns the line */
export function expectOneLine(result: Result): string {
  const stderr = result.stderr.toString();
  expect(stderr).toMatch(/^isoform: .+\n$/);
  expect(stderr.split('\n')).toHaveLength(2);
  expect(stderr).not.toMatch(/undefined|NaN|\[object|internal error|node:internal|\.(ts|js):\d/);
  expect([result.status, result.stdout.toString()]).toEqual([2, '']);
  return stderr;
}
