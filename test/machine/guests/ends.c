/* Ways to end, by the first argument. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int forever(int n) { volatile char frame[4096]; frame[0] = n; return forever(n + 1) + frame[0]; }
static void handler(int sig) { printf("handled %d\n", sig); fflush(stdout); _exit(9); }

int main(int argc, char **argv) {
  const char *how = argv[1];
  printf("ending by %s\n", how);
  fflush(stdout);
  if (!strcmp(how, "exit")) exit(300);
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "null")) *(volatile int *)0 = 1;
  if (!strcmp(how, "jump")) ((void (*)(void))0x10)();
  if (!strcmp(how, "illegal")) asm volatile(".word 0");
  if (!strcmp(how, "break")) asm volatile("ebreak");
  if (!strcmp(how, "misaligned")) asm volatile("lr.w a0, (%0)" : : "r"((char *)main + 1) : "a0");
  if (!strcmp(how, "recursion")) return forever(0);
  if (!strcmp(how, "kill")) kill(getpid(), SIGKILL);
  if (!strcmp(how, "text")) *(volatile int *)main = 1;
  if (!strcmp(how, "handler")) { signal(SIGSEGV, handler); *(volatile int *)0 = 1; }
  if (!strcmp(how, "atexit")) { atexit((void (*)(void))handler); return 1; }
  return 0;
}
