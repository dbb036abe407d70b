/* Recursion, deep (100,000 frames) and wide. Arguments: deep descents, depth of the wide one. */
#include <stdio.h>
#include <stdlib.h>
static volatile int sink;

__attribute__((noinline)) static long deep(long n, const long *p) {
  if (n == 0) return *p;
  long below = deep(n - 1, p) + n;
  sink = (int)below;
  return below ^ *p;
}

__attribute__((noinline)) static long wide(long n) { return n < 2 ? n : wide(n - 1) + wide(n - 2); }

int main(int argc, char **argv) {
  int descents = argc > 1 ? atoi(argv[1]) : 3;
  long seed = 7, sum = 0;
  for (int i = 0; i < descents; i++) sum += deep(100000, &seed);
  printf("%ld %ld\n", sum, wide(argc > 2 ? atoi(argv[2]) : 20));
  return 0;
}
