/* a table of whole addresses is written to */
#include <stdio.h>
__attribute__((noinline,noclone)) long run(const unsigned char *p, register long x, register long y) {
  static const int off[] = { &&a - &&end, &&b - &&end, &&c - &&end, &&end - &&end };
  static const void *whole[4] = { &&a, &&c, &&c, &&end };
  const char *base = &&end; const int *tab = off;
  __asm__ volatile ("" : "+r"(base)); __asm__ volatile ("" : "+r"(tab));
  for (int i = 0; i < 4; i++) whole[i] = base + tab[i];
loop: goto *whole[*p++];
a: x += 3;
b: x += y; x ^= y; x += 7; goto loop;
c: y += x; goto loop;
end: return x + y;
}
int main(int c, char **v) {
  static unsigned char prog[401];
  int two = c > 1;
  for (int i = 0; i < 400; i++) prog[i] = i & 1 ? 0 : 2;
  if (two) prog[200] = 1;
  prog[400] = 3; long s = 0;
  for (int i = 0; i < 20; i++) s += run(prog, i, s);
  printf("%ld\n", s);
}
