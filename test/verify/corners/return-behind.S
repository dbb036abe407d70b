# A callee that returns behind a word that stands behind its call, and one that reads it there; what the psABI does not know of.
  .globl _start
  .option norelax
_start:
  ld a0, 16(sp)
  lbu s3, 0(a0)
  addi s3, s3, -'0'
  li s0, 3000
  li s2, 0
1:
  mv a0, s0
  beqz s3, 2f
  addi a0, a0, 5
2:
  call skip
  j 3f
  slli s2, s2, 1
3:
  add s2, s2, a0
  addi s0, s0, -1
  bnez s0, 1b
  andi a0, s2, 127
  li a7, 93
  ecall
  .type skip, @function
skip:
  andi a1, a0, 3
  beqz a1, 1f
  jr 4(ra)
1:
  addi a0, a0, 3
  ret
