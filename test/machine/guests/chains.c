/* Epolls that watch one another: chains of five at most, however they are built, and many paths through few of them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct epoll_event event = {EPOLLIN}, got[100];

static void watch(const char *what, int from, int to) {
  int result = epoll_ctl(from, EPOLL_CTL_ADD, to, &event);
  printf("%s: %d %s\n", what, result, result ? strerror(errno) : "");
}

static void chain(int rising) {
  int links[7];
  for (int i = 0; i < 7; i++) links[i] = epoll_create1(0);
  for (int i = 0; i < 6; i++) {
    int k = rising ? i : 5 - i;
    watch(rising ? "down" : "up", links[k], links[k + 1]);
  }
}

#define LEVELS 5
static void lattice(int width) {
  int level[LEVELS][40], counter = eventfd(0, 0);
  long one = 1;
  for (int l = 0; l < LEVELS; l++)
    for (int i = 0; i < (l ? width : 1); i++) level[l][i] = epoll_create1(0);
  for (int l = 0; l < LEVELS - 1; l++)
    for (int i = 0; i < (l ? width : 1); i++)
      for (int j = 0; j < width; j++)
        if (epoll_ctl(level[l][i], EPOLL_CTL_ADD, level[l + 1][j], &event)) printf("refused\n");
  int top = level[0][0];
  printf("%d\n", epoll_wait(top, got, 100, 0));
  if (width > 2) return;
  watch("counter", level[LEVELS - 1][1], counter);
  write(counter, &one, 8);
  printf("%d\n", epoll_wait(top, got, 100, 0));
  printf("%d\n", epoll_wait(top, got, 1, 0));
  read(counter, &one, 8);
  printf("%d\n", epoll_wait(top, got, 100, 0));
  watch("loop", level[4][0], top);
  watch("short loop", level[3][0], level[1][0]);
  watch("above", epoll_create1(0), top);
  watch("below", level[4][0], epoll_create1(0));
  watch("beside", level[3][0], epoll_create1(0));
}

int main(void) {
  chain(0);
  chain(1);
  lattice(2);
  lattice(20);
  int a = epoll_create1(0), b = epoll_create1(0);
  watch("a b", a, b);
  watch("b a", b, a);
  printf("%d\n", epoll_ctl(a, EPOLL_CTL_DEL, b, 0));
  watch("b a", b, a);
  watch("a b", a, b);
  watch("a a", a, a);
  close(b);
  watch("a new", a, epoll_create1(0));
  return 0;
}
