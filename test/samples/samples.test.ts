import { cpSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compilerVersion, findTool, leaveOut, needs, qemu, ROOT, run, temporary, tool } from '../support/tools.ts';

const SAMPLES = join(ROOT, 'samples');
const list = JSON.parse(readFileSync(join(SAMPLES, 'samples.json'), 'utf8')) as { name: string; description: string }[];

test('every sample folder is listed, and complete', () => {
  const folders = readdirSync(SAMPLES).filter(
    (name) => statSync(join(SAMPLES, name)).isDirectory() && name !== 'runtime',
  );
  expect(list.map(({ name }) => name).sort()).toEqual(folders.sort());
  for (const { name, description } of list) {
    expect(description).not.toBe('');
    const files = readdirSync(join(SAMPLES, name)).sort();
    expect(files).toEqual(['expected', 'expected.other', 'input', 'input.other', `${name}.c`, `${name}.elf`].sort());
  }
});

describe.runIf(needs('samples under qemu', 'qemu'))('under qemu', () => {
  for (const { name } of list) {
    for (const which of ['', '.other']) {
      test(`${name}${which} gives the expected output`, () => {
        const folder = join(SAMPLES, name);
        const result = qemu(join(folder, `${name}.elf`), [], { stdin: readFileSync(join(folder, `input${which}`)) });
        expect(result.status).toBe(0);
        expect(result.stdout.equals(readFileSync(join(folder, `expected${which}`)))).toBe(true);
      });
    }
  }
});

/** Another compiler gives other bytes, which says nothing about the script. */
function sameCompiler(): boolean {
  if (!needs('rebuilding the samples', 'gcc', 'readelf')) return false;
  const built = run(tool('readelf'), [
    '-p',
    '.comment',
    join(SAMPLES, list[0]!.name, `${list[0]!.name}.elf`),
  ]).stdout.toString();
  const made = /GCC: (.*)/.exec(built)?.[1] ?? 'an unknown compiler';
  const here = compilerVersion(findTool('gcc')!);
  if (here.endsWith(made)) return true;
  leaveOut('rebuilding the samples', `they were built with GCC ${made}, here is ${here}`);
  return false;
}

describe.runIf(sameCompiler())('the build script', () => {
  test('gives the committed bytes again, elsewhere', () => {
    const folder = temporary('samples');
    try {
      cpSync(SAMPLES, folder, { recursive: true });
      for (const { name } of list) rmSync(join(folder, name, `${name}.elf`));
      const result = run('sh', [join(folder, 'build.sh')], { env: { PATH: process.env.PATH ?? '', CC: tool('gcc') } });
      expect(result.stderr.toString()).toBe('');
      expect(result.status).toBe(0);
      for (const { name } of list) {
        const again = readFileSync(join(folder, name, `${name}.elf`));
        expect(again.equals(readFileSync(join(SAMPLES, name, `${name}.elf`))), name).toBe(true);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
