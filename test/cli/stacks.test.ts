/** Programs that run on stacks of their own making: what dead frames leave there, and dead registers in contexts, is not judged. */
import { copyFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compile, needs, qemu } from '../support/tools.ts';
import { workplace } from './support.ts';

/** Signal handlers on a stack of their own (h), or coroutines on stacks in .bss and on the heap (c). */
const GUEST = `
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#define N __attribute__((noinline))
static ucontext_t back, ways[3];
static char own[1 << 16] __attribute__((aligned(16)));
static unsigned long sum;
static unsigned long v[64];
N unsigned long deep(unsigned long x, int d) {
  unsigned long a = x * 3, b = x ^ 7, c = x >> 3;
  if (d == 0) return a + b + c;
  unsigned long r = deep(x + v[x & 63], d - 1) + deep(x * 5 + 1, d / 2);
  v[r & 63] += a;
  return r + a * b + c;
}
N static void run(int id) {
  for (int i = 0; i < 40; i++) {
    sum = sum * 31 + deep(id * 77 + i, 4 + (i & 3));
    swapcontext(&ways[id], &back);
  }
}
static volatile unsigned long rung;
static void handler(int s) { rung += deep(s + rung, 5); write(1, ".", 1); }
static char alt[1 << 15];
int main(int argc, char **argv) {
  stack_t t = {.ss_sp = alt, .ss_size = sizeof alt};
  if (argv[1][0] == 'h') {
    sigaltstack(&t, 0);
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = handler;
    a.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &a, 0);
    for (int i = 0; i < 60; i++) { sum += deep(i, 5); raise(SIGUSR1); if (i % 20 == 0) write(1, "x", 1); }
  } else {
    for (int k = 0; k < 3; k++) {
      getcontext(&ways[k]);
      ways[k].uc_stack.ss_sp = k == 0 ? own : malloc(1 << 15);
      ways[k].uc_stack.ss_size = 1 << 15;
      ways[k].uc_link = &back;
      makecontext(&ways[k], (void (*)(void))run, 1, k);
    }
    for (int i = 0; i < 100; i++) { swapcontext(&back, &ways[i % 3]); sum += deep(i, 3); if (i % 16 == 0) write(1, "y", 1); }
  }
  // What is left of frames that are gone.
  if (argc > 2) for (int i = 0; i < sizeof own; i++) sum = sum * 31 + own[i] + alt[i & 32767];
  return printf("%016lx %016lx\\n", sum, rung) < 0;
}
`;

const place = workplace('stacks');
describe.runIf(needs('programs with stacks of their own', 'gcc', 'qemu'))('a program with stacks of its own', () => {
  test.each([
    ['-O2', 'h'],
    ['-Os -msave-restore', 'c'],
  ] as const)('%s, %s', (flags, how) => {
    const file = compile(GUEST, [...flags.split(' '), '-static']);
    expect(place.run(['profile', '-q', '-o', 'p', file, how]).status).toBe(0);
    expect(place.run(['optimize', '-q', '-p', 'p', '-o', 'fast', file]).status).toBe(0);
    const { status, stdout } = place.run(['verify', file, 'fast', how]);
    expect([status, stdout.toString()]).toEqual([0, expect.stringContaining('equivalent')]);
    expect(qemu(place.path('fast'), [how])).toEqual(qemu(file, [how]));
    // A program that looks at it is told to be different, if it shows.
    copyFileSync(file, place.path('slow'));
    const [slow, fast] = ['slow', 'fast'].map((name) => place.run(['run', name, how, 'look']).stdout.toString());
    const looks = place.run(['verify', 'slow', 'fast', how, 'look']);
    expect(looks.status).toBe(slow === fast ? 0 : 1);
    if (how === 'h') expect(looks.stdout.toString()).toMatch(/^different .*memory at/);
  });
});
