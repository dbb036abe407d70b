/**
 * Answers of system calls, in many of which qemu has its own way: test/machine/answers holds what the host's Linux has printed, file by
 * file. A file is that of the guest with its name, or of the part with its name of the guest `answers`. `BLESS=1` writes what this host says:
 * the guest is built for it, and run by an ordinary user.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runGuest } from '../support/guest.ts';
import { compileFile, needs, ROOT, run } from '../support/tools.ts';

const EXPECTED = join(ROOT, 'test/machine/answers');
const FLAGS = ['-O2', '-static', '-w'];
const stdin = Buffer.from('hello\n');
/** The guest's user, too, has this number. */
const USER = 1000;

function sourceOf(part: string): string {
  const own = `test/machine/guests/${part}.c`;
  return existsSync(join(ROOT, own)) ? own : 'test/machine/guests/answers.c';
}

/** What a part prints on this host's Linux. */
function onHost(part: string, folder: string): string {
  const [program, place] = [join(folder, `${part}.host`), join(folder, `${part}.place`)];
  const built = run('gcc', [...FLAGS, join(ROOT, sourceOf(part)), '-o', program]);
  if (built.status !== 0) throw new Error(`${part}: ${built.stderr}`);
  mkdirSync(place);
  for (const open of [folder, place]) chmodSync(open, 0o777);
  const user = process.getuid?.() === 0 ? { uid: USER, gid: USER } : {};
  const { stdout, error } = spawnSync(program, [part], {
    cwd: place,
    input: stdin,
    encoding: 'latin1',
    timeout: 60_000,
    ...user,
  });
  if (error) throw error;
  return stdout;
}

describe.runIf(needs("answers of the host's Linux", 'gcc'))('Linux answers', () => {
  const dir = mkdtempSync(join(tmpdir(), 'isoform-answers-'));
  beforeAll(() => {
    if (process.env.BLESS !== '1') return;
    if (getPriority() !== 0) throw new Error('run without nice: the guest tells its priority');
    for (const part of readdirSync(EXPECTED)) writeFileSync(join(EXPECTED, part), onHost(part, dir), 'latin1');
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test.each(readdirSync(EXPECTED))('%s', (part) => {
    const file = compileFile(sourceOf(part), FLAGS);
    const { status, stdout, stderr } = runGuest(file, { args: [part], stdin, dir }, 'dispatch');
    // The end first: it says why an output is not whole.
    expect([status, stderr.toString()]).toEqual([0, '']);
    expect(stdout.toString()).toBe(readFileSync(join(EXPECTED, part), 'latin1'));
  });
});
