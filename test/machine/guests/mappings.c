/* A loop that gets hot on a mapping, which then goes, comes back, may only be read, and grows: each look must see what there is now. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096
static sigjmp_buf back;
static void caught(int number, siginfo_t *info, void *context) {
  (void)context;
  siglongjmp(back, number * 1000 + ((long)info->si_addr & 0xff));
}

__attribute__((noinline)) static long sum(const volatile long *from, long count) {
  long all = 0;
  for (long i = 0; i < count; i++) all += from[i];
  return all;
}
__attribute__((noinline)) static void fill(volatile long *from, long count, long with) {
  for (long i = 0; i < count; i++) from[i] = with;
}

static void try_both(const char *what, long *at, long count) {
  int how = sigsetjmp(back, 1);
  if (how == 0) printf("%s: %ld\n", what, sum(at, count));
  else printf("%s: reading got %d\n", what, how);
  how = sigsetjmp(back, 1);
  if (how == 0) {
    fill(at, count, 3);
    printf("%s: written\n", what);
  } else printf("%s: writing got %d\n", what, how);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, 0);
  long *at = mmap(0, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long count = 16 * PAGE / sizeof(long);
  for (int i = 0; i < 20; i++) fill(at, count, i), sum(at, count);
  try_both("there", at, count);
  munmap((char *)at + 8 * PAGE, 8 * PAGE);
  try_both("half of it gone", at, count);
  munmap(at, 8 * PAGE);
  try_both("gone", at, count);
  mmap(at, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  try_both("back", at, count);
  mprotect((char *)at + 4 * PAGE, PAGE, PROT_READ);
  try_both("read only in between", at, count);
  mprotect(at, PAGE, PROT_NONE);
  try_both("forbidden", at, count);
  mprotect(at, 16 * PAGE, PROT_READ | PROT_WRITE);
  try_both("allowed", at, count);
  return 0;
}
