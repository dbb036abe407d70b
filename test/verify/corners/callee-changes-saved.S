/* Direct callees that change a preserved register, and a frame handed on in s0: what the caller stores is no saved register. They return by ra, or by t1. */
#ifdef BY_T1
#define BACK mv t1, ra; jr t1
#else
#define BACK ret
#endif

.text
.globl _start
.type _start,@function
_start:
 ld a1,0(sp)
 call run
 andi a0,a0,127
 li a7,93
 ecall
.size _start,.-_start
.type init,@function
init: li s1,0
 li s3,3000
 BACK
.size init,.-init
.type step,@function
step:                  
 slli t0,s1,1
 add s1,s1,t0
 addi s1,s1,1
 BACK
.size step,.-step
.type hook,@function
hook:                  
 ld t1,-56(s0)
 add t1,t1,s2
 sd t1,-56(s0)
 ret
.size hook,.-hook
.type run,@function
run:
 addi sp,sp,-64
 sd ra,56(sp)
 sd s0,48(sp)
 sd s1,40(sp)
 sd s2,32(sp)
 sd s3,24(sp)
 addi s0,sp,64
 addi s2,a1,-1         
 call init
1:
 call step
 sd s1,8(sp)
 call hook
 ld s1,8(sp)
 addi s3,s3,-1
 bnez s3,1b
 addi s1,s1,1
 mv a0,s1
 ld ra,56(sp)
 ld s0,48(sp)
 ld s1,40(sp)
 ld s2,32(sp)
 ld s3,24(sp)
 addi sp,sp,64
 ret
.size run,.-run
