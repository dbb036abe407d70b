/* Files of no file system: what they cannot do fails before the buffer is looked at, and all of them are one inode to flock. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

static int step;
static void say(long result) { printf("%d: %ld %d\n", ++step, result, result < 0 ? errno : 0); }

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  char bytes[16] = "";
  void *const bad = (void *)-4096;
  int files[] = {epoll_create1(0), eventfd(3, EFD_NONBLOCK), timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK),
                 signalfd(-1, &set, SFD_NONBLOCK)};
  for (int i = 0; i < 4; i++) {
    int fd = files[i];
    struct iovec good = {bytes, 16}, empty = {bytes, 0};
    printf("file %d\n", i);
    say(read(fd, bytes, 0));
    say(read(fd, bytes, 16));
    say(readv(fd, &good, 1));
    say(write(fd, bytes, 16));
    say(writev(fd, &good, 1));
    if (i == 1) continue;
    say(write(fd, bad, 0));
    say(write(fd, bytes, 0));
    if (i == 0) say(writev(fd, &empty, 1));
    if (i == 0) say(read(fd, bad, 0));
    say(pread(fd, bytes, 16, 0));
  }
  say(flock(files[0], LOCK_EX | LOCK_NB));
  for (int i = 1; i < 4; i++) say(flock(files[i], LOCK_SH | LOCK_NB));
  say(flock(files[0], LOCK_SH | LOCK_NB));
  for (int i = 1; i < 4; i++) say(flock(files[i], LOCK_SH | LOCK_NB));
  say(flock(files[2], LOCK_EX | LOCK_NB));
  close(files[0]), close(files[1]), close(files[3]);
  say(flock(files[2], LOCK_EX | LOCK_NB));
  int ends[2];
  if (pipe(ends)) return 1;
  say(flock(ends[0], LOCK_EX | LOCK_NB));
  say(flock(ends[1], LOCK_SH | LOCK_NB));
  return 0;
}
