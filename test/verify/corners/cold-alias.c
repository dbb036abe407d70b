#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;
volatile u v[16]; u out[16];
__attribute__((noinline,cold)) void report(u a){ out[0]+=a; }
__attribute__((noinline)) u zfoo(u k,u x,u y){
  u v0=v[0],v1=v[1],v2=v[2],v3=v[3],v4=v[4],v5=v[5],v6=v[6],v7=v[7],v8=v[8],v9=v[9],v10=v[10];
  switch(k){
   case 0: return x+1; case 1: return x*3; case 2: return x^y; case 3: return x<<2; case 4: return y*7; case 5: return x-y*3; case 7: return x|y; case 8: return x%7;
   case 6: report((v0^v1)+(v2^v3)*3+(v4-v5)+(v6|v7)*5+(v8^v9)*v10); return x+v10*v3+v9*v5+v1;
  }
  return 5;
}
u afoo(u k,u x,u y) __attribute__((alias("zfoo")));
int main(int argc,char**argv){ u n=argc>1?strtoul(argv[1],0,10):0; u s=1;
 for(u i=0;i<16;i++) v[i]=i*i+n;
 for(u i=0;i<20000;i++) s+=afoo(n?i%9:i%3,s,i);
 printf("%lu %lu\n",s,out[0]); return 0;}
