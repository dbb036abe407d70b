/** Some of gcc's c-torture tests through the whole way; test/campaign/torture.ts runs all. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { check } from '../campaign/optimized/check.ts';
import { build, flagsIn } from '../campaign/torture/builds.ts';
import { testsIn, tortureFolder } from '../campaign/torture/sources.ts';
import { findTool, leaveOut, needs } from '../support/tools.ts';

test('flags that a test asks for, on this target', () => {
  const text = `/* { dg-options "-fwrapv -fno-inline" } */
/* { dg-additional-options "-mno-mmx" { target { x86_64-*-* } } } */
/* { dg-options { "-std=gnu89" } } */`;
  expect(flagsIn(text, 'set additional_flags -fno-builtin-abs\nreturn 0\n')).toEqual([
    '-fwrapv',
    '-fno-inline',
    '-std=gnu89',
    '-fno-builtin-abs',
  ]);
});

const suite = "gcc's c-torture tests";
const folder =
  needs(suite, 'gcc', 'qemu', 'tar') && findTool('apt') !== undefined
    ? await tortureFolder().catch((error) => leaveOut(suite, String(error)))
    : undefined;

describe.runIf(folder !== undefined)(suite, () => {
  let work: string;
  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), 'isoform-torture-'));
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  test.each([
    ['20000822-1', '-O0', 'whole'],
    ['20000412-3', '-O2', 'tiny'],
    ['va-arg-22', '-O2', 'tiny'],
    ['nestfunc-3', '-O3', 'whole'],
    ['ieee/fp-cmp-4', '-O3', 'tiny'],
    ['builtins/memmove', '-O2', 'whole'],
  ] as const)('%s %s, %s library', (name, level, library) => {
    const found = testsIn(folder!).find((each) => each.name === name)!;
    const file = join(work, 'program');
    expect(build(folder!, found, level, library, file)).toBeUndefined();
    const job = {
      file,
      runs: [[]],
      forms: ['default' as const],
      limit: 20_000_000,
      onlyStatus: 0,
      verify: true,
      folder: work,
    };
    const checked = check(job);
    expect(checked).toMatchObject({ found: [], expected: ['[status 0]'] });
    expect(checked.superblocks).toBeGreaterThan(0);
  });
});
