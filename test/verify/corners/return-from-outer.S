# A function gives up the frames of its callers and returns from an outer one.
# An evaluator by hand: "fail", called from deep inside, gives up all frames and returns from "eval"; value in a0, position in a2.
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
  call eval
  beqz s3, 2f
  add s2, s2, a2
2:
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
  .type eval, @function
eval:
  addi sp, sp, -16
  sd ra, 8(sp)
  sd s11, 0(sp)
  mv s11, sp
  li a2, 0
  call expr
  li a2, 0
  ld s11, 0(sp)
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
  .size eval, .-eval
  .type expr, @function
expr:
  addi sp, sp, -16
  sd ra, 8(sp)
  andi a1, a0, 3
  bnez a1, 1f
  j fail
1:
  slli a0, a0, 1
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
  .size expr, .-expr
  .type fail, @function
fail:
  addi a2, a0, 7
  mv sp, s11
  li a0, -1
  ld s11, 0(sp)
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
  .size fail, .-fail
