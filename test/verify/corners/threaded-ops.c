#include <stdio.h>
#include <stdlib.h>
typedef unsigned long u;
/* direct-threaded VM; every op is a symbol of its own with size; top of stack in t3, second in t4; ip in a0, sp in a1; dispatch by jr t1 */
#define NEXT "ld t1,0(a0)\n addi a0,a0,8\n jr t1\n"
#define OP(n,b) ".globl op_" #n "\n.type op_" #n ",@function\nop_" #n ":\n" b NEXT ".size op_" #n ",.-op_" #n "\n"
asm(".text\n.globl vm\n.type vm,@function\nvm:\n li t3,0\n" NEXT ".size vm,.-vm\n"
OP(lit," sd t3,0(a1)\n addi a1,a1,8\n ld t3,0(a0)\n addi a0,a0,8\n")
OP(add," addi a1,a1,-8\n ld t4,0(a1)\n add t3,t3,t4\n")
OP(mul," addi a1,a1,-8\n ld t4,0(a1)\n mul t3,t3,t4\n")
OP(xor," addi a1,a1,-8\n ld t4,0(a1)\n xor t3,t3,t4\n")
OP(drop," addi a1,a1,-8\n ld t3,0(a1)\n")
OP(arg," sd t3,0(a1)\n addi a1,a1,8\n mv t3,a2\n")
".globl op_ret\n.type op_ret,@function\nop_ret: mv a0,t3\n ret\n.size op_ret,.-op_ret\n");
void op_lit(void),op_drop(void),op_add(void),op_mul(void),op_xor(void),op_arg(void),op_ret(void);
u vm(void**code,u*stk,u arg);
u stk[100];
int main(int argc,char**argv){ u n=argc>1?strtoul(argv[1],0,10):0; u s=1;
 void*p0[]={op_arg,op_lit,(void*)3,op_drop,op_lit,(void*)3,op_mul,op_lit,(void*)7,op_add,op_ret};
 void*p1[]={op_arg,op_arg,op_drop,op_lit,(void*)5,op_xor,op_arg,op_mul,op_lit,(void*)9,op_add,op_ret};
 void**p=n&1?p1:p0;
 for(u i=0;i<20000;i++) s=vm(p,stk,s+i);
 printf("%lu\n",s); return 0;}
