/* a frame's array is written by index, and read by constant */
#include <stdio.h>
long run(const unsigned char *p, register long x, register long y, int i) {
  static const int off[] = { &&a - &&end, &&b - &&end, &&c - &&end, &&end - &&end };
  const void *next[2]; const char *base = &&end; const int *tab = off;
  next[0] = &&end; next[1] = &&end;
loop: next[i] = base + tab[*p++]; goto *next[0];
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
  for (int i = 0; i < 20; i++) s += run(prog, i, s, 0);
  printf("%ld\n", s);
}
