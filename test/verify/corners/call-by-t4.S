# A function gives one value back in a0 and another in a3 to its direct callers, which read both right behind the call. It calls another one
# itself, with t4 as the link register.
.text
.globl _start
.type _start,@function
_start: ld s1,16(sp)
 lbu s1,0(s1)
 addi s1,s1,-48
 li s0,200
 li s2,0
1: mv a0,s0
 li a3,7
 jal ra,f
 slli s2,s2,1
 add s2,s2,a0
 add s2,s2,a3
 mv a0,s2
 li a3,9
 jal ra,f
 xor s2,s2,a0
 add s2,s2,a3
 mv a0,s1
 li a3,11
 jal ra,f
 xor s2,s2,a0
 add s2,s2,a3
 addi s0,s0,-1
 bnez s0,1b
 lla a1,obuf
 sd s2,0(a1)
 li a0,1
 li a2,8
 li a7,64
 ecall
 li a0,0
 li a7,94
 ecall
.size _start,.-_start
.type f,@function
f: addi sp,sp,-16
 sd ra,8(sp)
 jal t4,g
 addi a3,a0,5
 # Too long to be inlined.
.rept 100
 addi a5,a5,1
.endr
 ld ra,8(sp)
 addi sp,sp,16
 jr ra
.size f,.-f
.type g,@function
g: addi a0,a0,3
 jr t4
.size g,.-g
.data
.balign 8
obuf: .dword 0

