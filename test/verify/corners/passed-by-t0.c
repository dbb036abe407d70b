#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;
u apply4(u (*f)(u,u,u,u), u a, u b, u c, u d);
asm(".text\n.globl apply4\n.type apply4,@function\napply4:\n mv t0,a0\n mv a0,a1\n mv a1,a2\n mv a2,a3\n mv a3,a4\n jr t0\n.size apply4,.-apply4\n");
__attribute__((noinline)) u f1(u a,u b,u c,u d){return a*3+b*5+c*7+d*11;}
__attribute__((noinline)) u f2(u a,u b,u c,u d){return a^(b<<1)^(c<<2)^(d<<3);}
__attribute__((noinline)) u f3(u a,u b,u c,u d){return a+b*c-d;}
int main(int argc,char**argv){ u n=argc>1?strtoul(argv[1],0,10):0; u (*t[3])(u,u,u,u)={f1,f2,f3};
 u s=1; for(u i=0;i<20000;i++){ s+=apply4(t[n%3],s,i,i*3,s>>3); }
 printf("%lu\n",s); return 0;}
