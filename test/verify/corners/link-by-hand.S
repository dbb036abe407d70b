# Code makes a return address by hand and jumps to a function, which returns there.
# A jump with a return address made by hand: func comes back to "back", which reads what was put into a5 before.
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
  call viahand
  add s2, s2, a0
  mv a0, s0
  call func
  add s2, s2, a0
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
  .type viahand, @function
viahand:
  addi sp, sp, -16
  sd ra, 8(sp)
  slli a5, a0, 3
  addi a5, a5, 5
  beqz s3, 2f
  lla ra, back
  j func
2: call func
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
back:
  add a0, a0, a5
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
  .size viahand, .-viahand
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
  ret
  .size func, .-func
