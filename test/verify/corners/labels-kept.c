/* Where labels are is computed in one place and jumped to in another: from memory, and from what a function returned. */
#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;
static volatile u sink;
__attribute__((noinline)) static void f(void) { sink++; }
__attribute__((noinline)) static void g(void) { sink += 3; }
__attribute__((noinline, noipa)) static void *place(void *base, const int *table, int i) { return (char *)base + table[i]; }

__attribute__((noinline)) static u decoded(const unsigned char *p, u x) {
  static const int table[] = {&&e - &&a, &&a - &&a, &&b - &&a, &&c - &&a, &&d - &&a};
  void *code[64];
  for (int i = 0; i < 64; i++) code[i] = (char *)&&a + table[p[i]];
  void **next = code;
  u s = 0, t = x;
  goto *(*next++);
a: s += 3;
b: t += s;
c: s += t;
d: t += 7;
  goto *(*next++);
e: return s * 31 + t;
}
__attribute__((noinline)) static u stored(int i) {
  static const int table[] = {&&a - &&a, &&b - &&a, &&c - &&a, &&d - &&a, &&e - &&a};
  u r = i;
  void *volatile p = (char *)&&a + table[i];
  goto *p;
a: r += 5;
b: g(); goto out;
c: r += 9;
d: f(); goto out;
e: r ^= 3;
out: return r + sink;
}
__attribute__((noinline)) static u returned(int i) {
  static const int table[] = {&&a - &&a, &&b - &&a, &&c - &&a, &&d - &&a, &&e - &&a};
  u r = i;
  goto *place(&&a, table, i);
a: r += 5;
b: g(); goto out;
c: r += 9;
d: f(); goto out;
e: r ^= 3;
out: return r + sink;
}

int main(int argc, char **argv) {
  unsigned char p[64];
  u mask = strtoul(argv[1], 0, 10), sum = 0;
  for (int i = 0; i < 63; i++) p[i] = 1 + (mask ? i % 4 : 0);
  p[63] = 0;
  for (int k = 0; k < 3000; k++) sum = sum * 31 + decoded(p, k) + stored(mask ? k % 5 : k & 1 ? 0 : 2) + returned(mask ? k % 5 : k & 1 ? 0 : 2);
  printf("%lx\n", sum);
  return 0;
}
