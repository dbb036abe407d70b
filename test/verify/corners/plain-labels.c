/* An interpreter written by hand. Its operations are plain labels, without type and size, to which it jumps through a table that is passed in; the rare one reads what the entry has set. */
#define NEXT " lbu t1, 0(a0)\n addi a0, a0, 1\n slli t1, t1, 3\n add t1, t1, a1\n ld t1, 0(t1)\n jr t1\n"
__asm__(
    ".text\n"
    "end: addi a2, a2, -1\n blez a2, 1f\n addi a0, a0, -6\n" NEXT "1: mv a0, a3\n ret\n"
    "add_one: add a3, a3, a4\n" NEXT
    "times: slli t3, a3, 2\n add a3, a3, t3\n" NEXT
    "mix: xor a3, a3, t5\n ld t3, 0(t6)\n sub t3, t3, t1\n add a3, a3, t3\n" NEXT
    ".globl interpret\n.type interpret, @function\n"
    "interpret: mv t5, a2\n addi t6, a1, 8\n li a4, 9\n" NEXT
    ".size interpret, .-interpret\n"
    ".section .data.rel.ro, \"aw\"\n.align 3\n.globl operations\noperations: .dword end, add_one, times, mix\n.text\n");
long interpret(const unsigned char *pc, void *const *table, long rounds, long value);
extern void *const operations[];
int printf(const char *, ...);

int main(int argc, char **argv) {
  static const unsigned char usual[] = {1, 2, 1, 2, 1, 0}, rare[] = {1, 2, 3, 2, 1, 0};
  void *const *volatile table = operations;
  unsigned long sum = 0;
  for (long i = 0; i < 20000; i++) sum = sum * 7 + interpret(argv[1][0] == '0' ? usual : rare, table, 3, i + sum);
  printf("%x %x\n", (unsigned)(sum >> 32), (unsigned)sum);
  return 0;
}
