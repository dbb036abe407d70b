/* A loop begins at a function's first instruction: what changes the jump's target on the way back there counts for nothing. */
#include <stdio.h>
struct step { long by; struct step *next; };
struct state { long x, y; const int *off; };
/* t: the label to begin with, 0: tells the first one and the distances from it; p: distances from label to label */
__attribute__((noinline,noclone)) long run(long t, const struct step *p, struct state *s) {
  static const int off[] = { &&a - &&a, &&b - &&a, &&c - &&a, &&end - &&a };
again: __asm__ volatile ("" : "+r"(t));
   if (!t) goto tell;
   goto *(void *)t;
a: p = p->next;
b: s->x += s->y; s->x ^= s->y; s->x += 7; t += p->by; p = p->next; goto again;
c: s->y += s->x; t += p->by; p = p->next; goto again;
end: return t;
tell: s->off = off; return (long)&&a;
}
int main(int n, char **v) {
  static struct step prog[1000];
  struct state s = { 1, 2, 0 };
  long a = run(0, 0, &s);
  int to = 0, i, k = 0;
  for (i = 0; i < 401; i++) {
    int at = to;
    if (at == 0) k++;
    to = i == 400 ? 3 : n > 1 && i == 200 ? 1 : i & 1 ? 0 : 2;
    prog[k++].by = s.off[to] - s.off[at];
  }
  for (i = 0; i < 999; i++) prog[i].next = prog + i + 1;
  for (i = 0; i < 20; i++) run(a, prog, &s);
  printf("%ld\n", s.x);
}
