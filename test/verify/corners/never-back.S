# A callee that writes a register only where it does not come back; a function that runs on into the next; both are seen to leave a3 alone.
  .globl _start
_start:
  ld a0, 16(sp)
  lbu s3, 0(a0)
  addi s3, s3, -'0'
  li s0, 3000
  li s2, 0
1:
  slli a3, s0, 1
  addi a3, a3, 7
  mv a0, s0
  call check
  call user
  add s2, s2, a0
  mv a0, s0
  call first
  add s2, s2, t6
  addi s0, s0, -1
  bnez s0, 1b
  andi a0, s2, 127
  li a7, 93
  ecall
  .size _start, .-_start
  .type check, @function
check:
  andi t0, a0, 7
  addi t1, t0, 3
  xor a0, t0, t1
  bltz a0, 2f
  ret
2:
  li a3, 0
  li a0, 99
  li a7, 93
  ecall
3:
  j 3b
  .size check, .-check
  .type user, @function
user:
  beqz s3, 4f
  add a0, a0, a3
4:
  addi a0, a0, 1
  ret
  .size user, .-user
  .type first, @function
first:
  addi sp, sp, -16
  sd ra, 0(sp)
  slli t6, a0, 1
  slli t4, a0, 3
  addi t4, t4, 5
  call check
  .size first, .-first
  .type second, @function
second:
  beqz s3, 5f
  add t6, t6, t4
5:
  ld ra, 0(sp)
  addi sp, sp, 16
  ret
  .size second, .-second
