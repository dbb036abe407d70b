/* Locks on files: by open file (flock, OFD), by process and range (POSIX); what a call with wrong arguments says. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int step;
static void say(int result) { printf("%d: %d %d\n", ++step, result, result < 0 ? errno : 0); }
static int lock(int fd, int how, int type, int whence, long start, long length) {
  struct flock l = {.l_type = type, .l_whence = whence, .l_start = start, .l_len = length};
  return fcntl(fd, how, &l);
}
static void ask(int fd, int how, int type, long start, long length) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  say(fcntl(fd, how, &l));
  printf("  type %d whence %d start %ld length %ld of %s\n", l.l_type, l.l_whence, (long)l.l_start, (long)l.l_len,
         l.l_pid == 0 ? "nobody" : l.l_pid == -1 ? "a file" : l.l_pid == getpid() ? "me" : "?");
}

int main(void) {
  int a = open("lock", O_RDWR | O_CREAT, 0644), b = open("lock", O_RDWR), c = dup(a);
  int in = open("lock", O_RDONLY), out = open("lock", O_WRONLY);
  say(flock(a, LOCK_EX));
  say(flock(b, LOCK_EX | LOCK_NB));
  say(flock(b, LOCK_SH | LOCK_NB));
  say(flock(c, LOCK_SH | LOCK_NB));
  say(flock(b, LOCK_SH | LOCK_NB));
  say(flock(a, LOCK_EX | LOCK_NB)); /* and a has none now */
  say(flock(b, LOCK_EX | LOCK_NB));
  say(flock(b, LOCK_UN));
  say(flock(a, LOCK_EX));
  close(a);
  say(flock(b, LOCK_EX | LOCK_NB));
  close(c);
  say(flock(b, LOCK_EX | LOCK_NB));
  say(flock(b, 77));
  a = open("lock", O_RDWR);

  say(lock(a, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 10));
  say(lock(b, F_OFD_SETLK, F_WRLCK, SEEK_SET, 9, 1));
  say(lock(b, F_OFD_SETLK, F_RDLCK, SEEK_SET, 10, 10));
  say(lock(a, F_OFD_SETLK, F_RDLCK, SEEK_SET, 10, 5));
  say(lock(a, F_OFD_SETLK, F_WRLCK, SEEK_SET, 14, 1));
  say(lock(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
  ask(b, F_OFD_GETLK, F_WRLCK, 0, 0);
  ask(a, F_OFD_GETLK, F_WRLCK, 0, 0);
  ask(a, F_GETLK, F_WRLCK, 100, 0);
  say(lock(a, F_OFD_SETLK, F_UNLCK, SEEK_SET, 3, 4));
  ask(b, F_OFD_GETLK, F_WRLCK, 2, 9);
  ask(b, F_OFD_GETLK, F_WRLCK, 4, 9);
  say(lock(a, F_OFD_SETLK, F_UNLCK, SEEK_SET, 0, 0));
  say(lock(b, F_OFD_SETLK, F_UNLCK, SEEK_SET, 0, 0));

  say(lock(a, F_SETLK, F_WRLCK, SEEK_SET, 5, 5));
  say(lock(b, F_SETLK, F_WRLCK, SEEK_SET, 0, 20));
  ask(b, F_OFD_GETLK, F_RDLCK, 19, -3);
  say(lock(b, F_OFD_SETLK, F_RDLCK, SEEK_SET, 0, 1));
  close(dup(in));
  say(lock(b, F_OFD_SETLK, F_RDLCK, SEEK_SET, 0, 1)); /* closing any descriptor has given the process's up */
  say(lock(b, F_OFD_SETLK, F_UNLCK, SEEK_SET, 0, 0));
  say(lseek(a, 50, SEEK_SET));
  say(lock(a, F_SETLK, F_WRLCK, SEEK_CUR, -10, 20));
  say(ftruncate(a, 1000));
  say(lock(a, F_SETLK, F_WRLCK, SEEK_END, -100, 0));
  ask(b, F_OFD_GETLK, F_RDLCK, 0, 100);
  ask(b, F_OFD_GETLK, F_RDLCK, 100, 0);

  say(lock(a, F_SETLK, 77, SEEK_SET, 0, 0));
  say(lock(a, F_SETLK, F_RDLCK, 9, 0, 0));
  say(lock(a, F_SETLK, F_RDLCK, SEEK_SET, -5, 0));
  say(lock(a, F_SETLK, F_RDLCK, SEEK_SET, 5, -6));
  say(lock(a, F_SETLK, F_RDLCK, SEEK_CUR, 0x7fffffffffffffff, 0));
  say(lock(a, F_SETLK, F_RDLCK, SEEK_SET, 0x7fffffffffffffff, 2));
  say(lock(in, F_SETLK, F_WRLCK, SEEK_SET, 0, 0));
  say(lock(out, F_SETLK, F_RDLCK, SEEK_SET, 0, 0));
  say(lock(99, F_SETLK, F_RDLCK, SEEK_SET, 0, 0));
  say(fcntl(a, F_SETLK, (void *)8));
  say(fcntl(a, F_GETLK, (void *)8));
  say(lock(a, F_GETLK, F_UNLCK, SEEK_SET, 0, 0));
  struct flock with_pid = {.l_type = F_RDLCK, .l_pid = 5};
  say(fcntl(a, F_OFD_SETLK, &with_pid));
  return 0;
}
