// A GNU global register variable, built with -ffixed-s11: the compiler stores it like any other variable, as an argument on the stack or in a
// struct whose address is taken, and loads it again on the way out of the function that stored it.
#include <stdio.h>
#include <stdlib.h>
#define N __attribute__((noinline, noipa))
register long g asm("s11");
struct pair { long other, saved; };
N static void change(long *p, long i) { p[i & 1] = p[i & 1] * 3 + i; }
N static long through_struct(long i) {
  struct pair p = { i, g };
  g = i & 7;
  change(&p.other, i);
  g = p.saved;
  return p.other;
}
N static long last(long a, long b, long c, long d, long e, long f, long h, long i, struct pair t) {
  (&t.other)[i & 1] += a;
  return t.other * 3 + t.saved + b;
}
N static long on_stack(long i) {
  struct pair p = { i, g };
  return last(i, 1, 2, 3, 4, 5, 6, i * 5 + 1, p) + g;
}
int main(int argc, char **argv) {
  long n = argc > 1 ? atol(argv[1]) : 1000, s = 0;
  g = 5;
  for (long i = 0; i < n; i++) s = s * 5 + through_struct(i) + g * on_stack(i);
  printf("%ld %ld\n", s, g);
  return 0;
}
