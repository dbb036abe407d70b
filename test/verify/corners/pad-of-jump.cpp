/* A landing pad in a function that also jumps to addresses in registers. */
#include <stdio.h>
static long n;
__attribute__((noinline,noclone)) void g(long x) { if (x & 1) throw x; }
__attribute__((noinline,noclone)) long run(const unsigned char *p, long x, long y, void **q) {
  static const int T2[] = { (char*)&&a - (char*)&&end, (char*)&&c - (char*)&&end, (char*)&&end - (char*)&&end, 0x7ffffff1 };
  static const int mid[] = { 0x7ffffff1, 0x7ffffff1 };
  static const int T1[] = { (char*)&&b - (char*)&&end, (char*)&&c - (char*)&&end, (char*)&&end - (char*)&&end, 0x7ffffff1 };
  static void *const whole[] = { &&c, &&a, &&end };
  const char *base = (const char *)&&end; const int *t;
  if (!p) { *(void *const **)q = whole; __asm__ volatile ("" : : "r"(mid)); return 0; }
  __asm__ volatile ("" : "+r"(base));
loop: t = T1; __asm__ volatile ("" : "+r"(t));
  try { g(*p >> 1);  } catch (...) { n++; x ^= n; y += x >> 3; x += y << 2; goto *(void *)(base + t[*p++ >> 2]); }
  t = T2; __asm__ volatile ("" : "+r"(t)); goto *q[*p++ >> 2];
a: x += 3;
b: x += y; x ^= y; x += 7; goto loop;
c: y += x + t[3]; goto loop;
end: return x + y;
}
int main(int c, char **v) {
  static unsigned char prog[4001]; void **q;
  int two = c > 1;
  run(0, 0, 0, (void **)&q);
  for (int i = 0; i < 400; i++) prog[i] = 4 * (i & 1) + (i % 4 == 1 ? 2 : 0);
  if (two) prog[200] = 2;
  prog[400] = 8; long s = 0;
  for (int i = 0; i < 20; i++) s += run(prog, i, s, q);
  printf("%ld\n", s);
}
