/* A table of distances leads into the middle of a line, with a function in ra: jr ra is no return on that way. The jump goes by register BY. */
.text
.globl _start
.type _start,@function
_start:
 ld s2,0(sp)
 addi s2,s2,-1
 li s0,3000
 li s1,0
1: andi a0,s0,1
 mv a1,s1
 call f
 mv s1,a0
 addi s0,s0,-1
 bnez s0,1b
 mv a0,s1
 andi a0,a0,127
 li a1,0
 li a2,0
 li a3,0
 li a4,0
 li a5,0
 li a6,0
 li a7,93
 ecall
.size _start,.-_start
.type f,@function

f:
 addi sp,sp,-16
 sd ra,8(sp)
 addi a1,a1,1
 beqz a0,.Lzero
 lla ra,.Lg
 lla t0,tab
 slli a0,a0,2
 add a0,a0,t0
 lw a0,0(a0)
 add BY,a0,t0
 jr BY
.Lzero:
 ld ra,8(sp)
 addi sp,sp,16
.Lout:
 li a2,7
 mv a0,a1
 jr ra
.Lg:
 ld ra,8(sp)
 addi sp,sp,16
 beqz s2,2f
 add a0,a0,a2
2: ret
.size f,.-f
.section .rodata
.p2align 2
tab: .word .Lzero-tab, .Lout-tab
