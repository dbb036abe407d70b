/* A computed goto leads into a part of its function that no direct jump leads to. */
/* Labels' distances in a table that is passed in; two of the labels are cold, so that gcc puts them into the function's other part. */
#include <stdio.h>
#include <stdlib.h>
static const int *volatile passed;
unsigned long out;
__attribute__((noinline,cold)) unsigned long report(unsigned long a) { out += a; return a * 5; }
__attribute__((noinline)) unsigned long step(const int *d, unsigned op, unsigned long a, unsigned long b) {
  static const int own[] = {&&l0 - &&l0, &&l1 - &&l0, &&l2 - &&l0, &&l3 - &&l0};
  if (d == 0) { passed = own; return 0; }
  goto *(&&l0 + d[op]);
l0: __attribute__((hot)); a += b; return a * 3;
l1: __attribute__((hot)); return a ^ b;
l2: a += b;
l3: return report(a);
}
int main(int argc, char **argv) {
  unsigned n = argc > 1 ? strtoul(argv[1], 0, 10) : 0;
  unsigned long s = 1;
  step(0, 0, 0, 0);
  const int *d = passed;
  for (unsigned i = 0; i < 20000; i++) s = step(d, i % (3 + n), s, i);
  printf("%lu %lu\n", s, out);
}
