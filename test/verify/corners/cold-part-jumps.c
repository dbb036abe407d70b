/* The jump lies in the function's cold part, the computation of its target in the other. */
#include <stdio.h>
struct step { long by; struct step *next; long odd; };
struct state { long x, y; const int *off; };
long n;
__attribute__((noinline,noclone,cold)) void note(void) { n++; }
__attribute__((noinline,noclone)) long hot(long x) { return x ^ n; }
__attribute__((noinline,noclone)) long run(long base, const struct step *p, struct state *s) {
  static const int off[] = { &&b - &&a, &&end - &&a };
  if (!base) { s->off = off; return (long)&&a; }
  long t, x = s->x, y = s->y, m;
loop: t = base + p->by;
  __asm__ volatile ("" : "+r"(t));
  y += hot(p->odd); m = 10;
  if (__builtin_expect(p->odd, 0)) { note(); goto *(void *)t; }
a: x += 3;
b: x += y; x ^= y; x += 7; if (--m) goto a; 
   p = p->next; if (p) goto loop;
end: s->x = x; s->y = y; return t;
}
int main(int c, char **v) {
  static struct step prog[1001];
  struct state s = { 1, 2, 0 };
  long a = run(0, 0, &s);
  int i;
  for (i = 0; i < 1000; i++) prog[i].next = prog + i + 1;
  prog[1000].odd = 1; prog[1000].by = s.off[1];
  if (c > 1) { prog[500].odd = 1; prog[500].by = s.off[0]; }
  for (i = 0; i < 20; i++) run(a, prog, &s);
  printf("%ld\n", s.x);
}
