/* Answers of system calls in which qemu has its own way. What must be printed is what Linux does; the argument says which part. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
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
  TELL(pread(file, memory, 1L << 62, 5));
  TELL(pwrite(file, memory, -1L, 5));
  TELL(pread(file, memory, -1L, 5));
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

/* What a process without privileges, children and terminal is told of itself. */
static void process(void) {
  struct timespec time = {0, 1000};
  for (int clock = 0; clock < 13; clock++)
    if (clock != 2) printf("%d ", clock), TELL(syscall(SYS_clock_nanosleep, clock, 0, &time, 0));
  TELL(syscall(SYS_clock_nanosleep, 4, 0, 8, 0));
  TELL(syscall(SYS_clock_nanosleep, 99, 0, 8, 0));
  for (int flags = 0; flags < 9; flags++) printf("%d ", flags), TELL(syscall(SYS_getrandom, &time, 8, flags));
  struct sched_param param = {50};
  for (int policy = -1; policy < 7; policy++) {
    printf("%d ", policy), TELL(sched_get_priority_max(policy));
    printf("%d ", policy), TELL(sched_get_priority_min(policy));
  }
  TELL(sched_setscheduler(0, SCHED_FIFO, &param));
  TELL(sched_setscheduler(0, SCHED_OTHER, &param));
  TELL(sched_setscheduler(0, 77, &param));
  TELL(sched_setscheduler(99999999, SCHED_FIFO, &param));
  TELL(sched_setscheduler(0, SCHED_FIFO, 0));
  TELL(sched_setparam(0, &param));
  param.sched_priority = 0;
  TELL(sched_setparam(0, &param));
  TELL(sched_setscheduler(0, SCHED_BATCH, &param));
  TELL(sched_getscheduler(0));
  TELL(sched_getscheduler(-1));
  TELL(sched_getscheduler(99999999));
  TELL(sched_getparam(99999999, &param));
  TELL(sched_getparam(0, 0));
  TELL(sched_rr_get_interval(0, &time));
  TELL(nice(5));
  TELL(getpriority(PRIO_PROCESS, 0));
  TELL(getpriority(PRIO_USER, 99999999));
  TELL(setpriority(PRIO_PROCESS, 0, -20));
  TELL(setpriority(PRIO_PROCESS, 0, 100));
  TELL(getpriority(PRIO_PROCESS, 0));
  TELL(getpriority(77, 0));
  TELL(setuid(0));
  TELL(setgid(0));
  TELL(setuid(-1));
  TELL(syscall(SYS_setresuid, -1, 0, -1));
  TELL(setresuid(-1, -1, -1));
  TELL(setresgid(1000, 1000, 1000));
  TELL(setreuid(1000, -1));
  TELL(setuid(1000));
  TELL(syscall(SYS_setfsuid, 0));
  TELL(setgroups(1, (gid_t[]){5}));
  TELL(getsid(99999999));
  TELL(getpgid(-1));
  TELL(setpgid(99999999, 0));
  TELL(setpgid(0, 99999999));
  TELL(setpgid(-1, 0));
  TELL(setpgid(0, 0));
  TELL(getpgid(0) == getpid());
  TELL(setsid());
  TELL(kill(1, 0));
  TELL(kill(99999999, 0));
  TELL(kill(1, 65));
  TELL(wait4(-1, 0, 0x123400, 0));
  TELL(wait4(-1, 0, WNOHANG | 0x40000000, 0));
  siginfo_t info;
  TELL(waitid(P_ALL, 0, &info, WEXITED));
  TELL(waitid(P_PID, 0, &info, WEXITED));
  TELL(waitid(P_ALL, 0, &info, 0));
  TELL(waitid(77, 0, &info, WEXITED));
  TELL(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {100, 0}}, 0));
  TELL(syscall(SYS_setitimer, ITIMER_REAL, 0, 0));
  TELL(alarm(0));
  int value = -1;
  TELL(prctl(PR_SET_PDEATHSIG, SIGTERM));
  TELL(prctl(PR_GET_PDEATHSIG, &value));
  TELL(value);
  TELL(prctl(PR_SET_PDEATHSIG, 65));
  TELL(prctl(PR_SET_TIMERSLACK, 100));
  TELL(prctl(PR_GET_TIMERSLACK));
  TELL(prctl(PR_SET_TIMERSLACK, 0));
  TELL(prctl(PR_SET_KEEPCAPS, 1));
  TELL(prctl(PR_GET_KEEPCAPS));
  TELL(prctl(PR_GET_SECUREBITS));
  TELL(prctl(PR_SET_KEEPCAPS, 2));
  TELL(prctl(PR_GET_SECCOMP));
  TELL(prctl(PR_CAPBSET_READ, 99));
  TELL(prctl(PR_CAPBSET_DROP, 1, 0, 0, 0));
  TELL(prctl(PR_SET_CHILD_SUBREAPER, 7));
  TELL(prctl(PR_GET_CHILD_SUBREAPER, &value));
  TELL(value);
  TELL(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
  TELL(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  TELL(prctl(PR_GET_THP_DISABLE, 0, 1, 0, 0));
  TELL(prctl(PR_GET_TIMING));
  TELL(prctl(9999));
  TELL(syscall(SYS_capget, 0, 0));
  unsigned header[2] = {0, 0}, data[6];
  TELL(syscall(SYS_capget, header, 0));
  printf("%x\n", header[0]);
  memset(data, 255, sizeof data);
  TELL(syscall(SYS_capget, header, data));
  TELL(data[0] | data[1]);
  header[0] = 7;
  TELL(syscall(SYS_capget, header, data));
  TELL(syscall(SYS_membarrier, 0, 0, 0) & 31);
  TELL(syscall(SYS_membarrier, 0, 1, 0));
  TELL(syscall(SYS_membarrier, 8, 0, 0));
  TELL(syscall(SYS_membarrier, 16, 0, 0));
  TELL(syscall(SYS_membarrier, 8, 0, 0));
  TELL(syscall(SYS_membarrier, 12345, 0, 0));
  int pair[2];
  for (int type = 1; type < 3; type++)
    for (int protocol = 0; protocol < 18; protocol += protocol == 6 ? 11 : 6)
      printf("%d %d ", type, protocol), TELL(socketpair(AF_INET, type, protocol, pair));
  FILE *status = fopen("/proc/self/status", "r");
  for (char line[200]; fgets(line, sizeof line, status);)
    if (sscanf(line, "PPid: %d", &value) == 1) TELL(value == getppid());
  FILE *stat = fopen("/proc/self/stat", "r");
  int id = 0, parent = 0, fields = 3;
  TELL(fscanf(stat, "%d (%*[^)]) R %d", &id, &parent));
  for (char word[50]; fscanf(stat, "%49s", word) == 1;) fields++;
  printf("%d %d %d\n", id == getpid(), parent == getppid(), fields);
  const char *made[] = {"/proc/self/statm", "/proc/self/limits", "/proc/self/mounts", "/proc/mounts", "/proc/uptime"};
  for (int i = 0; i < 5; i++) {
    char text[10];
    printf("%s ", made[i]), TELL(read(open(made[i], O_RDONLY), text, 5));
  }
  /* A standard signal needs no room in the queue; a real-time signal does. */
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_SIGPENDING, &none);
  for (int i = 0; i < 2000; i++) syscall(SYS_tgkill, getpid(), getpid(), 40);
  TELL(syscall(SYS_tgkill, getpid(), getpid(), 40));
  TELL(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1));
  sigpending(&all);
  TELL(sigismember(&all, SIGUSR1));
}

/* Flags, owners and memory at the edges. */
static void edges(void) {
  int file = open("edges", O_RDWR | O_CREAT, 0644), ends[2], flags;
  pipe(ends);
  TELL(fcntl(file, F_GETOWN));
  TELL(fcntl(file, F_SETOWN, 99999999));
  TELL(fcntl(file, F_SETOWN, getpid()));
  TELL(fcntl(file, F_GETOWN) == getpid());
  TELL(fcntl(ends[0], F_GETOWN));
  TELL(fcntl(file, F_GETSIG));
  TELL(fcntl(file, F_SETSIG, 65));
  TELL(fcntl(file, F_SETSIG, 40));
  TELL(fcntl(file, F_GETSIG));
  TELL(fcntl(file, F_GETLEASE));
  TELL(fcntl(file, F_NOTIFY, 0));
  TELL(fcntl(file, F_NOTIFY, 1));
  TELL(fcntl(file, F_SETFL, O_NOATIME | O_APPEND | O_SYNC));
  flags = fcntl(file, F_GETFL);
  printf("%d %d %d\n", (flags & O_NOATIME) != 0, (flags & O_APPEND) != 0, (flags & O_SYNC) != 0);
  TELL(open("/dev/tty", O_RDWR));
  TELL(access("/dev/tty", F_OK));
  TELL(syncfs(file));
  TELL(syncfs(99));
  TELL(readahead(file, 0, 10));
  TELL(readahead(ends[0], 0, 10));
  TELL(readahead(ends[1], 0, 10));
  TELL(syscall(SYS_sync_file_range, file, 0L, 0L, 0));
  TELL(syscall(SYS_sync_file_range, file, -1L, 0L, 0));
  TELL(syscall(SYS_sync_file_range, file, 0L, 0L, 8));
  TELL(syscall(SYS_sync_file_range, ends[0], 0L, 0L, 0));
  char *memory = mmap(0, 5 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TELL(syscall(SYS_mlock2, memory, 4096L, 0));
  TELL(syscall(SYS_mlock2, memory, 4096L, 2));
  TELL(munmap((void *)0x2000000000, 4096));
  TELL(munmap((void *)(1L << 62), 4096));
  munmap(memory + 2 * 4096, 4096);
  TELL(mprotect(memory, 5 * 4096, PROT_READ | PROT_WRITE));
  TELL(read(0, memory, 1));
  TELL(read(0, memory + 4096, 1));
  TELL(read(0, memory + 3 * 4096, 1));
  TELL(mprotect(memory + 2 * 4096, 4096, PROT_READ));
  TELL(munmap(memory, 5 * 4096));
}

int main(int count, char **args) {
  setvbuf(stdout, 0, _IONBF, 0);
  if (count < 2) return 2;
  if (!strcmp(args[1], "left")) left();
  if (!strcmp(args[1], "pieces")) pieces();
  if (!strcmp(args[1], "process")) process();
  if (!strcmp(args[1], "edges")) edges();
  return 0;
}
