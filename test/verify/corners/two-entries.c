#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;
u fa(u k,u x,u y), fb(u k,u x,u y);
/* two entries; a switch whose cases lie before the second entry; t3/t4 hold x*5 and y^x for one of them */
asm(".text\n.globl fa\n.type fa,@function\nfa: addi a1,a1,3\n j 1f\n"
"c0: addi a0,a1,1\n ret\nc1: add a0,a1,a2\n ret\nc2: xor a0,a1,a2\n ret\nc3: add a0,t3,t4\n ret\n"
".globl fb\n.type fb,@function\nfb: addi a2,a2,1\n1: slli t3,a1,2\n add t3,t3,a1\n xor t4,a1,a2\n andi a0,a0,3\n slli a0,a0,2\n lla t1,tab\n add a0,a0,t1\n lw a0,0(a0)\n add a0,a0,t1\n jr a0\n.size fb,.-fb\n.size fa,.-fa\n"
".section .rodata\n.balign 4\ntab: .word c0-tab,c1-tab,c2-tab,c3-tab\n.text\n");
int main(int argc,char**argv){ u n=argc>1?strtoul(argv[1],0,10):0; u s=1;
 for(u i=0;i<20000;i++){ s+=fb(n?i:i%3,s,i); s^=fa(n?i:i%3,s,i);} printf("%lu\n",s); return 0;}
