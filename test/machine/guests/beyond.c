/* Pages of a mapping beyond the end of its file: SIGBUS, until the file is longer. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static sigjmp_buf back;
static int code;
static void fault(int sig, siginfo_t *info, void *context) {
  code = sig * 100 + info->si_code;
  siglongjmp(back, 1);
}
static void look(const char *what, volatile char *at) {
  code = 0;
  if (sigsetjmp(back, 1) == 0) printf("%s: %d\n", what, *at);
  else printf("%s: fault %d\n", what, code);
}
static void set(const char *what, volatile char *at, char value) {
  code = 0;
  if (sigsetjmp(back, 1) == 0) *at = value, printf("%s: set\n", what);
  else printf("%s: fault %d\n", what, code);
}
int main(void) {
  struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &action, 0);
  sigaction(SIGSEGV, &action, 0);
  int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
  write(fd, "some bytes", 10);
  for (int shared = 0; shared < 2; shared++) {
    ftruncate(fd, 10);
    char *at = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    printf("-- %s\n", shared ? "shared" : "private");
    look("first", at);
    look("behind the end, same page", at + 100);
    look("next page", at + 4096);
    set("next page", at + 4096, 1);
    printf("read into it: %zd\n", pread(fd, at + 4096, 4, 0));
    ftruncate(fd, 4096 + 1);
    set("file is longer", at + 4096, 7);
    look("file is longer", at + 4096);
    look("but not so long", at + 2 * 4096);
    pwrite(fd, "x", 1, 3 * 4096);
    look("longer by writing", at + 2 * 4096);
    look("longer by writing", at + 3 * 4096);
    mprotect(at, 4 * 4096, PROT_READ);
    set("only read", at + 2 * 4096, 1);
    ftruncate(fd, 10);
    look("shorter", at + 4096);
    set("shorter, only read", at + 4096, 1);
    mprotect(at, 4 * 4096, PROT_READ | PROT_WRITE);
    look("still shorter", at + 4096);
    ftruncate(fd, 3 * 4096);
    set("longer again", at + 4096, 5);
    look("longer again", at + 4096);
    char *moved = mremap(at, 4 * 4096, 6 * 4096, MREMAP_MAYMOVE);
    look("moved", moved + 4096);
    look("moved, beyond", moved + 3 * 4096);
    munmap(moved, 6 * 4096);
  }
  return 0;
}
