/* A table is read by a pointer into its middle, with indexes to both sides. */
#include <stdio.h>
#include <stdlib.h>
const int *kept;
__attribute__((noinline,noclone)) long run(const long *p, long x, long y) {
  static const int before[] = { 0x7ffffff1, 0x7ffffff1 };
  static const int off[] = { &&b - &&end, &&d - &&end, &&a - &&end, &&c - &&end, &&end - &&end };
  __asm__ volatile ("" : : "r"(before)); kept = off;
  const char *base = &&end; const int *mid = off + 2;
  __asm__ volatile ("" : "+r"(base)); __asm__ volatile ("" : "+r"(mid));
loop: goto *(void *)(base + mid[*p++]);
a: x += 3;
b: x += y; x ^= y; x+=7; goto loop;
c: y += x; goto loop;
d: x -= y; goto loop;
end: return x + y;
}
int main(int c, char **v) {
  static long prog[4001];
  int two = c > 1;
  for (int i = 0; i < 4000; i++) prog[i] = i % 2 == 0 ? 0 : i % 2 == 1 ? 1 : -1;
  if (two) for (int i = 0; i < 4000; i += 6) prog[i] = -2;
  prog[4000] = 2; long s = 0;
  for (int i = 0; i < 20; i++) s += run(prog, i, s);
  printf("%ld\n", s);
}
