/* The table of a jump is changed at run time, from another table. */
#include <stdio.h>
__attribute__((noinline,noclone)) long run(const unsigned char *p, long x, long y, int other) {
  static int before[] = { 0x7ffffff1, 0x7ffffff1 };
  static int off[] = { &&a - &&end, &&c - &&end, &&end - &&end, 0x7ffffff1 };
  static const int alt[] = { &&b - &&end, &&c - &&end, &&end - &&end };
  const char *base = (const char *)&&end;
  __asm__ volatile ("" : "+r"(base));
  __asm__ volatile ("" : : "r"(before));
  if (other) off[0] = alt[other - 1];
loop: goto *(void *)(base + off[*p++]);
a: x += 3;
b: x += y; x ^= y; x += 7; goto loop;
c: y += x; goto loop;
end: return x + y;
}
int main(int c, char **v) {
  static unsigned char prog[401];
  for (int i = 0; i < 400; i++) prog[i] = i & 1;
  prog[400] = 2; long s = 0;
  for (int i = 0; i < 20; i++) s += run(prog, i, s, c > 1 && i == 10);
  printf("%ld\n", s);
}
