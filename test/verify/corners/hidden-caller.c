/* Data in the text makes the sweep lose its step, and the code behind it, a direct caller that reads t3 behind its call, is called by a pointer in
   an unusual form: with its lowest bit set, as a distance, or unaligned. */
#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;
u step(u x, u y);
asm(".text\n.option push\n.option norelax\n.option norvc\n.balign 4\n"
".type mix,@function\nmix:\n li t4,5\n1: slli t3,a0,7\n  xor t3,t3,a1\n  srli a0,a0,9\n  add a0,a0,a1\n  addi a0,a0,13\n addi t4,t4,-1\n bnez t4,1b\n  ret\n.size mix,.-mix\n"
".globl step\n.type step,@function\nstep:\n addi sp,sp,-16\n sd ra,8(sp)\n jal ra,mix\n ld ra,8(sp)\n addi sp,sp,16\n ret\n.size step,.-step\n"
".half 0x1234,0x0017\n" /* literals: data in the text */
".Lviatab:\n sd ra,0(a4)\n jal ra,mix\n xor a0,a0,t3\n ld ra,0(a4)\n ret\n"
".option pop\n.data\n.balign 8\n.globl entry\n"
#ifdef ODD
"entry: .dword .Lviatab+1\n"
#elif defined DIST
"entry: .word .Lviatab-entry, 0\n"
#elif defined UNAL
".half 1\nentry: .dword .Lviatab\n .half 1\n"
#else
"entry: .dword .Lviatab\n"
#endif
".text\n");
u ctx[4];
extern char entry[];
int main(int argc,char**argv){ u n=argc>1?strtoul(argv[1],0,10):0; u s=1;
#ifdef DIST
 u p=(u)entry+*(int*)entry;
#elif defined UNAL
 u p; __builtin_memcpy(&p,entry,8);
#else
 u p=*(u*)entry;
#endif
 u (* volatile f)(u,u,u,u,u*)=(void*)p;
 for(u i=0;i<20000;i++) s=step(s,i);
 if(n) for(u i=0;i<1000;i++) s=f(s,i,0,0,ctx);
 printf("%lu\n",s); return 0;}
