#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;
u step(u x, u y), viaclmul(u x, u y);
asm(".text\n.option push\n.option norelax\n"
".type mix,@function\nmix:\n li t4,5\n1: slli t3,a0,7\n  xor t3,t3,a1\n  srli a0,a0,9\n  add a0,a0,a1\n  addi a0,a0,13\n addi t4,t4,-1\n bnez t4,1b\n  ret\n.size mix,.-mix\n"
".globl step\n.type step,@function\nstep:\n addi sp,sp,-16\n sd ra,8(sp)\n jal ra,mix\n ld ra,8(sp)\n addi sp,sp,16\n ret\n.size step,.-step\n"
".globl viaclmul\n.type viaclmul,@function\nviaclmul:\n addi sp,sp,-16\n sd ra,8(sp)\n mv t1,a0\n mv a7,a1\n"
" .word 0x0b131533\n" /* clmul a0,t1,a7 */
" jal ra,mix\n xor a0,a0,t3\n ld ra,8(sp)\n addi sp,sp,16\n ret\n.size viaclmul,.-viaclmul\n"
".option pop\n");
int main(int argc,char**argv){ u n=argc>1?strtoul(argv[1],0,10):0; u s=1;
 for(u i=0;i<20000;i++) s=step(s,i);
 if(n) for(u i=0;i<1000;i++) s=viaclmul(s,i);
 printf("%lu\n",s); return 0;}
