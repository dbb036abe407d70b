/* A table of labels is a part of an object that is also looked at as a whole. */
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) static unsigned long interpret(const unsigned char *pc, long n, int whole) {
  static const struct {
    long before;
    const void *labels[4];
    long after;
  } table = {5, {&&end, &&add, &&shift, &&turn}, 9};
  unsigned long sum = n;
  long rounds = 0;
  if (whole) {
    const unsigned char *bytes = (const unsigned char *)&table;
    for (unsigned i = 0; i < sizeof table; i++) sum = sum * 31 + bytes[i];
  }
  goto *table.labels[*pc++];
end:
  if (++rounds >= n) return sum;
  pc -= 4;
  goto *table.labels[*pc++];
add:
  sum += 3;
  goto *table.labels[*pc++];
shift:
  sum ^= sum >> 3;
  goto *table.labels[*pc++];
turn:
  sum *= 5;
  goto *table.labels[*pc++];
}
int main(int argc, char **argv) {
  static const unsigned char program[] = {1, 2, 3, 0};
  printf("%lu\n", interpret(program, atol(argv[1]), argc > 2));
  return 0;
}
