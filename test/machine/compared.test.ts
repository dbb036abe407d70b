/** Every system call is asked for by a guest whose output is compared with Linux or qemu: what a row answers wrongly shows somewhere. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readImage } from '../../src/elf/read.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { execute } from '../../src/engine/execute.ts';
import { SYSCALLS } from '../../src/machine/linux/table.ts';
import { createProcess } from '../../src/machine/process.ts';
import { compileFile, needs, ROOT } from '../support/tools.ts';

const GUESTS = join(ROOT, 'test/machine/guests');
/** Answered with ENOSYS, or for other reasons not as Linux does (README, "Limits"). */
const UNSUPPORTED = ['clone', 'clone3', 'execve', 'io_uring_setup', 'riscv_hwprobe', 'rseq', 'shmat'];
const PARTS = readdirSync(join(ROOT, 'test/machine/answers'));

describe.runIf(needs('which system calls are compared', 'gcc'))('system calls', () => {
  const dir = mkdtempSync(join(tmpdir(), 'isoform-compared-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test('of every row are asked for in test/machine/guests', () => {
    const asked = new Set<string>();
    const strace = (line: string): void => void asked.add(/^\w+/.exec(line)?.[0] ?? '');
    for (const name of readdirSync(GUESTS).filter((file) => file !== 'pie.c'))
      for (const part of name === 'answers.c' ? PARTS : ['one']) {
        const file = compileFile(join('test/machine/guests', name), ['-O2', '-static', '-w']);
        const guest = createProcess({
          image: readImage(file),
          args: [part],
          stdin: Buffer.from('hello\n'),
          grants: [dir],
          cwd: dir,
          sink: () => {},
          strace,
        });
        execute(guest, makeEngine('dispatch', guest.memory), { limitInstructions: 1e8 });
      }
    const unasked = [...SYSCALLS.values()].map(({ name }) => name).filter((name) => !asked.has(name));
    expect(unasked.sort(), 'a new row is asked for in test/machine/guests/rest.c (HACKING.md)').toEqual(UNSUPPORTED);
  }, 120_000);
});
