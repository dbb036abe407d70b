/* A table with an unused entry behind an address that code makes. */
#include <stdio.h>
const int *kept;
__attribute__((noinline,noclone)) long run(const unsigned char *p, long x, long y) {
  static const int before[] = { 0x7ffffff1, 0x7ffffff1 };
  static const int off[] = { &&a - &&end, &&c - &&end, &&end - &&end, 0x7ffffff1, &&b - &&end };
  __asm__ volatile ("" : : "r"(before));
  kept = off + 1;
  const char *base = (const char *)&&end; const int *o = off;
  __asm__ volatile ("" : "+r"(base)); __asm__ volatile ("" : "+r"(o));
loop: goto *(void *)(base + o[*p++]);
a: x += 3;
b: x += y; x ^= y; x += 7; goto loop;
c: y += x; goto loop;
end: return x + y;
}
int main(int c, char **v) {
  static unsigned char prog[401];
  int two = c > 1;
  for (int i = 0; i < 400; i++) prog[i] = i & 1;
  if (two) prog[200] = 4;
  prog[400] = 2; long s = 0;
  for (int i = 0; i < 20; i++) s += run(prog, i, s);
  printf("%ld\n", s);
}
