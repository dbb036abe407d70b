/**
 * Answers of system calls, in many of which qemu has its own way: test/machine/answers holds what the host's Linux has printed, file by
 * file. A file is that of the guest with its name, or of the part with its name of the guest `answers`.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runGuest } from '../support/guest.ts';
import { compileFile, needs, ROOT } from '../support/tools.ts';

const GUESTS = join(ROOT, 'test/machine/guests');
const EXPECTED = join(ROOT, 'test/machine/answers');

describe.runIf(needs("answers of the host's Linux", 'gcc'))('Linux answers', () => {
  const dir = mkdtempSync(join(tmpdir(), 'isoform-answers-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test.each(readdirSync(EXPECTED))('%s', (part) => {
    const file = compileFile(
      join('test/machine/guests', existsSync(join(GUESTS, `${part}.c`)) ? `${part}.c` : 'answers.c'),
      ['-O2', '-static', '-w'],
    );
    const run = { args: [part], stdin: Buffer.from('hello\n'), dir };
    const { status, stdout, stderr } = runGuest(file, run, 'dispatch');
    // The end first: it says why an output is not whole.
    expect([status, stderr.toString()]).toEqual([0, '']);
    expect(stdout.toString()).toBe(readFileSync(join(EXPECTED, part), 'latin1'));
  });
});
