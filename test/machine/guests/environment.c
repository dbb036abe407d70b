/* Arguments, environment, the auxiliary vector and the stack: what a process is given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
extern char **environ;
extern char __ehdr_start;
int main(int argc, char **argv) {
  printf("argc %d\n", argc);
  for (int i = 1; i <= argc; i++) printf("argv[%d] %s\n", i, argv[i] ? argv[i] : "(null)");
  printf("GREETING %s\n", getenv("GREETING") ? getenv("GREETING") : "(unset)");
  int count = 0;
  for (char **e = environ; *e; e++) count++;
  printf("environ %d\n", count);
  printf("page %lu clk %lu secure %lu base %lu\n", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK), getauxval(AT_SECURE), getauxval(AT_BASE));
  printf("phent %lu phnum %d\n", getauxval(AT_PHENT), getauxval(AT_PHNUM) > 0);
  printf("phdr %ld\n", (long)(getauxval(AT_PHDR) - (unsigned long)&__ehdr_start));
  printf("hwcap %lx\n", getauxval(AT_HWCAP) & 0x112d);
  printf("execfn %d\n", strcmp((char *)getauxval(AT_EXECFN), argv[0]) == 0);
  printf("random %d\n", getauxval(AT_RANDOM) != 0);
  printf("aligned %d\n", ((unsigned long)__builtin_frame_address(0) & 15) == 0);
  return 42;
}
