/* Pages that are given up: what they hold then. Data as the file has it, zeros behind it, what a mapped file holds now, zeros elsewhere. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
static char data[4 * PAGE] __attribute__((aligned(PAGE))) = {[0] = 'd', [PAGE] = 'a', [2 * PAGE + 5] = 't'};
static char zeros[4 * PAGE] __attribute__((aligned(PAGE)));

static void give_up(const char *what, char *at, size_t size) {
  int result = madvise(at, size, MADV_DONTNEED);
  printf("%s: %d %d\n", what, result, result ? errno : 0);
}

int main(void) {
  memset(data, 'x', sizeof data);
  memset(zeros, 'y', sizeof zeros);
  give_up("data", data + PAGE, 2 * PAGE);
  printf("%c %c %c %c %d\n", data[0], data[PAGE], data[2 * PAGE + 5], data[3 * PAGE], data[PAGE + 1]);
  give_up("bss", zeros + PAGE, PAGE);
  printf("%c %d %c\n", zeros[0], zeros[PAGE], zeros[2 * PAGE]);

  int file = open("given-up", O_CREAT | O_TRUNC | O_RDWR, 0644);
  for (int i = 0; i < 3; i++) pwrite(file, "first", 5, i * PAGE);
  char *private = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  char *shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  memset(private, 'p', 2 * PAGE);
  memcpy(shared, "shared", 7);
  pwrite(file, "other", 5, PAGE);
  give_up("private", private, 3 * PAGE);
  printf("%s %s %s\n", private, private + PAGE, private + 2 * PAGE);
  give_up("shared", shared, PAGE);
  printf("%s\n", shared);
  // Moved, and cut in two.
  char *moved = mremap(private, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
  memset(moved, 'm', PAGE);
  give_up("moved", moved, PAGE);
  printf("%s\n", moved);
  munmap(private + 2 * PAGE, PAGE);

  char *plain = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(plain, 'a', 4 * PAGE);
  give_up("anonymous", plain, 2 * PAGE);
  printf("%d %d\n", plain[0], plain[3 * PAGE]);
  munmap(plain + PAGE, PAGE);
  give_up("nothing", plain, 0);
  give_up("in the midst", plain + 1, PAGE);
  printf("%d %d\n", msync(plain, 4 * PAGE, MS_SYNC), errno);
  printf("%d %d\n", msync(plain, PAGE, MS_SYNC | MS_ASYNC), errno);
  unsigned char there[4] = {9, 9, 9, 9};
  printf("%d\n", mincore(data, PAGE, there));
  printf("%d\n", there[0] & 1);
  printf("%d %d\n", mincore(plain, 2 * PAGE, there), errno);

  printf("%d\n", mkfifo("fifo", 0600));
  int both = open("fifo", O_RDWR);
  struct stat is;
  fstat(both, &is);
  char text[8] = "";
  printf("%d %d %d\n", (int)S_ISFIFO(is.st_mode), (int)write(both, "hello", 5), (int)read(both, text, 5));
  printf("%s %d\n", text, open("fifo", O_WRONLY | O_NONBLOCK) > 0);
  unlink("fifo");
  return 0;
}
