#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;
u run(u n,u seed);
asm(".text\n.globl run\n.type run,@function\nrun:\n addi sp,sp,-16\n sd ra,8(sp)\n sd s0,0(sp)\n mv s0,a0\n mv a0,a1\n li a1,0\n"
"1: mv a4,a0\n jal t2,helper\n add a1,a1,t3\n xor a1,a1,a4\n slli a3,a1,3\n xor a1,a1,a3\n addi s0,s0,-1\n bnez s0,1b\n mv a0,a1\n ld ra,8(sp)\n ld s0,0(sp)\n addi sp,sp,16\n ret\n.size run,.-run\n"
".type helper,@function\nhelper:\n mv t5,t2\n jal t2,sub\n add t3,a0,a0\n jr t5\n.size helper,.-helper\n"
".type sub,@function\nsub: slli t3,a0,5\n xor a0,a0,t3\n srli t3,a0,3\n xor a0,a0,t3\n jr t2\n.size sub,.-sub\n");
int main(int argc,char**argv){ u n=argc>1?strtoul(argv[1],0,10):0; printf("%lu\n",run(20000+n,n+77)); return 0;}
