/* brk, mmap, mprotect, mremap, munmap, madvise, a big malloc, deep recursion. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static int depth(int n) {
  volatile char frame[1024];
  frame[0] = n;
  return n == 0 ? 0 : 1 + depth(n - 1) + (frame[0] != (char)n);
}

int main(void) {
  char *start = sbrk(0);
  printf("sbrk %d\n", sbrk(100000) == start);
  start[99999] = 7;
  printf("heap %d %d\n", start[0], start[99999]);
  sbrk(-100000);
  sbrk(100000);
  printf("fresh %d\n", start[99999]);
  char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("mmap %d zero %d\n", p != MAP_FAILED, p[4096]);
  memset(p, 5, 3 * 4096);
  printf("munmap %d\n", munmap(p + 4096, 4096));
  char *q = mmap(p + 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  printf("fixed %d zero %d left %d right %d\n", q == p + 4096, q[0], p[0], p[8192]);
  printf("madvise %d", madvise(p, 4096, MADV_DONTNEED));
  printf(" %d %d\n", p[0], p[8192]);
  char *r = mremap(p, 3 * 4096, 64 * 4096, MREMAP_MAYMOVE);
  printf("mremap %d %d %d\n", r != MAP_FAILED, r[8192], r[63 * 4096]);
  r = mremap(r, 64 * 4096, 4096, 0);
  printf("shrink %d\n", r != MAP_FAILED);
  printf("mprotect %d\n", mprotect(r, 4096, PROT_READ));
  printf("into read-only: %s\n", read(0, r, 1) < 0 ? strerror(errno) : "?");
  printf("bad pointer: %s\n", write(1, (void *)16, 4) < 0 ? strerror(errno) : "?");
  printf("unaligned %d\n", mprotect(r + 1, 4096, PROT_READ) != 0 && errno == EINVAL);
  printf("unmapped %d\n", mprotect((void *)0x30000000, 4096, PROT_READ) != 0 && errno == ENOMEM);
  printf("zero length %d\n", mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
  int fd = open("data", O_CREAT | O_RDWR, 0600);
  write(fd, "file contents", 13);
  char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  printf("file %.13s %d\n", m, m[13]);
  m[0] = 'F';
  char c;
  pread(fd, &c, 1, 0);
  printf("private %c %c\n", m[0], c);
  char *big = malloc(100 << 20);
  big[0] = 1;
  big[(100 << 20) - 1] = 2;
  char *bigger = realloc(big, 200 << 20);
  printf("realloc %d %d\n", bigger[0], bigger[(100 << 20) - 1]);
  free(bigger);
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  printf("stack %d\n", limit.rlim_cur >= 8 << 20);
  printf("depth %d\n", depth(6000));
  /* Code made at run time, changed and run again: li a0,N; ret. */
  unsigned *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 1; i <= 3; i++) {
    code[0] = 0x00000513 | i << 20;
    code[1] = 0x00008067;
    __builtin___clear_cache((char *)code, (char *)(code + 2));
    printf("code %d\n", ((int (*)(void))code)());
  }
  return 0;
}
