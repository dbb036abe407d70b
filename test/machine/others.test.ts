/** Who else may look at a program's memory, as the profile sees it: what was asked for counts, whether it was given or not. */
import { describe, expect, test } from 'vitest';
import { readImage } from '../../src/elf/read.ts';
import { OTHERS } from '../../src/machine/others.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { compile, needs } from '../support/tools.ts';

const program = (body: string) => `
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
static void handler(int s) {}
int main(void) { ${body} return 0; }`;

const SHARED = ['shared mapping'];
const CASES: readonly (readonly [string, string, readonly string[]])[] = [
  ['nothing', '', []],
  ['a handler', 'signal(SIGUSR1, handler);', ['signal handler']],
  ['a signal that is ignored', 'signal(SIGUSR1, SIG_IGN);', []],
  ['a thread', 'syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0, 0);', ['task']],
  ['a thread by clone3', 'unsigned long a[8] = {CLONE_VM}; syscall(SYS_clone3, a, sizeof a);', ['task']],
  ['a child with a memory of its own', 'syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);', []],
  ['a child that is waited for', 'syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);', []],
  ['a private mapping', 'mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);', []],
  ['a shared mapping', 'mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);', SHARED],
  [
    'one that is made writable later',
    'mprotect(mmap(0, 4096, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 4096, PROT_READ | PROT_WRITE);',
    SHARED,
  ],
  ['one of a device', 'mmap(0, 4096, PROT_READ, MAP_SHARED, open("/dev/zero", O_RDWR), 0);', SHARED],
  ['one that others write', 'mmap(0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);', SHARED],
  ['memory of System V', 'syscall(SYS_shmat, 1, 0, 0);', SHARED],
  ['a ring of the kernel', 'syscall(SYS_io_uring_setup, 8, 0);', SHARED],
];

describe.runIf(needs('who else may look', 'gcc'))('the profile tells of', () => {
  test.each(CASES)('%s', (_, body, expected) => {
    const image = readImage(compile(program(body), ['-O1', '-static', '-w']));
    const { exit, profile } = profileRun({ image, input: {} });
    expect(exit).toEqual({ kind: 'status', status: 0 });
    expect(profile.images[0]!.others).toEqual(OTHERS.filter((other) => expected.includes(other)));
  });
});
