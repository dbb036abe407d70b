/*
 * A jump's target is computed from a label and a distance, and kept before the jump: in a variable of the frame (0), in an array of the frame that is
 * written by an index (1), by a helper's result (2), in a table of whole addresses that is written to (3).
 */
#include <stdio.h>
#if KEPT == 2
static inline const void *fetch(const char *base, const int *tab, int op) { return base + tab[op]; }
#endif
__attribute__((noinline, noclone)) long run(const unsigned char *p, register long x, register long y, int zero) {
  static const int off[] = { &&a - &&end, &&b - &&end, &&c - &&end, &&end - &&end };
  const char *base = &&end; const int *tab = off;
#if KEPT == 0
  const void *next;
loop: next = base + tab[*p++]; goto *next;
#elif KEPT == 1
  const void *next[2];
  next[0] = &&end; next[1] = &&end;
loop: next[zero] = base + tab[*p++]; goto *next[0];
#elif KEPT == 2
loop: goto *fetch(base, tab, *p++);
#else
  static const void *whole[4] = { &&a, &&c, &&c, &&end };
  __asm__ volatile ("" : "+r"(base)); __asm__ volatile ("" : "+r"(tab));
  for (int i = 0; i < 4; i++) whole[i] = base + tab[i];
loop: goto *whole[*p++];
#endif
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
