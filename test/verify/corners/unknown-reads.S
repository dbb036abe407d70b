# Instructions of an extension that is not known here, on a way that the first input does not take: they read what a callee leaves alone, and
# what a function keeps over a call.
  .globl _start
_start:
  ld a0, 16(sp)
  lbu s3, 0(a0)
  addi s3, s3, -'1'
  li s0, 3000
  li s2, 0
1:
  slli t1, s0, 3
  mv a0, s0
  call tick
  bnez s3, 2f
  .insn r 0x33, 1, 5, a0, a0, s0    # clmul (Zbc)
  add a0, a0, t1
2:
  add s2, s2, a0
  mv a0, s0
  call keeper
  add s2, s2, a0
  addi s0, s0, -1
  bnez s0, 1b
  andi a0, s2, 127
  li a7, 93
  ecall
  .size _start, .-_start
  .type tick, @function
tick:
  li t3, 0
3:
  addi t3, t3, 1
  slti t4, t3, 5
  bnez t4, 3b
  add a0, a0, t3
  ret
  .size tick, .-tick
  .type keeper, @function
keeper:
  addi sp, sp, -32
  sd ra, 0(sp)
  sd s1, 8(sp)
  slli s1, a0, 2
  addi s1, s1, 11
  slli t5, a0, 4
  addi t5, t5, 9
  bnez s3, 4f
  call tick
  .insn r 0x33, 1, 5, a0, s1, t5    # right behind the call
  j 5f
4:
  call tick
5:
  ld s1, 8(sp)
  ld ra, 0(sp)
  addi sp, sp, 32
  ret
  .size keeper, .-keeper
