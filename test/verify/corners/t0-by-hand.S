# Code makes a return address in t0 by hand and jumps to a function, which returns by t0.
# A continuation passed in t0 (no call links through t0): func jumps to it; the rare continuation reads a5, an argument register.
  .globl _start
  .option norelax
_start:
  ld a0, 16(sp)
  lbu s3, 0(a0)
  andi s3, s3, 1
  li s0, 3000
  li s2, 0
1:
  mv a0, s0
  slli a5, a0, 3
  addi a5, a5, 5
  lla t0, usual
  beqz s3, 2f
  lla t0, rare
2: j func
usual:
  add s2, s2, a0
  j 3f
rare:
  add s2, s2, a5
3:
  addi s0, s0, -1
  bnez s0, 1b
  andi a0, s2, 127
  li a1, 0
  li a2, 0
  li a3, 0
  li a4, 0
  li a5, 0
  li a6, 0
  li a7, 93
  ecall
  .type func, @function
func:
  xori a1, a0, 77
  mul a1, a1, a1
  srli a2, a1, 3
  xor a1, a1, a2
  addi a1, a1, 3
  mul a1, a1, a1
  srli a2, a1, 3
  xor a0, a1, a2
  jr t0
  .size func, .-func
