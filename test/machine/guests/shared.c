/* Shared mappings of files: mapping and file are one, in both directions, in parts, and after the descriptor is closed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void content(int fd, long at) {
  char buffer[17] = "";
  long n = pread(fd, buffer, 16, at);
  printf("%ld: %ld %s\n", at, n, buffer);
}

int main(void) {
  int fd = open("shared", O_CREAT | O_RDWR, 0644);
  printf("resize %d\n", ftruncate(fd, 3 * 4096));
  char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  printf("mmap %d\n", m != MAP_FAILED);
  strcpy(m, "by memory");
  content(fd, 0);
  pwrite(fd, "by write", 9, 4096);
  printf("%s\n", m + 4096);
  printf("msync %d\n", msync(m, 3 * 4096, MS_SYNC));
  strcpy(m + 8192, "last page");
  printf("munmap middle %d\n", munmap(m + 4096, 4096));
  strcpy(m, "first again");
  content(fd, 0);
  content(fd, 4096);
  content(fd, 8192);
  close(fd);
  strcpy(m + 8192, "after close");
  fd = open("shared", O_RDWR);
  content(fd, 8192);
  munmap(m + 8192, 4096);
  content(fd, 8192);
  ftruncate(fd, 100);
  char *r = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
  ftruncate(fd, 4096 + 50);
  printf("grown %d\n", r[10]);
  pwrite(fd, "seen", 4, 4096);
  printf("%.4s\n", r);
  m = mremap(m, 4096, 4096, 0);
  strcpy(m, "to the end");
  int only = open("shared", O_RDONLY);
  printf("denied %d\n", mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, only, 0) == MAP_FAILED && errno == EACCES);
  unlink("nothing");
  return 0;
}
