/* A nested function whose address is taken: GCC puts code on the stack, and asks for an executable stack. */
#include <stdio.h>
#include <stdlib.h>
static int apply(int (*f)(int), int n) { return f(n); }
int main(int argc, char **argv) {
  int base = argc * 100;
  int add(int n) { return base + n; }
  for (; base < 500; base += 100) printf("%d\n", apply(add, atoi("7")));
  return 0;
}
