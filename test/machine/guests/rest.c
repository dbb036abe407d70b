/* System calls that no other guest asks for, each with what it fills in. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long result) {
  if (result == -1) printf("%s: %s\n", what, strerrorname_np(errno));
  else printf("%s: %ld\n", what, result);
}
#define TELL(call) say(#call, (long)(call))

static void files(void) {
  int fd = open("rest", O_RDWR | O_CREAT, 0640);
  struct iovec parts[2] = {{"hello ", 6}, {"world", 5}};
  TELL(syscall(SYS_pwritev, fd, parts, 2, 3, 0));
  TELL(syscall(SYS_pwritev, fd, parts, 2, -1L, -1L));
  TELL(fdatasync(fd));
  TELL(fdatasync(99));
  sync();
  TELL(truncate("rest", 12));
  TELL(truncate("rest", -1));
  TELL(truncate("none", 12));
  struct stat stat;
  memset(&stat, 0x55, sizeof stat);
  TELL(syscall(SYS_fstat, fd, &stat));
  printf("mode %o size %ld links %ld block %ld blocks %ld rdev %ld\n", stat.st_mode, (long)stat.st_size, (long)stat.st_nlink,
         (long)stat.st_blksize, (long)stat.st_blocks, (long)stat.st_rdev);
  printf("mine: %d %d, made now: %d %d %d\n", stat.st_uid == getuid(), stat.st_gid == getgid(), stat.st_atim.tv_sec > 1700000000,
         stat.st_mtim.tv_sec >= stat.st_atim.tv_sec, stat.st_ctim.tv_nsec < 1000000000);
  TELL(syscall(SYS_fstat, 99, &stat));
  struct statx more;
  memset(&more, 0x55, sizeof more);
  TELL(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &more));
  printf("mask %x mode %o size %lld links %u block %u blocks %lld ino %d\n", more.stx_mask & STATX_BASIC_STATS, more.stx_mode,
         (long long)more.stx_size, more.stx_nlink, more.stx_blksize, (long long)more.stx_blocks, more.stx_ino == stat.st_ino);
  printf("mine: %d %d, times: %d %d %d, device %u %u\n", more.stx_uid == getuid(), more.stx_gid == getgid(),
         more.stx_atime.tv_sec == stat.st_atim.tv_sec, more.stx_mtime.tv_sec == stat.st_mtim.tv_sec,
         more.stx_ctime.tv_nsec == stat.st_ctim.tv_nsec, more.stx_rdev_major, more.stx_rdev_minor);
  TELL(syscall(SYS_statx, AT_FDCWD, "none", 0, STATX_BASIC_STATS, &more));
  TELL(syscall(SYS_statx, AT_FDCWD, "rest", 0x8000, STATX_BASIC_STATS, &more));
  int copy = open("copy", O_RDWR | O_CREAT, 0600);
  loff_t from = 3, to = 1;
  TELL(syscall(SYS_copy_file_range, fd, &from, copy, &to, 100, 0));
  printf("from %ld to %ld\n", (long)from, (long)to);
  TELL(syscall(SYS_copy_file_range, fd, &from, copy, &to, 100, 1));
  char text[16] = "";
  TELL(pread(copy, text, 15, 1));
  printf("copied '%s'\n", text);
  struct statfs fs, same;
  memset(&fs, 0x55, sizeof fs);
  memset(&same, 0x55, sizeof same);
  TELL(statfs(".", &fs));
  TELL(fstatfs(fd, &same));
  printf("same %d, names of %ld, fragments of blocks %d, free within all %d\n", fs.f_type == same.f_type, (long)fs.f_namelen,
         fs.f_frsize == fs.f_bsize, fs.f_bavail <= fs.f_bfree && fs.f_bfree <= fs.f_blocks);
  TELL(statfs("none", &fs));
  TELL(fstatfs(99, &fs));
  mkdir("inner", 0755);
  int folder = open("inner", O_RDONLY | O_DIRECTORY);
  TELL(fchdir(folder));
  char where[4096];
  printf("in %s\n", strrchr(getcwd(where, sizeof where), '/'));
  TELL(fchdir(fd));
  TELL(fchdir(99));
  TELL(chdir(".."));
  int high = dup2(fd, 50), higher = dup2(fd, 60);
  TELL(syscall(SYS_close_range, 50, 55, 0));
  TELL(fcntl(high, F_GETFD));
  TELL(syscall(SYS_close_range, 60, 70, 4));
  TELL(fcntl(higher, F_GETFD));
  TELL(syscall(SYS_close_range, 9, 8, 0));
  TELL(syscall(SYS_close_range, 58, ~0u, 0));
  TELL(fcntl(higher, F_GETFD));
  close(folder), close(copy), close(fd);
}

/* No file here has any, nor may it get one of an unknown kind. */
static void attributes(void) {
  int fd = open("rest", O_RDWR);
  char value[64];
  TELL(setxattr("rest", "odd.name", "v", 1, 0));
  TELL(lsetxattr("rest", "odd.name", "v", 1, 0));
  TELL(lgetxattr("rest", "odd.name", value, sizeof value));
  TELL(fgetxattr(fd, "odd.name", value, sizeof value));
  TELL(listxattr("rest", value, sizeof value));
  TELL(llistxattr("rest", value, 0));
  TELL(flistxattr(fd, value, sizeof value));
  TELL(listxattr("none", value, sizeof value));
  TELL(removexattr("rest", "odd.name"));
  TELL(lremovexattr("rest", "odd.name"));
  TELL(fremovexattr(fd, "odd.name"));
  TELL(fremovexattr(99, "odd.name"));
  close(fd);
}

static void memory(void) {
  char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TELL(mlock(page, 4096));
  TELL(munlock(page, 4096));
  TELL(munlockall());
  munmap(page + 4096, 4096);
  TELL(mlock(page, 8192));
  TELL(munlock(page, 8192));
}

static void identity(void) {
  unsigned a = 77, b = 78, c = 79;
  TELL(syscall(SYS_personality, 0xffffffff));
  TELL(syscall(SYS_getresuid, &a, &b, &c));
  printf("%d %d %d\n", a == getuid(), b == geteuid(), c == getuid());
  a = b = c = 77;
  TELL(syscall(SYS_getresgid, &a, &b, &c));
  printf("%d %d %d\n", a == getgid(), b == (unsigned)syscall(SYS_getegid), c == getgid());
  TELL(syscall(SYS_setregid, -1, -1));
  TELL(syscall(SYS_setregid, getgid(), getegid()));
  say("setfsgid", syscall(SYS_setfsgid, -1) == getgid());
  TELL(syscall(SYS_getgroups, 0, 0) >= 0);
  TELL(syscall(SYS_getgroups, -1, 0));
  void *head = (void *)1;
  size_t length = 1;
  TELL(syscall(SYS_get_robust_list, 0, &head, &length));
  printf("%ld\n", (long)length);
  unsigned cpu = 9999, node = 9999;
  TELL(syscall(SYS_getcpu, &cpu, &node, 0));
  printf("%d %d\n", cpu < 9999, node < 9999);
  struct rlimit limit;
  TELL(syscall(SYS_getrlimit, RLIMIT_CORE, &limit));
  limit.rlim_cur = 0;
  TELL(syscall(SYS_setrlimit, RLIMIT_CORE, &limit));
  limit.rlim_cur = 5;
  TELL(syscall(SYS_getrlimit, RLIMIT_CORE, &limit));
  printf("core %ld\n", (long)limit.rlim_cur);
  TELL(syscall(SYS_getrlimit, 99, &limit));
  limit = (struct rlimit){5, 4};
  TELL(syscall(SYS_setrlimit, RLIMIT_CORE, &limit));
  cpu_set_t set;
  TELL(sched_getaffinity(0, sizeof set, &set));
  TELL(sched_setaffinity(0, sizeof set, &set));
  CPU_ZERO(&set);
  TELL(sched_setaffinity(0, sizeof set, &set));
  TELL(sched_yield());
}

static volatile int got, value;
static void note(int signal, siginfo_t *info, void *context) {
  got = signal * 1000 - info->si_code;
  value = info->si_value.sival_int;
}

static void times(void) {
  struct timespec nap = {0, 1000}, odd = {0, 1000000000}, left = {7, 7};
  TELL(syscall(SYS_nanosleep, &nap, &left));
  TELL(syscall(SYS_nanosleep, &odd, &left));
  printf("%ld %ld\n", (long)left.tv_sec, left.tv_nsec);
  struct itimerval timer = {{3, 4}, {105, 5}};
  setitimer(ITIMER_REAL, &timer, 0);
  memset(&timer, 0x55, sizeof timer);
  TELL(getitimer(ITIMER_REAL, &timer));
  printf("again %ld.%ld in %ld\n", (long)timer.it_interval.tv_sec, timer.it_interval.tv_usec / 10, (long)timer.it_value.tv_sec / 10);
  memset(&timer, 0, sizeof timer);
  setitimer(ITIMER_REAL, &timer, 0);
  TELL(getitimer(9, &timer));
  struct timespec time = {1, 1000000000};
  TELL(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &time));
  TELL(syscall(SYS_clock_settime, CLOCK_REALTIME, &time));
  time.tv_nsec = 0;
  TELL(syscall(SYS_clock_settime, CLOCK_REALTIME, &time));
  struct timeval now = {0, -1}, then;
  struct timezone zone = {9, 9};
  TELL(syscall(SYS_gettimeofday, &now, &zone));
  gettimeofday(&then, 0);
  printf("%d %d, zone %d %d\n", now.tv_sec > 1700000000 && now.tv_sec <= then.tv_sec, now.tv_usec >= 0 && now.tv_usec < 1000000,
         zone.tz_minuteswest, zone.tz_dsttime);
  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, 0);
  TELL(syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1));
  printf("got %d\n", got);
  TELL(syscall(SYS_tkill, -1, SIGUSR1));
  TELL(syscall(SYS_tkill, syscall(SYS_gettid), 99));
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = SIGUSR1, info.si_code = SI_QUEUE, info.si_value.sival_int = 42;
  got = 0;
  TELL(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGUSR1, &info));
  printf("got %d %d\n", got, value);
}

static void waiting(void) {
  int epoll = epoll_create1(0), ends[2];
  pipe(ends);
  struct epoll_event event = {EPOLLIN, {.u64 = 0x1122334455667788}}, found[2];
  epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
  struct timespec none = {0, 0}, odd = {0, -1};
  TELL(syscall(SYS_epoll_pwait2, epoll, found, 2, &none, 0, 8));
  write(ends[1], "x", 1);
  TELL(syscall(SYS_epoll_pwait2, epoll, found, 2, &none, 0, 8));
  printf("%x %llx\n", found[0].events, (unsigned long long)found[0].data.u64);
  TELL(syscall(SYS_epoll_pwait2, epoll, found, 2, &odd, 0, 8));
  TELL(syscall(SYS_epoll_pwait2, epoll, found, 0, &none, 0, 8));
  TELL(syscall(SYS_accept4, epoll, 0, 0, 0));
  TELL(syscall(SYS_accept4, 99, 0, 0, 0));
  TELL(socket(99, SOCK_STREAM, 0));
  close(epoll), close(ends[0]), close(ends[1]);
}

int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IOLBF, 4096);
  files();
  attributes();
  memory();
  identity();
  times();
  waiting();
  unlink("copy");
  fflush(stdout);
  syscall(SYS_exit, 0);
}
