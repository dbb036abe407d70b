/** Guests that do nothing but wait for their alarm: they get it, and both forms get it alike. */
import { beforeAll, describe, expect, test } from 'vitest';
import { compile, needs, qemu } from '../support/tools.ts';
import { workplace } from './support.ts';

const GUEST = `
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile sig_atomic_t rung;
static volatile unsigned long counted;
// Five at most: on a busy host more can come before the guest looks, or has set its timer back.
static void ring(int s) { if (rung < 5) rung++; }
static unsigned long work(unsigned long n) {
  unsigned long sum = n;
  for (unsigned long i = 0; i < n; i++) sum = sum * 31 + (sum >> 7);
  return sum;
}
int main(int argc, char **argv) {
  struct itimerval timer = {{0, 1000}, {0, 3000}};
  struct timespec begun, now;
  signal(SIGALRM, ring);
  clock_gettime(CLOCK_MONOTONIC, &begun);
  switch (argv[1][0]) {
    case 's': // spins, with a frame that lies elsewhere than the caller's
      ualarm(5000, 0);
      while (!rung) work(7);
      break;
    case 't': // several times
      setitimer(ITIMER_REAL, &timer, 0);
      while (rung < 5) ;
      timer.it_value.tv_usec = timer.it_interval.tv_usec = 0;
      setitimer(ITIMER_REAL, &timer, 0);
      break;
    case 'c': // counts what nobody looks at
      ualarm(5000, 0);
      while (!rung) counted++;
      break;
    case 'k': // is killed
      signal(SIGALRM, SIG_DFL);
      printf("waits\\n");
      fflush(stdout);
      ualarm(2000, 0);
      for (;;) work(1000);
    case 'w': // works, and is through long before
      alarm(5);
      printf("%lx\\n", work(300000));
      break;
    case 'b': { // blocks it meanwhile
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGALRM);
      sigprocmask(SIG_BLOCK, &set, 0);
      ualarm(1000, 0);
      unsigned long sum = work(6000000);
      int before = rung;
      sigprocmask(SIG_UNBLOCK, &set, 0);
      printf("%lx %d", sum, before);
      break;
    }
  }
  clock_gettime(CLOCK_MONOTONIC, &now);
  long passed = (now.tv_sec - begun.tv_sec) * 1000000 + (now.tv_nsec - begun.tv_nsec) / 1000;
  if (argc > 2) printf("%ld us", passed);
  printf("%d rings\\n", rung);
  return 0;
}`;

const WAYS = ['s', 't', 'c', 'k', 'w', 'b'];
const place = workplace('alarms');

describe.runIf(needs('guests that wait for their alarm', 'gcc', 'qemu'))('a guest that waits for its alarm', () => {
  let file: string;

  beforeAll(() => {
    file = compile(GUEST);
    for (const how of WAYS) {
      const { status, stderr } = place.run([
        'profile',
        '-q',
        '-o',
        how,
        '--limit-instructions',
        '400000000',
        file,
        how,
      ]);
      expect([how, status, stderr.toString()]).toEqual([how, how === 'k' ? 142 : 0, '']);
    }
    expect(place.run(['merge', '-o', 'all', ...WAYS]).status).toBe(0);
    expect(place.run(['optimize', '-q', '-p', 'all', '-o', 'fast', file]).status).toBe(0);
  });

  test.each(WAYS)('%s: both forms are equivalent, and do what qemu does', (how) => {
    const { status, stdout } = place.run(['verify', file, 'fast', how]);
    expect([status, stdout.toString()]).toEqual([0, expect.stringContaining('equivalent')]);
    const expected = qemu(file, [how]);
    expect(qemu(place.path('fast'), [how])).toEqual(expected);
    const run = place.run(['run', file, how]);
    expect([run.status, run.stdout.toString()]).toEqual([expected.status, expected.stdout.toString()]);
  });

  test('both forms read the time that the alarm was set to', () => {
    const { status, stdout } = place.run(['verify', file, 'fast', 's', 'time']);
    expect([status, stdout.toString()]).toEqual([0, expect.stringContaining('equivalent')]);
  });
});

const FAULTS = `
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
static char *page;
static volatile int count;
static void handler(int s, siginfo_t *info, void *context) { count++; mprotect(page, 4096, PROT_READ | PROT_WRITE); }
__attribute__((noinline)) long work(long *p, long n) {
  long sum = 0;
  for (long i = 0; i < n; i++) { p[i % 8] += i; sum += p[(i + 1) % 8]; p[i % 8] ^= sum; sum *= 3; }
  return sum;
}
int main(int argc, char **argv) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, 0);
  page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long sum = 0;
  for (int i = 0; i < 400; i++) {
    if (argc > 1 && i % 7 == 0) mprotect(page, 4096, i % 2 ? PROT_NONE : PROT_READ);
    sum = sum * 31 + work((long *)page, i + 10);
  }
  return printf("%lx %d\\n", sum, count) < 0;
}
`;

describe.runIf(needs('guests that mend their faults', 'gcc', 'qemu'))('a handler that mends a fault', () => {
  const place = workplace('faults');
  test('goes back to registers that need not be what they were', () => {
    const file = compile(FAULTS, ['-O2', '-static']);
    expect(place.run(['profile', '-q', '-o', 'p', file]).status).toBe(0);
    expect(place.run(['optimize', '-q', '-p', 'p', '-o', 'fast', file]).status).toBe(0);
    const { status, stdout } = place.run(['verify', file, 'fast', 'more']);
    expect([status, stdout.toString()]).toEqual([0, expect.stringContaining('equivalent')]);
    expect(qemu(place.path('fast'), ['more'])).toEqual(qemu(file, ['more']));
  });
});

const SENSES = `
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static volatile int stop;
static void ring(int signal) { stop = 1; }
static volatile unsigned x = 1;
__attribute__((noinline)) unsigned work(unsigned n) {
  unsigned sum = 0;
  for (unsigned i = 0; i < n; i++) {
    if (i & 1) sum += i * x;
    else sum ^= i;
  }
  return sum;
}
static unsigned long ticks(void) {
  unsigned long now;
  __asm__ volatile("rdtime %0" : "=r"(now));
  return now;
}
int main(int argc, char **argv) {
  unsigned long rounds = 0, from, to, found = 0, before = ticks();
  if (argv[1][0] == 'r') {
    signal(SIGALRM, ring);
    ualarm(20000, 0);
    for (; !stop; rounds++) work(100);
  }
  unsigned sum = work(20000);
  if (argv[1][0] == 'm') {
    char line[300];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) {
      unsigned long here = (unsigned long)&line;
      if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from <= here && here < to) found = 1;
      if (argv[2]) fputs(line, stdout);
    }
  }
  if (argv[1][0] == 't') {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long time = now.tv_sec * 10000000UL + now.tv_nsec / 100, until = ticks() + 1000;
    found = time >= before && time - before < 100000 && until - time < 2000;
    nanosleep(&(struct timespec){1, 0}, 0);
    found += ticks() - until > 9900000;
    for (until = ticks() + 1000; ticks() < until;) rounds++;
    rounds += ticks() - before;
  }
  return printf("%lu %lu %u\\n", rounds, found, sum) < 0;
}
`;

describe.runIf(needs('guests that look at time and maps', 'gcc'))('a guest that looks at', () => {
  const place = workplace('senses');
  let file: string;
  beforeAll(() => {
    file = compile(SENSES);
    const ways = ['t', 'm', 'r'];
    for (const way of ways) expect(place.run(['profile', '-q', '-o', way, file, way]).status).toBe(0);
    expect(place.run(['merge', '-o', 'all', ...ways]).status).toBe(0);
    expect(place.run(['optimize', '-q', '-p', 'all', '-o', 'fast', file]).status).toBe(0);
  });
  const verified = (...args: readonly string[]) => {
    const { status, stdout } = place.run(['verify', file, 'fast', ...args]);
    return { status, verdict: stdout.toString() };
  };

  test('the time counter: both forms read the clock', () => {
    const { stdout } = place.run(['run', file, 't']);
    expect(stdout.toString()).toMatch(/^\d+ 2 /);
    // All engines read the same.
    const lockstep = 'lockstep:basic,translate-soon';
    for (const engine of ['basic', 'dispatch', lockstep])
      expect(place.run(['run', '--engine', engine, file, 't'])).toMatchObject({ status: 0, stdout });
    // On the steady clock each read counts.
    expect(place.run(['profile', '-q', '-o', 'steady', '--engine', lockstep, file, 't']).status).toBe(0);
    expect(verified('t')).toEqual({ status: 0, verdict: expect.stringMatching(/equivalent/) });
  });
  test('its maps: both forms see the same', () => {
    expect(verified('m')).toEqual({ status: 0, verdict: expect.stringMatching(/equivalent/) });
  });
  test('its maps and prints them: the new segment is told of', () => {
    const { status, verdict } = verified('m', 'all');
    expect([status, verdict]).toEqual([1, expect.stringMatching(/the program reads \/proc\/self\/maps/)]);
    expect(verdict).not.toMatch(/A5|superblock/);
  });
  test('how far it gets before its alarm: no code is blamed', () => {
    const { status, verdict } = verified('r');
    expect([status, verdict]).toEqual([1, expect.stringMatching(/tells where an alarm interrupts it/)]);
    expect(verdict).not.toMatch(/A5|superblock/);
  });
});
