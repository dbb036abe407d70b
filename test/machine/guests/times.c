/* Clocks only go forward, sleeping takes as long as asked, and what a system says of itself is there. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t id) {
  struct timespec t;
  if (clock_gettime(id, &t)) return -1;
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(void) {
  long long last = now(CLOCK_MONOTONIC);
  int forward = 1;
  for (int i = 0; i < 100; i++) {
    long long t = now(CLOCK_MONOTONIC);
    forward &= t >= last;
    last = t;
  }
  printf("forward %d\n", forward);
  struct timespec nap = {0, 30000000};
  long long before = now(CLOCK_MONOTONIC);
  nanosleep(&nap, NULL);
  printf("slept %d\n", now(CLOCK_MONOTONIC) - before >= 30000000);
  before = now(CLOCK_REALTIME);
  usleep(20000);
  printf("slept %d\n", now(CLOCK_REALTIME) - before >= 20000000);
  printf("after 2023 %d\n", time(NULL) > 1672531200);
  struct timeval tv;
  gettimeofday(&tv, NULL);
  printf("microseconds %d\n", tv.tv_usec >= 0 && tv.tv_usec < 1000000);
  printf("bad clock %lld\n", now(99));
  printf("resolution %d\n", clock_getres(CLOCK_MONOTONIC, &nap));
  struct tms t;
  printf("times %d\n", times(&t) != (clock_t)-1);
  volatile double x = 0;
  for (int i = 0; i < 2000000; i++) x += i;
  printf("cpu %d\n", clock() > 0);
  struct rusage usage;
  printf("rusage %d\n", getrusage(RUSAGE_SELF, &usage));
  struct utsname name;
  uname(&name);
  printf("%s %s\n", name.sysname, name.machine);
  struct sysinfo info;
  printf("sysinfo %d %d\n", sysinfo(&info), info.totalram > 0);
  unsigned char random[64], zero[64] = {0};
  printf("getrandom %ld %d\n", (long)getrandom(random, 64, 0), memcmp(random, zero, 64) != 0);
  cpu_set_t set;
  printf("cpus %d\n", sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1);
  printf("ids %d %d\n", getpid() == gettid(), getuid() == geteuid());
  struct tm *tm = gmtime(&(time_t){86400 * 365});
  printf("%d-%d-%d\n", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday);
  return 0;
}
