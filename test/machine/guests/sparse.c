/* A file of five gigabytes that holds next to nothing. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAR 5000003584L

static int fd;

static void say(const char *what, long result) {
  struct stat s;
  fstat(fd, &s);
  if (result < 0)
    printf("%s: error %d, size %ld\n", what, errno, (long)s.st_size);
  else
    printf("%s: %ld, size %ld\n", what, result, (long)s.st_size);
}

static void parts(void) {
  long at = 0;
  while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
    long end = lseek(fd, at, SEEK_HOLE);
    printf("data %ld to %ld\n", at, end);
    at = end;
  }
}

static void bytes(long at) {
  unsigned char b[4] = {9, 9, 9, 9};
  long n = pread(fd, b, 4, at);
  printf("at %ld: %ld, %d %d %d %d\n", at, n, b[0], b[1], b[2], b[3]);
}

int main(void) {
  fd = open("far", O_RDWR | O_CREAT, 0644);
  say("write", pwrite(fd, "far", 3, FAR));
  say("write", pwrite(fd, "near", 4, 8192));
  parts();
  bytes(0);
  bytes(8193);
  bytes(FAR - 2);
  say("longer", ftruncate(fd, 2 * FAR));
  parts();
  bytes(2 * FAR - 2);
  say("hole", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8194, FAR - 8193));
  bytes(8192);
  bytes(FAR);
  say("hole", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2 * FAR));
  parts();
  say("ahead", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 65536));
  parts();
  say("end", lseek(fd, -1, SEEK_END));
  say("write", write(fd, "ends", 4));
  bytes(2 * FAR - 1);
  char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, FAR & -4096);
  page[FAR & 4095] = 'x';
  bytes(FAR);
  munmap(page, 4096);
  bytes(FAR);
  say("shorter", ftruncate(fd, FAR));
  say("longer", ftruncate(fd, FAR + 10));
  bytes(FAR);
  say("empty", ftruncate(fd, 0));
  bytes(0);
  return unlink("far");
}
