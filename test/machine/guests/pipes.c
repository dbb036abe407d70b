/* Pipes, dup2, poll, select, and standard input read to its end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <unistd.h>

int main(void) {
  int fds[2];
  printf("pipe %d %d %d\n", pipe(fds), fds[0], fds[1]);
  printf("write %ld\n", (long)write(fds[1], "hello pipe", 10));
  int waiting;
  printf("ioctl %d %d\n", ioctl(fds[0], FIONREAD, &waiting), waiting);
  struct pollfd p[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}};
  printf("poll %d %d %d\n", poll(p, 2, 0), p[0].revents, p[1].revents);
  char buffer[32] = "";
  printf("read %ld", (long)read(fds[0], buffer, 5));
  printf(" %s\n", buffer);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fds[0], &set);
  struct timeval zero = {0, 0};
  printf("select %d", select(fds[0] + 1, &set, NULL, NULL, &zero));
  printf(" %d\n", FD_ISSET(fds[0], &set) != 0);
  memset(buffer, 0, sizeof buffer);
  printf("read %ld", (long)read(fds[0], buffer, 31));
  printf(" %s\n", buffer);
  fcntl(fds[0], F_SETFL, O_NONBLOCK);
  printf("empty %ld", (long)read(fds[0], buffer, 1));
  printf(" %s\n", strerror(errno));
  struct pollfd wait = {fds[0], POLLIN, 0};
  printf("poll timeout %d\n", poll(&wait, 1, 20));
  close(fds[1]);
  printf("end %ld\n", (long)read(fds[0], buffer, 1));
  printf("poll hup %d %d\n", poll(&wait, 1, 0), wait.revents);
  pipe(fds);
  fcntl(fds[1], F_SETFL, O_NONBLOCK);
  char block[4096];
  memset(block, 'x', sizeof block);
  long total = 0, n;
  while ((n = write(fds[1], block, sizeof block)) > 0) total += n;
  printf("capacity %ld %s\n", total, strerror(errno));
  close(fds[0]);
  signal(SIGPIPE, SIG_IGN);
  printf("broken %ld", (long)write(fds[1], "x", 1));
  printf(" %s\n", strerror(errno));
  fflush(stdout);
  int saved = dup(1);
  dup2(2, 1);
  printf("to stderr\n");
  fflush(stdout);
  dup2(saved, 1);
  printf("seek %ld", (long)lseek(0, 0, SEEK_CUR));
  printf(" %s\n", strerror(errno));
  struct pollfd input = {0, POLLIN, 0};
  poll(&input, 1, -1);
  printf("ioctl %d", ioctl(0, FIONREAD, &waiting));
  printf(" %d\n", waiting > 0);
  long lines = 0, bytes = 0;
  for (int c; (c = getchar()) != EOF; bytes++) lines += c == '\n';
  printf("stdin %ld lines %ld bytes, end %d\n", lines, bytes, getchar() == EOF);
  fflush(stdout);
  signal(SIGPIPE, SIG_DFL);
  write(fds[1], "x", 1);
  printf("not reached\n");
  return 0;
}
