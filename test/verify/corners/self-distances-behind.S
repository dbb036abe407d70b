/* A table of distances from each entry's own place, right behind a table of distances that a jump is seen to read. */
  .option norelax
  .text
  .globl _start
  .type _start, @function
_start:
  ld s2, 0(sp)
  li s0, 4000
  li s1, 0
  lui s3, %hi(S)
  addi s3, s3, %lo(S)
.Lagain:
  mv a0, s1
  mv a1, s3
  li a2, 0
  call by
  mv s1, a0
  /* a switch */
  andi t0, s0, 1
  slli t0, t0, 2
  lui t1, %hi(T)
  addi t1, t1, %lo(T)
  add t0, t0, t1
  lw t0, 0(t0)
  add t0, t0, t1
  jr t0
.Lc0:
  addi s1, s1, 1
.Lc1:
  addi s0, s0, -1
  bnez s0, .Lagain
  mv a0, s1
  mv a1, s3
  addi a2, s2, -1
  call by
  andi a0, a0, 127
  li a7, 93
  ecall
  .size _start, . - _start
  .p2align 2
  .type by, @function
by:
  slli a2, a2, 2
  add t2, a1, a2
  lw t1, 0(t2)
  add t1, t1, t2
  addi sp, sp, -16
  sd ra, 8(sp)
  jalr t1
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
  .size by, . - by
  .p2align 2
  .type one, @function
one:
  c.addi a0, 3
.Ltwo:
  c.addi a0, 5
  c.addi a0, 1
  c.addi a0, 1
  xori a0, a0, 1
  c.jr ra
  .size one, . - one
  .section .rodata
  .p2align 2
T: .word .Lc0 - T, .Lc1 - T
S: .word one - ., .Ltwo - .
  .word 0
