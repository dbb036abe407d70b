/* A label of a whole-address table, which may have a HOLE before it, that is also fallen into: what it stores there is a variable, no saved register. */

.data
.p2align 3
gptr: .dword 0
dummy: .dword 0
.section .rodata
.p2align 3
#ifdef HOLE
.dword 0x7ffffffffffff1
tab: .dword .Lmul, .Lend, .Lset, 0, .Lhook
#else
tab: .dword .Lhook, .Lmul, .Lend, .Lset
#endif
.text
.globl _start
.type _start,@function
_start:
 ld a1,0(sp)
 addi a1,a1,-1
 la a0,prog
 call run
 andi a0,a0,127
 li a7,93
 ecall
.size _start,.-_start
.type hook,@function
hook:
 la t0,gptr
 ld t0,0(t0)
 ld t1,0(t0)
 addi t1,t1,1
 sd t1,0(t0)
 ret
.size hook,.-hook
.type run,@function
run:
 addi sp,sp,-48
 sd ra,40(sp)
 sd s1,32(sp)
 sd s2,24(sp)
 sd s3,16(sp)
 mv s2,a0
 li s3,3000
 addi t0,sp,8
 la t1,gptr
 bnez a1,1f
 la t0,dummy
1: sd t0,0(t1)
.Lhook:            
 sd s1,8(sp)
 call hook
 ld s1,8(sp)
.Lnext:
 lbu t0,0(s2)
 addi s2,s2,1
 slli t0,t0,3
#ifdef HOLE
 lui t1,%hi(tab)
 addi t1,t1,%lo(tab)
#else
 la t1,tab
#endif
 add t1,t1,t0
 ld t1,0(t1)
 jr t1
.Lset:
 li s1,0
 j .Lnext
.Lmul:
 slli t0,s1,1
 add s1,s1,t0
 addi s1,s1,1
 addi s3,s3,-1
 beqz s3,.Lend
 la s2,loop
 j .Lnext
.Lend:
 mv a0,s1
 ld ra,40(sp)
 ld s1,32(sp)
 ld s2,24(sp)
 ld s3,16(sp)
 addi sp,sp,48
 ret
.size run,.-run
.section .rodata
#ifdef HOLE
prog: .byte 2
loop: .byte 4,4,0
#else
prog: .byte 3
loop: .byte 0,0,1
#endif
