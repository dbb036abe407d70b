/* A table is read by a pointer into its middle; the entry before that leads into the function's cold part, the one before into the other. */
#include <stdio.h>
#include <stdlib.h>
long n;
__attribute__((noinline,noclone,cold)) void note(void) { n++; }
__attribute__((noinline,noclone,cold)) void note2(void) { n += 2; }
__attribute__((noinline,noclone)) long run(const long *p, long x, long y) {
  static const int off[] = { &&b - &&end, &&d - &&end, &&a - &&end, &&c - &&end, &&end - &&end, 0x7ffffff1 };
  const char *base = (const char *)&&end; const int *mid = off + 2;
  __asm__ volatile ("" : "+r"(base)); __asm__ volatile ("" : "+r"(mid));
if (__builtin_expect(x == 0x1234567, 0)) { note2(); return n; }
loop: goto *(void *)(base + mid[*p++]);
a: x += 3;
b: x += y; x ^= y; x+=7; goto loop;
c: y += x; goto loop;
d: note(); goto loop;
end: return x + y;
}
int main(int c, char **v) {
  static long prog[4001];
  int two = c > 1;
  for (int i = 0; i < 400; i++) prog[i] = i % 2;
  if (two) for (int i = 0; i < 400; i += 6) prog[i] = -2;
  prog[400] = 2; long s = 0;
  for (int i = 0; i < 20; i++) s += run(prog, i, s);
  printf("%ld\n", s);
}
