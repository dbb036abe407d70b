/* A function that comes back by a receiver of its own (__builtin_setjmp) alone, behind a call that never returns. */
#include <stdio.h>
void *buf[5]; volatile long g;
__attribute__((noinline,noclone)) static void work(long x) { g += x; if ((x & 7) == 3) __builtin_longjmp(buf, 1); }
__attribute__((noinline,noclone,noreturn)) static void spin(long x) { for (;;) work(x++); }
__attribute__((noinline,noclone)) static void f(long x) { if (__builtin_setjmp(buf)) return; spin(x); }
__attribute__((noinline,noclone)) long run(long n) {
  long s = 0;
  for (long i = 0; i < n; i++) { long y = i * 12345 ^ s; f(i); s = y * 3 + g; }
  return s;
}
int main(int c, char **v) { printf("%ld\n", run(c > 1 ? 5000 : 3000)); }
