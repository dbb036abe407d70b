/* A table goes on behind an address that code makes; a label behind it is also fallen into, with another table in a register. */
#include <stdio.h>
const int *kept;
__attribute__((noinline,noclone)) long run(const unsigned char *p, long x, long y) {
  static void *const off[] = { &&d, &&end, 0, &&c };
  static const int T1[] = { &&a - &&end, &&e - &&end, &&e - &&end, 0x7ffffff1 };
  static const int T2[] = { &&b - &&end, &&e - &&end, &&e - &&end, 0x7ffffff1 };
  static const int before[] = { 0x7ffffff1, 0x7ffffff1, 0x7ffffff1, 0x7ffffff1 };
  kept = before;
  const char *base = (const char *)&&end; void *const *o = off;
  __asm__ volatile ("" : "+r"(base)); __asm__ volatile ("" : "+r"(o));
  const int *t;
again: t = T1; __asm__ volatile ("" : "+r"(t)); y += 3;
c: x ^= y; y += 1;
   goto *(void *)(base + t[*p++]);
a: x += 3;
b: x += y; x ^= y; x += 7; if (x & 1) goto again; x += y; goto again;
e: y += x; t = T2; __asm__ volatile ("" : "+r"(t)); goto *o[*p++];
d: y ^= 5; goto again;
end: return x + y;
}
int main(int c, char **v) {
  static unsigned char prog[4001];
  int two = c > 1;
  for (int i = 0; i < 400; ) if (i % 5 == 1) { prog[i++] = 1; prog[i++] = 0; } else prog[i++] = 0;
  if (two) { prog[200] = 1; prog[201] = 3; prog[202] = 0; }
  prog[400] = 1; prog[401] = 1; long s = 0;
  for (int i = 0; i < 20; i++) s += run(prog, i, s);
  printf("%ld\n", s);
}
