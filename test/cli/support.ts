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

/** One clear line on standard error, nothing on standard output, exit 2. @returns the line */
export function expectOneLine(result: Result): string {
  const stderr = result.stderr.toString();
  expect(stderr).toMatch(/^isoform: .+\n$/);
  expect(stderr.split('\n')).toHaveLength(2);
  expect(stderr).not.toMatch(/undefined|NaN|\[object|internal error|node:internal|\.(ts|js):\d/);
  expect([result.status, result.stdout.toString()]).toEqual([2, '']);
  return stderr;
}
