/* Four instructions in .data are made executable and called; on other inputs they are written anew first. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
/* slli a5, a0, 1; add a0, a0, a5; addi a0, a0, 1; ret */
static unsigned code[1024] __attribute__((aligned(4096))) = {0x00151793, 0x00f50533, 0x00150513, 0x00008067};
__attribute__((noinline)) static unsigned long apply(long (*function)(long), long n, unsigned long sum) {
  for (long i = 0; i < n; i++) sum += function(sum ^ i);
  return sum;
}
int main(int argc, char **argv) {
  if (mprotect(code, sizeof code, PROT_READ | PROT_WRITE | PROT_EXEC)) return 1;
  unsigned long sum = apply((long (*)(long))code, 20000, 1);
  if (argc > 1) {
    code[2] = 0x00750513; /* addi a0, a0, 7 */
    __builtin___clear_cache((char *)code, (char *)(code + 4));
    sum = apply((long (*)(long))code, 20000, sum);
  }
  printf("%lu\n", sum);
  return 0;
}
