/* Answers of system calls in which qemu has its own way. What must be printed is what Linux does; the argument says which part. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long result) {
  int error = errno;
  if (result == -1) printf("%s: %s\n", what, strerrorname_np(error));
  else printf("%s: %ld\n", what, result);
  errno = 0;
}
#define TELL(call) say(#call, (long)(call))

static void nothing(int signal) {}

/* select and ppoll tell how much time is left, whatever ends them. */
static void left(void) {
  struct timeval time = {1, 500000};
  TELL(select(0, 0, 0, 0, &time));
  printf("left %ld.%06ld\n", (long)time.tv_sec, (long)time.tv_usec);
  int ends[2], rounds = 0;
  pipe(ends);
  write(ends[1], "abc", 3);
  time = (struct timeval){0, 40};
  for (fd_set set; time.tv_sec || time.tv_usec; rounds++) {
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    if (select(ends[0] + 1, &set, 0, 0, &time) != 1) return;
  }
  printf("rounds come to an end: %d\n", rounds > 0);
  struct timespec nap = {0, 50000000};
  TELL(syscall(SYS_ppoll, 0, 0, &nap, 0, 0));
  printf("left %ld.%09ld\n", (long)nap.tv_sec, nap.tv_nsec);
  signal(SIGALRM, nothing);
  struct itimerval soon = {{0, 0}, {0, 150000}};
  setitimer(ITIMER_REAL, &soon, 0);
  time = (struct timeval){10, 0};
  TELL(select(0, 0, 0, 0, &time));
  printf("left %ld.%ld\n", (long)time.tv_sec, (long)time.tv_usec / 100000);
  /* An ignored signal that the mask lets through ends no wait. */
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGALRM);
  sigprocmask(SIG_BLOCK, &blocked, 0);
  signal(SIGALRM, SIG_IGN);
  raise(SIGALRM);
  nap = (struct timespec){0, 10000000};
  TELL(ppoll(0, 0, &nap, &none));
  struct timespec *fixed = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *fixed = (struct timespec){0, 1000000};
  mprotect(fixed, 4096, PROT_READ);
  TELL(syscall(SYS_ppoll, 0, 0, fixed, 0, 0));
  struct { fd_set sets[4]; } wide;
  memset(&wide, 0, sizeof wide);
  FD_SET(900, wide.sets);
  time = (struct timeval){0, 0};
  TELL(select(2000, wide.sets, 0, 0, &time));
  dup2(0, 300);
  TELL(select(2000, wide.sets, 0, 0, &time));
  FD_SET(400, wide.sets);
  TELL(select(2000, wide.sets, 0, 0, &time));
}

/* A buffer that reaches past its mapping: only bytes that are moved need memory. */
static void pieces(void) {
  char *memory = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), big[1000];
  char *end = memory + 4096, *near = end - 96;
  munmap(end, 4096);
  TELL(read(0, near, 200));
  int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644), ends[2], pair[2];
  write(file, "hello", 5);
  TELL(pread(file, near, 200, 0));
  TELL(pread(file, memory, 1 << 30, 0));
  TELL(pread(file, end, 200, 5));
  TELL(pread(file, end, 200, 0));
  TELL(pread(file, end, 1L << 62, 0));
  TELL(preadv(file, (struct iovec[]){{near, 96}, {end, 1000}}, 2, 0));
  memset(big, 'x', sizeof big);
  pwrite(file, big, sizeof big, 0);
  lseek(file, 0, SEEK_SET);
  TELL(read(file, near, 200));
  TELL(readv(file, (struct iovec[]){{big, 100}, {near, 200}, {big, 100}}, 3));
  TELL(lseek(file, 0, SEEK_CUR));
  TELL(write(file, near, 200));
  TELL(writev(file, (struct iovec[]){{big, 100}, {near, 200}, {big, 100}}, 3));
  TELL(lseek(file, 0, SEEK_CUR));
  TELL(pwrite(file, near, 200, 0));
  TELL(pwrite(file, end, 200, 0));
  pipe2(ends, O_NONBLOCK);
  TELL(read(ends[0], end, 10));
  write(ends[1], "abc", 3);
  TELL(read(ends[0], near, 1000));
  write(ends[1], big, 500);
  TELL(read(ends[0], near, 1000));
  TELL(read(ends[0], big, 1000));
  TELL(write(ends[1], near, 200));
  close(ends[1]);
  TELL(read(ends[0], end, 10));
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  write(pair[0], "abc", 3);
  TELL(recv(pair[1], near, 1000, 0));
  TELL(syscall(SYS_getrandom, near, 200, 0));
  TELL(syscall(SYS_getrandom, end, 200, 0));
  TELL(read(open("/dev/zero", O_RDONLY), near, 200));
  TELL(read(open("/dev/null", O_RDONLY), end, 200));
  TELL(read(open(".", O_RDONLY), end, 200));
}

int main(int count, char **args) {
  setvbuf(stdout, 0, _IONBF, 0);
  if (count < 2) return 2;
  if (!strcmp(args[1], "left")) left();
  if (!strcmp(args[1], "pieces")) pieces();
  return 0;
}
