/* A timer that interrupts computing: the program makes no syscall until it has come three times. */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
static volatile int count;
static void tick(int sig) { count++; }
int main(void) {
  signal(SIGALRM, tick);
  struct itimerval every = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &every, NULL);
  volatile unsigned long work = 0;
  while (count < 3) work++;
  setitimer(ITIMER_REAL, &never, NULL);
  printf("ticked, worked %d\n", work > 1000);
  return 0;
}
