/* What is asked of mappings, files in memory and limits, and what of it counts. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHOW(e)                                                                        \
  do {                                                                                 \
    errno = 0;                                                                         \
    long result = (long)(e);                                                           \
    printf("%s = %ld %s\n", #e, result, result == -1 ? strerrorname_np(errno) : "");   \
  } while (0)
#define FAILS(address) (address == MAP_FAILED ? -1 : 0)
#define ANY (PROT_READ | PROT_WRITE)

static char bytes[8192];
static void *map(int flags, int fd) { return mmap(0, 8192, ANY, flags, fd, 0); }

static void advice(int file) {
  char *shared = map(MAP_SHARED | MAP_ANONYMOUS, -1), *of = map(MAP_SHARED, file);
  char *private = map(MAP_PRIVATE | MAP_ANONYMOUS, -1), *copy = map(MAP_PRIVATE, file);
  shared[0] = private[0] = 7;
  SHOW(madvise(shared, 4096, MADV_DONTNEED));
  SHOW(shared[0]);
  SHOW(madvise(of, 4096, MADV_DONTNEED));
  SHOW(of[0]);
  SHOW(madvise(shared, 4096, MADV_REMOVE));
  SHOW(shared[0]);
  SHOW(madvise(private, 4096, MADV_REMOVE));
  SHOW(madvise(copy, 4096, MADV_REMOVE));
  SHOW(private[0]);
  for (int k = 0; k < 2; k++) {
    int which = k ? MADV_WIPEONFORK : MADV_FREE;
    SHOW(madvise(shared, 4096, which));
    SHOW(madvise(of, 4096, which));
    SHOW(madvise(copy, 4096, which));
    SHOW(madvise(private + 4096, 4096, which));
  }
  SHOW(madvise(private, 4096, MADV_POPULATE_WRITE));
  mprotect(private, 4096, PROT_READ);
  SHOW(madvise(private, 4096, MADV_POPULATE_WRITE));
  SHOW(madvise(private, 4096, MADV_POPULATE_READ));
  mprotect(private, 4096, PROT_NONE);
  SHOW(madvise(private, 4096, MADV_POPULATE_READ));
  SHOW(madvise(of, 4096, MADV_REMOVE));
  SHOW(pread(file, bytes, 1, 0));
  SHOW(bytes[0]);
  SHOW(mlockall(0));
  SHOW(mlockall(99));
  SHOW(mlockall(MCL_ONFAULT));
}

static void moves(void) {
  char *two = map(MAP_PRIVATE | MAP_ANONYMOUS, -1), *one = map(MAP_PRIVATE | MAP_ANONYMOUS, -1), *new;
  mprotect(two + 4096, 4096, PROT_READ);
  SHOW(FAILS(mremap(two, 8192, 16384, MREMAP_MAYMOVE)));
  SHOW(FAILS(mremap(two, 8192, 4096, 0)));
  SHOW(mprotect(two, -1UL, PROT_NONE));
  two[0] = 1;
  mkfifo("fifo", 0600);
  SHOW(open("fifo", O_ACCMODE));
  unlink("fifo");
  one[0] = 9;
  SHOW(FAILS(mremap(one, 8192, 4096, MREMAP_MAYMOVE | MREMAP_DONTUNMAP)));
  SHOW(FAILS(mremap(one, 8192, 8192, MREMAP_DONTUNMAP)));
  SHOW(FAILS((new = mremap(one, 8192, 8192, MREMAP_MAYMOVE | MREMAP_DONTUNMAP))));
  printf("%d %d %d\n", new != one, new[0], one[0]);
  one[1] = 3;
  printf("%d\n", new[1]);
  char *shared = map(MAP_SHARED | MAP_ANONYMOUS, -1);
  shared[0] = 5;
  SHOW(FAILS((new = mremap(shared, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, one))));
  SHOW(madvise(new, 4096, MADV_DONTNEED));
  SHOW(new[0]);
}

static void seals(void) {
  char name[251];
  memset(name, 'a', sizeof name);
  name[250] = 0;
  SHOW(syscall(SYS_memfd_create, name, 0));
  SHOW(syscall(SYS_memfd_create, name + 1, 0) > 0);
  SHOW(syscall(SYS_memfd_create, "x", 0x800));
  int plain = memfd_create("x", 0), fd = memfd_create("x", MFD_ALLOW_SEALING);
  SHOW(fcntl(plain, F_GET_SEALS));
  SHOW(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(fcntl(0, F_GET_SEALS));
  SHOW(write(fd, bytes, 8192));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  SHOW(fcntl(fd, F_GET_SEALS));
  SHOW(write(fd, bytes, 1));
  SHOW(pwrite(fd, bytes, 1, 0));
  SHOW(ftruncate(fd, 0));
  SHOW(ftruncate(fd, 8192));
  SHOW(ftruncate(fd, 8193));
  SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096));
  char *mapped = map(MAP_SHARED, fd);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  munmap(mapped, 8192);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
  SHOW(pwrite(fd, bytes, 1, 0));
  SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096));
  SHOW(FAILS(map(MAP_SHARED, fd)));
  SHOW(FAILS(map(MAP_PRIVATE, fd)));
  SHOW(FAILS((mapped = mmap(0, 8192, PROT_READ, MAP_SHARED, fd, 0))));
  SHOW(mprotect(mapped, 8192, ANY));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
}

/* Bytes before a fault are moved, of a file. */
static void faults(int out) {
  char *edge = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
  munmap(edge + 4096, 4096);
  SHOW(write(out, edge + 4000, 200));
  SHOW(lseek(out, 0, SEEK_CUR));
  SHOW(write(out, edge + 4096, 200));
  SHOW(write(out, bytes, 1000));
  SHOW(pread(out, edge + 4000, 200, 0));
  SHOW(pwrite(out, edge + 4000, 200, 0));
  lseek(out, 90, SEEK_SET);
  SHOW(read(out, edge + 4000, 200));
  SHOW(lseek(out, 0, SEEK_CUR));
  SHOW(edge[4095]);
  SHOW(ftruncate(out, 0));
  lseek(out, 0, SEEK_SET);
}

static volatile int exceeded;
static void note(int sig) { exceeded++; }
static void limits(int file, int out) {
  struct rlimit limit = {1000, 2000};
  off_t at = 0;
  signal(SIGXFSZ, note);
  SHOW(setrlimit(RLIMIT_FSIZE, &limit));
  getrlimit(RLIMIT_FSIZE, &limit);
  long results[] = {limit.rlim_cur, limit.rlim_max, write(out, bytes, 600), write(out, bytes, 600),
                    write(out, bytes, 600), exceeded, ftruncate(out, 1001), exceeded, ftruncate(out, 600),
                    lseek(out, 600, SEEK_SET), sendfile(out, file, &at, 600), at, sendfile(out, file, &at, 600), at,
                    fallocate(out, 0, 0, 2000), write(out, bytes, 0)};
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_FSIZE, &limit);
  for (int k = 0; k < sizeof results / sizeof *results; k++) printf("%ld ", results[k]);
  limit.rlim_max = 3000;
  SHOW(setrlimit(RLIMIT_FSIZE, &limit));
  limit = (struct rlimit){20, 20};
  SHOW(setrlimit(RLIMIT_NOFILE, &limit));
  int last = 0;
  for (int fd; (fd = dup(0)) >= 0;) last = fd;
  SHOW(last);
  SHOW(fcntl(0, F_DUPFD, 20));
  SHOW(dup2(0, 20));
}

int main(void) {
  int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
  memset(bytes, 'a', sizeof bytes);
  write(file, bytes, sizeof bytes);
  advice(file);
  moves();
  seals();
  faults(out);
  fflush(stdout);
  limits(file, out);
  return 0;
}
