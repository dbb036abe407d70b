/* Two landing pads, one within the other: behind the inner cleanup (another table is taken) comes the outer pad. */
#include <stdio.h>
__attribute__((noinline,noclone)) void f(long x) { if (x & 1) throw x; }
__attribute__((noinline,noclone)) void g(long x) { if (x & 1) throw x; }
static long n;
struct Use { const int *&tab; const int *to; ~Use() { tab = to; __asm__ volatile ("" : "+r"(tab)); } };
__attribute__((noinline,noclone)) long run(const unsigned char *p, long x, long y) {
  static const int T2[] = { (char*)&&a - (char*)&&end, (char*)&&c - (char*)&&end, (char*)&&end - (char*)&&end, 0x7ffffff1 };
  static const int T1[] = { (char*)&&b - (char*)&&end, (char*)&&c - (char*)&&end, (char*)&&end - (char*)&&end, 0x7ffffff1 };
  const char *base = (const char *)&&end; const int *tab = T1;
  __asm__ volatile ("" : "+r"(base)); __asm__ volatile ("" : "+r"(tab));
loop: try { tab = T1; __asm__ volatile ("" : "+r"(tab)); g(*p >> 1); { Use u{tab, T2}; f(*p); } } catch (...) { n++; x ^= n; y += x >> 3; x += y << 2; y ^= x; x -= y >> 5; y += n; goto *(void *)(base + tab[*p++ >> 2]); }
 y += 3; p++; goto loop;
a: x += 3;
b: x += y; x ^= y; x += 7; goto loop;
c: y += x; goto loop;
end: return x + y;
}
int main(int c, char **v) {
  static unsigned char prog[4001];
  int two = c > 1;
  for (int i = 0; i < 400; i++) prog[i] = 1 + 4 * (i & 1);
  if (two) prog[200] = 2;
  prog[400] = 9; long s = 0;
  for (int i = 0; i < 20; i++) s += run(prog, i, s);
  printf("%ld\n", s);
}
