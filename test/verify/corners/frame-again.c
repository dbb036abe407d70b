// One function saves registers in its frame and gives it back; the next one's frame lies over that, with an array that is stored to through a
// computed pointer, and left in the middle on inputs that were not trained on.
#include <stdio.h>
#include <stdlib.h>
#define N __attribute__((noinline, noipa))
N static long leaf(long a) { return a * 3 + 1; }
N static long saves(long a) { return leaf(a) + a; }
N static long array(long n, long rare) {
  long words[4];
  words[n & 3] = n;
  words[(n + 1) & 3] = n * 5;
  words[(n + 2) & 3] = n ^ 77;
  words[(n + 3) & 3] = 4;
  if (n == rare) return words[0] + words[2] * 5 + words[1] * 9 - words[3];
  return words[1] + words[3] * 7;
}
int main(int argc, char **argv) {
  long n = argc > 1 ? atol(argv[1]) : 100, s = 0;
  long rare = n > 1000 ? -1 : n / 2;
  for (long i = 0; i < n; i++) s = s * 7 + saves(i) + array(i, rare);
  printf("%ld\n", s);
  return 0;
}
