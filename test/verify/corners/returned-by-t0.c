#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;
u lazy(u a, u b, u c, u d);
void *resolve(void);
asm(".text\n.globl lazy\n.type lazy,@function\nlazy:\n addi sp,sp,-48\n sd ra,40(sp)\n sd a0,0(sp)\n sd a1,8(sp)\n sd a2,16(sp)\n sd a3,24(sp)\n call resolve\n mv t0,a0\n ld a0,0(sp)\n ld a1,8(sp)\n ld a2,16(sp)\n ld a3,24(sp)\n ld ra,40(sp)\n addi sp,sp,48\n jr t0\n.size lazy,.-lazy\n");
__attribute__((noinline)) u f1(u a,u b,u c,u d){return a*3+b*5+c*7+d*11;}
__attribute__((noinline)) u f2(u a,u b,u c,u d){return a^(b<<1)^(c<<2)^(d<<3);}
__attribute__((noinline)) u f3(u a,u b,u c,u d){return a+b*c-d;}
u (*t[3])(u,u,u,u)={f1,f2,f3}; u which, z;
__attribute__((noinline)) void *resolve(void){ u r=which%3; z+=r; asm volatile("li a2,77\nli a3,99":::"a2","a3","a1"); return t[r]; }
int main(int argc,char**argv){ which=argc>1?strtoul(argv[1],0,10):0; 
 u s=1; for(u i=0;i<20000;i++){ s+=lazy(s,i,i*3,s>>3); }
 printf("%lu\n",s); return 0;}
