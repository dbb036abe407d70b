/* Threaded code by distances between labels: the table is handed over, or taken long before it is used. An argument beyond 1 runs other labels. */
#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;

static u handed(const unsigned char *p, u x, const int **tables) {
  static const int one[] = {&&e - &&a, &&a - &&a, &&b - &&a, &&c - &&a, &&d - &&a};
  static const int two[] = {&&e - &&a, &&d - &&a, &&c - &&a, &&b - &&a, &&a - &&a};
  if (p == 0) {
    tables[0] = one;
    tables[1] = two;
    return 0;
  }
  u y = x * 3, s = 0, t = 0;
  const int *table = tables[x & 1];
  for (;;) {
    unsigned char op = *p++;
    goto *(&&a + table[op]);
  a: s += 3;
  b: t += s;
  c: s += t;
  d: t += 7;
    continue;
  e: return s * 31 + t + x + y;
  }
}

#define MIX y ^= y << 13; y ^= y >> 7; y ^= y << 17;
__attribute__((noinline)) static u distant(const unsigned char *p, u y) {
  static const int table[] = {&&e - &&a, &&a - &&a, &&b - &&a, &&c - &&a, &&d - &&a};
  u s = 0, t = 0;
  for (;;) {
    unsigned char op = *p++;
    MIX MIX MIX MIX MIX MIX MIX MIX MIX MIX MIX MIX MIX MIX MIX MIX
    goto *(&&a + table[op]);
  a: s += 3;
  b: t += s;
  c: s += t;
  d: t += 7;
    continue;
  e: return s * 31 + t + y;
  }
}

int main(int argc, char **argv) {
  static unsigned char p[512];
  const int *tables[2];
  u mask = strtoul(argv[1], 0, 10), r = 5, sum = 0;
  for (int i = 0; i < 511; i++) {
    r = r * 6364136223846793005ul + 1442695040888963407ul;
    int op = (r >> 33) % 4;
    p[i] = 1 + (mask >> op & 1 ? op : 0);
  }
  handed(0, 0, tables);
  for (int k = 0; k < 200; k++) sum = sum * 31 + handed(p + k, k, tables) + distant(p + k, k + 7);
  printf("%lx\n", sum);
  return 0;
}
