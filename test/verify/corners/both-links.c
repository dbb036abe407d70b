#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;
u run(u n,u seed);
/* coroutines as in the table of the unprivileged manual (jalr with both links): the generator yields in t3 and t4 */
asm(".text\n.globl run\n.type run,@function\nrun:\n addi sp,sp,-16\n sd ra,8(sp)\n sd s0,0(sp)\n mv s0,a0\n mv a0,a1\n li a1,0\n jal t0,gen\n"
"1: add a1,a1,t3\n slli a2,a1,3\n xor a1,a1,a2\n addi s0,s0,-1\n beqz s0,2f\n jalr t0,0(ra)\n j 1b\n2: mv a0,a1\n ld ra,8(sp)\n ld s0,0(sp)\n addi sp,sp,16\n ret\n.size run,.-run\n"
".type gen,@function\ngen:\n slli t3,a0,5\n xor a0,a0,t3\n srli t3,a0,3\n xor a0,a0,t3\n add t3,a0,a0\n jalr ra,0(t0)\n j gen\n.size gen,.-gen\n");
int main(int argc,char**argv){ u n=argc>1?strtoul(argv[1],0,10):0; printf("%lu\n",run(20000+n,n+77)); return 0;}
