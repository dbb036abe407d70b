/* Writes that a pipe, a socket or a file takes only a part of: what has been moved, what waits, and what a signal makes of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHOW(e)                                                               \
  do {                                                                        \
    errno = 0;                                                                \
    long result = (long)(e);                                                  \
    printf("%s = %ld %s\n", #e, result, result == -1 ? strerror(errno) : ""); \
  } while (0)

static char bytes[1000000];
static int p[2], s[2];
static volatile int seen;

static int waiting(int fd) {
  int count = -1;
  ioctl(fd, FIONREAD, &count);
  return count;
}
static void look(int sig) { seen = waiting(p[0]); }
static void drain(int sig) {
  fcntl(p[0], F_SETFL, O_NONBLOCK);
  while (read(p[0], bytes, sizeof bytes) > 0);
  fcntl(p[0], F_SETFL, 0);
}
static void alarmIn(int milliseconds, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  struct itimerval soon = {{0, 0}, {0, milliseconds * 1000}};
  sigaction(SIGALRM, &action, 0);
  setitimer(ITIMER_REAL, &soon, 0);
}

/* A write that waits has put there what there was room for. */
static void interrupted(void) {
  pipe(p);
  SHOW(write(p[1], bytes, 32768));
  alarmIn(30, look, 0);
  SHOW(write(p[1], bytes, 100000));
  printf("the handler saw %d\n", seen);
  alarmIn(30, look, 0);
  SHOW(write(p[1], bytes, 10));
  alarmIn(30, drain, SA_RESTART);
  SHOW(write(p[1], bytes, 60000));
  alarmIn(30, drain, SA_RESTART);
  SHOW(write(p[1], bytes, 10000));
  SHOW(write(p[1], bytes, 60000));
  struct iovec parts[2] = {{bytes, 3000}, {bytes, 90000}};
  alarmIn(30, look, 0);
  SHOW(writev(p[1], parts, 2));
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  struct timeval limits[] = {{0, 0}, {0, 40000}, {0, 0}};
  for (int way = 0; way < 3; way++) {
    long size = way == 2 ? 300000 : sizeof bytes;
    struct iovec part = {bytes, size};
    setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &limits[way], sizeof *limits);
    if (way != 1) alarmIn(30, look, 0);
    long moved = way == 0 ? write(s[0], bytes, size) : way == 1 ? send(s[0], bytes, size, 0) : writev(s[0], &part, 1);
    printf("a part: %d\n", moved > 0 && moved < size && moved == waiting(s[1]));
    SHOW(send(s[0], bytes, 10, MSG_DONTWAIT));
    fcntl(s[1], F_SETFL, O_NONBLOCK);
    while (read(s[1], bytes, sizeof bytes) > 0);
  }
  // All of it is wanted; a part comes.
  fcntl(s[1], F_SETFL, 0);
  SHOW(write(s[0], "some", 4));
  alarmIn(30, look, SA_RESTART);
  SHOW(recv(s[1], bytes, 100, MSG_WAITALL));
}

/* Room in a pipe is counted in pages. */
static void pages(void) {
  pipe2(p, O_NONBLOCK);
  int count = 0;
  while (write(p[1], bytes, 3000) > 0) count++;
  struct pollfd room = {p[1], POLLOUT};
  printf("%d times 3000\n", count);
  SHOW(poll(&room, 1, 0));
  SHOW(read(p[0], bytes, 100));
  SHOW(poll(&room, 1, 0));
  SHOW(read(p[0], bytes, 2900));
  SHOW(poll(&room, 1, 0));
  SHOW(write(p[1], bytes, 5000));
  SHOW(fcntl(p[1], F_SETPIPE_SZ, 4096));
  SHOW(fcntl(p[1], F_SETPIPE_SZ, 65537));
  SHOW(fcntl(p[1], F_GETPIPE_SZ));
  SHOW(fcntl(p[1], F_SETPIPE_SZ, -1));
  SHOW(fcntl(p[1], F_SETPIPE_SZ, (1 << 20) + 1) == -1 || getuid() == 0);
  SHOW(fcntl(s[0], F_SETPIPE_SZ, 4096));
  SHOW(waiting(p[1]));
  SHOW(fcntl(p[1], F_SETPIPE_SZ, 1 << 20));
  SHOW(write(p[1], bytes, sizeof bytes));
  pipe2(p, O_NONBLOCK);
  SHOW(write(p[1], bytes, 1));
  SHOW(write(p[1], bytes, 65536));
  SHOW(write(p[1], bytes, 4095));
  SHOW(read(p[0], bytes, 1));
  SHOW(write(p[1], bytes, 4095));
  SHOW(write(p[1], bytes, 1));
}

/* Up to a page goes in whole or not at all, in however many parts. */
static void parts(void) {
  struct iovec three[3] = {{bytes, 1000}, {bytes, 1000}, {bytes, 1000}};
  pipe2(p, O_NONBLOCK);
  for (int i = 0; i < 15; i++) write(p[1], bytes, 4096);
  write(p[1], bytes, 1596);
  SHOW(writev(p[1], three, 3));
  SHOW(waiting(p[0]));
}

/* What cannot be read takes its page with it. */
static void faults(void) {
  struct iovec three[3] = {{bytes, 1000}, {(void *)8, 1000}, {bytes, 1000}}, two[2] = {{bytes, 5000}, {(void *)8, 5000}};
  pipe2(p, O_NONBLOCK);
  SHOW(writev(p[1], three, 3));
  SHOW(waiting(p[0]));
  SHOW(writev(p[1], two, 2));
  two[0].iov_len = 9000;
  SHOW(writev(p[1], two, 2));
  SHOW(waiting(p[0]));
}

/* The file's position moves by what the target has taken. */
static void files(void) {
  int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
  for (int i = 0; i < 200000; i++) bytes[i] = 'a' + i / 4096 % 26;
  write(file, bytes, 200000);
  pipe2(p, O_NONBLOCK);
  write(p[1], bytes, 40960);
  lseek(file, 0, SEEK_SET);
  SHOW(sendfile(p[1], file, 0, 100000));
  SHOW(lseek(file, 0, SEEK_CUR));
  SHOW(sendfile(p[1], file, 0, 100000));
  SHOW(lseek(file, 0, SEEK_CUR));
  off_t at = 4096;
  SHOW(sendfile(p[1], file, &at, 100000));
  SHOW(at);
  SHOW(read(p[0], bytes, 40960));
  SHOW(sendfile(p[1], file, &at, 8192));
  SHOW(at);
  pipe(p);
  write(p[1], bytes, 60000);
  SHOW(sendfile(p[1], file, &at, 100000));
  SHOW(at);
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
  while (write(s[0], bytes, 1000) > 0);
  lseek(file, 0, SEEK_SET);
  SHOW(sendfile(s[0], file, 0, 100000));
  SHOW(lseek(file, 0, SEEK_CUR));
  pipe2(p, O_NONBLOCK);
  write(p[1], bytes, 60000);
  long got = 0;
  for (int i = 0; i < 1000; i++) {
    long moved = sendfile(p[1], file, 0, 200000);
    if (moved == 0) break;
    got += moved > 0 ? moved : 0;
    read(p[0], bytes, 5000);
  }
  printf("through the pipe: %ld of 200000\n", got);
}

/* Pipes are files of their own, with two ends each. */
static void inodes(void) {
  int fds[] = {0, p[0], p[1], s[0], s[1]};
  pipe(p);
  struct stat a, b;
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < i; j++) {
      fstat(fds[i], &a);
      fstat(fds[j], &b);
      printf("%d", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    }
  puts("");
}

int main(int count, char **arguments) {
  if (count > 1 && !strcmp(arguments[1], "stuck")) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    write(s[0], bytes, 250000);
    return 1;
  }
  if (count > 1 && !strcmp(arguments[1], "faults")) {
    faults();
    return 0;
  }
  interrupted();
  pages();
  parts();
  files();
  inodes();
  remove("file");
  return 0;
}
