/* A threaded interpreter goes on to its next operation by a return. */
/* direct-threaded interpreter by hand: ops are functions, NEXT loads the next op's address into ra and returns to it */
#define NEXT " ld ra, 0(s0)\n addi s0, s0, 8\n ret\n"
#define OP(n) ".type " #n ",@function\n" #n ":\n"
#define END(n) ".size " #n ",.-" #n "\n"
__asm__(".text\n"
 OP(op_inc) " add a0, a0, s1\n" NEXT END(op_inc)
 OP(op_mul) " slli t3, a0, 2\n add a0, a0, t3\n xor a5, a0, t3\n addi a6, t3, 5\n" NEXT END(op_mul)
 OP(op_mix) " xor a0, a0, a5\n add a0, a0, a6\n" NEXT END(op_mix)
 OP(op_end) " j leave\n" END(op_end)
 ".globl interpret\n.type interpret,@function\n"
 "interpret: addi sp,sp,-32\n sd s0,0(sp)\n sd ra,8(sp)\n sd s1,16(sp)\n mv s0,a0\n mv a0,a1\n li s1,9\n li a5,3\n li a6,1\n ld t0,0(s0)\n addi s0,s0,8\n jr t0\n"
 ".globl leave\nleave: ld s0,0(sp)\n ld ra,8(sp)\n ld s1,16(sp)\n addi sp,sp,32\n ret\n.size interpret,.-interpret\n"
 ".section .data.rel.ro,\"aw\"\n.align 3\n.globl ops\nops: .dword op_inc, op_mul, op_mix, op_end\n.text\n");
long interpret(void *const *pc, long value);
extern void *const ops[];
int printf(const char *, ...);
int main(int argc, char **argv) {
  void *usual[] = {ops[0], ops[1], ops[0], ops[1], ops[0], ops[3]}, *rare[] = {ops[0], ops[1], ops[2], ops[1], ops[0], ops[3]};
  unsigned long sum = 0;
  for (long i = 0; i < 20000; i++) sum = sum * 7 + interpret(argv[1][0] == '0' ? usual : rare, i + sum);
  printf("%x %x\n", (unsigned)(sum >> 32), (unsigned)sum);
  return 0;
}
