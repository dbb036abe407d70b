/* Behind a call that comes back by its landing pad alone another table is taken. */
#include <stdio.h>
extern long g; void f(long x);
__attribute__((noinline,noclone)) long run(const unsigned char *p, long x, long y) {
  static const int T1[] = { &&a - &&end, &&c - &&end, &&h - &&end, &&end - &&end, 0x7ffffff1 };
  static const int T2[] = { &&b - &&end, &&c - &&end, &&h - &&end, &&end - &&end, 0x7ffffff1 };
  const char *base = (const char *)&&end; const int *tab = T1;
  __asm__ volatile ("" : "+r"(base)); __asm__ volatile ("" : "+r"(tab));
loop: goto *(void *)(base + tab[*p++]);
a: x += 3;
b: x += y; x ^= y; x += 7; goto loop;
c: y += x; goto loop;
h: f(x); tab = T2; __asm__ volatile ("" : "+r"(tab)); goto loop;
end: return x + y;
}
int main(int c, char **v) {
  static unsigned char prog[4001];
  int two = c > 1;
  for (int i = 0; i < 4000; i++) prog[i] = i & 1;
  if (two) prog[2000] = 2;
  prog[4000] = 3; long s = 0;
  for (int i = 0; i < 20; i++) s += run(prog, i, s);
  printf("%ld %ld\n", s, g);
}
