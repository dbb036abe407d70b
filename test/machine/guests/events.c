/* Descriptors to wait for: event counters, timers, signals, epoll, socket pairs; and POSIX timers. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define SHOW(e)                                                                      \
  do {                                                                               \
    errno = 0;                                                                       \
    long result = (long)(e);                                                         \
    printf("%s = %ld %s\n", #e, result, result == -1 ? strerror(errno) : "");        \
  } while (0)

static char buffer[400];

static void about(const char *what, int fd) {
  struct stat st;
  printf("-- %s\n", what);
  SHOW(lseek(fd, 5, SEEK_SET));
  SHOW(lseek(fd, 5, 77));
  SHOW(pread(fd, buffer, 8, 0));
  SHOW(read(fd, buffer, 4));
  SHOW(write(fd, buffer, 4));
  fstat(fd, &st);
  printf("mode %o, size %ld\n", st.st_mode, (long)st.st_size);
  SHOW(ftruncate(fd, 3));
  SHOW(fcntl(fd, F_GETFL));
  SHOW(fcntl(fd, F_GETPIPE_SZ));
  SHOW(fallocate(fd, 0, 0, 5));
  SHOW(posix_fadvise(fd, 0, 5, 0));
  SHOW(fsync(fd));
  SHOW(read(fd, buffer, 200));
}

static void counters(void) {
  uint64_t value = 0;
  int fd = eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE);
  SHOW(read(fd, &value, 8));
  printf("%lu\n", value);
  value = 5;
  SHOW(write(fd, &value, 8));
  for (int i = 0; i < 9; i++)
    if (read(fd, &value, 8) != 8) printf("empty after %d: %s\n", i, strerror(errno));
  value = -1;
  SHOW(write(fd, &value, 8));
  value = -2;
  SHOW(write(fd, &value, 8));
  value = 1;
  SHOW(write(fd, &value, 8));
  struct pollfd full = {fd, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM};
  SHOW(poll(&full, 1, 0));
  printf("%x\n", full.revents);
  int sum = eventfd(0, EFD_NONBLOCK);
  for (value = 1; value < 5; value++) write(sum, &value, 8);
  SHOW(read(sum, &value, 8));
  printf("%lu\n", value);
  SHOW(eventfd(0, 8));
}

static void timers(void) {
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec spec = {{0, 1000000}, {0, 2000000}}, old;
  uint64_t value = 0;
  SHOW(timerfd_settime(fd, 0, &spec, &old));
  printf("%ld %ld\n", old.it_value.tv_sec, old.it_interval.tv_nsec);
  SHOW(read(fd, &value, 8));
  printf("at least once: %d\n", value >= 1);
  struct timespec pause = {0, 50000000};
  nanosleep(&pause, 0);
  SHOW(read(fd, &value, 8));
  printf("many: %d\n", value >= 40);
  SHOW(timerfd_gettime(fd, &old));
  printf("within a period: %d, %ld\n", old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 1000000, old.it_interval.tv_nsec);
  spec = (struct itimerspec){{0, 0}, {0, 3000000}};
  SHOW(timerfd_settime(fd, 0, &spec, 0));
  struct pollfd wait = {fd, POLLIN};
  SHOW(poll(&wait, 1, 2000));
  SHOW(poll(&wait, 1, 0));
  SHOW(read(fd, &value, 8));
  SHOW(poll(&wait, 1, 1));
  fcntl(fd, F_SETFL, O_NONBLOCK);
  SHOW(read(fd, &value, 8));
  SHOW(timerfd_create(77, 0));
  spec.it_value.tv_nsec = 1000000000;
  SHOW(timerfd_settime(fd, 0, &spec, 0));
}

static volatile int got, code, number, overrun;
static void take(int sig, siginfo_t *info, void *context) {
  got++;
  code = info->si_code;
  number = info->si_value.sival_int;
  overrun = info->si_overrun;
}
static void nothing(int sig) {}

static void signals(void) {
  sigset_t set;
  struct signalfd_siginfo info[3];
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 2);
  sigprocmask(SIG_BLOCK, &set, 0);
  int fd = signalfd(-1, &set, SFD_NONBLOCK);
  SHOW(read(fd, info, sizeof info));
  sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 7});
  sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 8});
  kill(getpid(), SIGUSR1);
  kill(getpid(), SIGUSR1);
  raise(SIGUSR1);
  struct pollfd ready = {fd, POLLIN};
  SHOW(poll(&ready, 1, 0));
  for (long size; (size = read(fd, info, sizeof info)) > 0;)
    for (int i = 0; i < size / (long)sizeof *info; i++)
      printf("signal %d, code %d, value %d, from me %d\n", info[i].ssi_signo, info[i].ssi_code, info[i].ssi_int,
             info[i].ssi_pid == getpid());
  struct sigaction action = {.sa_sigaction = take, .sa_flags = SA_SIGINFO};
  sigaction(SIGRTMIN + 3, &action, 0);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3, .sigev_value.sival_int = 42};
  timer_t timer;
  SHOW(timer_create(CLOCK_MONOTONIC, &event, &timer));
  struct itimerspec spec = {{0, 0}, {0, 2000000}}, old;
  sigset_t none, only;
  sigemptyset(&none);
  sigemptyset(&only);
  sigaddset(&only, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &only, 0);
  SHOW(timer_settime(timer, 0, &spec, 0));
  SHOW(sigsuspend(&none));
  printf("got %d, code %d, value %d, overrun %d\n", got, code, number, overrun);
  SHOW(timer_gettime(timer, &old));
  printf("%ld %ld\n", old.it_value.tv_sec, old.it_value.tv_nsec);
  // Blocked while it expires often: one signal, the rest a number.
  sigaddset(&set, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &set, 0);
  spec = (struct itimerspec){{0, 1000000}, {0, 1000000}};
  SHOW(timer_settime(timer, 0, &spec, 0));
  struct timespec nap = {0, 50000000};
  nanosleep(&nap, 0);
  siginfo_t taken;
  SHOW(sigwaitinfo(&set, &taken) == SIGRTMIN + 3);
  printf("overrun %d, the same %d\n", taken.si_overrun >= 40, timer_getoverrun(timer) == taken.si_overrun);
  SHOW(timer_delete(timer));
  SHOW(syscall(111, 12345) != 0);
  // Two of one signal: one for the process, one for the thread.
  got = 0;
  sigaction(SIGUSR2, &action, 0);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, 0);
  kill(getpid(), SIGUSR2);
  raise(SIGUSR2);
  kill(getpid(), SIGUSR2);
  raise(SIGUSR2);
  sigset_t waiting;
  sigpending(&waiting);
  printf("pending %d %d\n", sigismember(&waiting, SIGUSR2), sigismember(&waiting, SIGUSR1));
  sigprocmask(SIG_UNBLOCK, &set, 0);
  printf("came %d times\n", got);
}

static int order[8], orders;
static void note(int sig) { order[orders++] = sig; }
static void orderOfSignals(void) {
  int sent[] = {SIGRTMIN + 1, SIGTERM, SIGSEGV, SIGHUP, SIGUSR2};
  sigset_t all;
  struct sigaction action = {.sa_handler = note};
  sigfillset(&action.sa_mask);
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  for (int i = 0; i < 5; i++) sigaction(sent[i], &action, 0);
  for (int i = 0; i < 5; i++) kill(getpid(), sent[i]);
  sigprocmask(SIG_UNBLOCK, &all, 0);
  for (int i = 0; i < orders; i++) printf("%d ", order[i] < 32 ? order[i] : order[i] - SIGRTMIN + 100);
  puts("");
}

static void handled(int sig) { puts("handled"); }
static void makeOdd(int sig, siginfo_t *info, void *context) { ((ucontext_t *)context)->uc_mcontext.__gregs[0]++; }
static void oddAddresses(void) {
  struct sigaction action = {.sa_handler = (void (*)(int))((uintptr_t)handled | 1)};
  sigaction(SIGUSR1, &action, 0);
  raise(SIGUSR1);
  action = (struct sigaction){.sa_sigaction = makeOdd, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, 0);
  raise(SIGUSR1);
  puts("back");
}

static int ends[2];
static void feed(int sig) { write(ends[1], "from the handler", 16); }
static void interrupted(void) {
  struct itimerval soon = {{0, 0}, {0, 100000}};
  struct sigaction action = {.sa_handler = nothing};
  pipe(ends);
  sigaction(SIGALRM, &action, 0);
  setitimer(ITIMER_REAL, &soon, 0);
  SHOW(read(ends[0], buffer, sizeof buffer));
  // With SA_RESTART the same read goes on behind the handler.
  action.sa_handler = feed;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, 0);
  setitimer(ITIMER_REAL, &soon, 0);
  SHOW(read(ends[0], buffer, sizeof buffer));
  setitimer(ITIMER_REAL, &soon, 0);
  struct pollfd wait = {ends[0], POLLIN};
  SHOW(poll(&wait, 1, -1));
  SHOW(poll(&wait, 1, -1));
}

static void epolls(void) {
  int watch = epoll_create1(EPOLL_CLOEXEC), pair[2], counter = eventfd(0, 0);
  struct epoll_event event = {EPOLLIN, {.u64 = 0x123456789abcdef}}, got[4];
  pipe(pair);
  SHOW(fcntl(watch, F_GETFD));
  SHOW(epoll_ctl(watch, EPOLL_CTL_ADD, pair[0], &event));
  SHOW(epoll_ctl(watch, EPOLL_CTL_ADD, pair[0], &event));
  SHOW(epoll_ctl(watch, EPOLL_CTL_ADD, watch, &event));
  SHOW(epoll_ctl(watch, EPOLL_CTL_DEL, counter, 0));
  SHOW(epoll_ctl(watch, EPOLL_CTL_ADD, open("/dev/null", O_RDONLY), &event));
  SHOW(epoll_ctl(watch, 9, counter, &event));
  SHOW(epoll_ctl(counter, EPOLL_CTL_ADD, watch, &event));
  SHOW(epoll_wait(watch, got, 0, 0));
  SHOW(epoll_wait(watch, got, 4, 1));
  write(pair[1], "x", 1);
  SHOW(epoll_wait(watch, got, 4, -1));
  printf("%x %lx\n", got[0].events, got[0].data.u64);
  SHOW(epoll_wait(watch, got, 4, -1));
  event.events = EPOLLIN | EPOLLET;
  SHOW(epoll_ctl(watch, EPOLL_CTL_MOD, pair[0], &event));
  SHOW(epoll_wait(watch, got, 4, 0));
  SHOW(epoll_wait(watch, got, 4, 0));
  write(pair[1], "y", 1);
  SHOW(epoll_wait(watch, got, 4, 0));
  SHOW(epoll_wait(watch, got, 4, 0));
  event.events = EPOLLIN | EPOLLONESHOT | EPOLLRDNORM;
  SHOW(epoll_ctl(watch, EPOLL_CTL_MOD, pair[0], &event));
  SHOW(epoll_wait(watch, got, 4, 0));
  printf("%x\n", got[0].events);
  SHOW(epoll_wait(watch, got, 4, 0));
  event.events = EPOLLOUT;
  event.data.u64 = 2;
  SHOW(epoll_ctl(watch, EPOLL_CTL_ADD, pair[1], &event));
  event.data.u64 = 3;
  SHOW(epoll_ctl(watch, EPOLL_CTL_ADD, counter, &event));
  for (int i = 0; i < 3; i++) {
    SHOW(epoll_wait(watch, got, 1, 0));
    printf("%lu\n", got[0].data.u64);
  }
  int outer = epoll_create1(0);
  event.events = EPOLLIN;
  SHOW(epoll_ctl(outer, EPOLL_CTL_ADD, watch, &event));
  SHOW(epoll_ctl(watch, EPOLL_CTL_ADD, outer, &event));
  SHOW(epoll_wait(outer, got, 4, 0));
  SHOW(close(pair[0]));
  SHOW(epoll_wait(watch, got, 4, 0));
  for (int i = 0; i < 2; i++) printf("%lu %x\n", got[i].data.u64, got[i].events);
  close(counter);
  close(pair[1]);
  SHOW(epoll_wait(watch, got, 4, 0));
  int timer = timerfd_create(CLOCK_REALTIME, 0);
  struct itimerspec spec = {{0, 0}, {0, 3000000}};
  SHOW(epoll_ctl(watch, EPOLL_CTL_ADD, timer, &event));
  SHOW(epoll_wait(watch, got, 4, 1));
  timerfd_settime(timer, 0, &spec, 0);
  SHOW(epoll_wait(watch, got, 4, 5000));
}

static void sockets(int type) {
  int fd[2], value = 0, watch = epoll_create1(0);
  socklen_t size = sizeof value;
  struct sockaddr name = {0};
  printf("-- sockets of type %d\n", type);
  SHOW(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fd));
  SHOW(getsockopt(fd[0], SOL_SOCKET, SO_TYPE, &value, &size));
  printf("%d %d\n", value, size);
  size = sizeof name;
  SHOW(getsockname(fd[0], &name, &size));
  printf("%d %d\n", name.sa_family, size);
  SHOW(send(fd[0], "hello", 5, 0));
  SHOW(write(fd[0], "world!", 6));
  SHOW(ioctl(fd[1], FIONREAD, &value));
  printf("%d\n", value);
  SHOW(recv(fd[1], buffer, 3, MSG_PEEK));
  SHOW(recv(fd[1], buffer, 3, MSG_TRUNC));
  SHOW(read(fd[1], buffer, 100));
  SHOW(read(fd[1], buffer, 100));
  struct iovec parts[2] = {{buffer, 4}, {buffer + 10, 4}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  memcpy(buffer, "abcd      efgh", 14);
  SHOW(sendmsg(fd[1], &message, 0));
  memset(buffer, 0, sizeof buffer);
  parts[0].iov_len = 2;
  SHOW(recvmsg(fd[0], &message, 0));
  printf("%.2s|%.4s, flags %x\n", buffer, buffer + 10, message.msg_flags);
  SHOW(recv(fd[0], buffer, 100, 0));
  SHOW(sendto(fd[0], "z", 1, 0, &name, sizeof name));
  SHOW(connect(fd[0], &name, sizeof name) == 0);
  SHOW(listen(fd[0], 1));
  SHOW(getsockopt(fd[0], SOL_SOCKET, 9999, &value, &size));
  for (int i = 0; i < 2; i++) {
    struct pollfd ready = {fd[i], POLLIN | POLLOUT | POLLRDHUP};
    SHOW(poll(&ready, 1, 0));
    printf("%x\n", ready.revents);
  }
  signal(SIGPIPE, SIG_IGN);
  if (type != SOCK_DGRAM) {
    SHOW(write(fd[1], "last words", 10));
    SHOW(shutdown(fd[1], SHUT_WR));
    SHOW(write(fd[1], "more", 4));
    SHOW(read(fd[0], buffer, 100));
    SHOW(read(fd[0], buffer, 100));
    SHOW(write(fd[0], "still", 5));
    struct pollfd ready = {fd[0], POLLIN | POLLOUT | POLLRDHUP};
    SHOW(poll(&ready, 1, 0));
    printf("%x\n", ready.revents);
  }
  // Nobody sends, for so long.
  struct timeval limit = {0, 20000};
  fcntl(fd[1], F_SETFL, 0);
  SHOW(setsockopt(fd[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  while (recv(fd[1], buffer, 100, MSG_DONTWAIT) > 0);
  SHOW(read(fd[1], buffer, 0));
  SHOW(read(fd[1], buffer, 100));
  // It is closed with something unread.
  write(fd[0], "unread", 6);
  SHOW(close(fd[1]));
  struct pollfd ready = {fd[0], POLLIN | POLLOUT | POLLRDHUP};
  SHOW(poll(&ready, 1, 0));
  printf("%x\n", ready.revents);
  SHOW(read(fd[0], buffer, 100));
  SHOW(read(fd[0], buffer, 100));
  SHOW(write(fd[0], "x", 1));
  close(fd[0]);
  close(watch);
}

int main(int count, char **arguments) {
  int pair[2];
  if (count > 1 && !strcmp(arguments[1], "order")) {
    orderOfSignals();
    return 0;
  }
  if (count > 1 && !strcmp(arguments[1], "odd")) {
    oddAddresses();
    return 0;
  }
  sigset_t none;
  sigemptyset(&none);
  about("counter", eventfd(0, EFD_NONBLOCK));
  about("timer", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  about("signals", signalfd(-1, &none, SFD_NONBLOCK));
  about("epoll", epoll_create1(0));
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
  about("socket", pair[0]);
  counters();
  timers();
  signals();
  interrupted();
  epolls();
  sockets(SOCK_STREAM);
  sockets(SOCK_DGRAM);
  sockets(SOCK_SEQPACKET);
  SHOW(socketpair(AF_UNIX, 7, 0, pair));
  SHOW(socketpair(AF_UNIX, SOCK_STREAM, 2, pair));
  SHOW(socketpair(99, SOCK_STREAM, 0, pair));
  return 0;
}
