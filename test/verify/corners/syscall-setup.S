# A helper returns in the registers that the system call behind it reads; another one leaves them alone. Writes texts.
  .globl _start
  .option norelax
_start:
  li s0, 3000
1:
  andi a0, s0, 1
  lla a1, long
  bnez a0, 2f
  lla a1, short
2:
  call setup
  call tick
  andi t6, s0, 511
  bnez t6, 3f
  li a0, 1
  ecall
3:
  addi s0, s0, -1
  bnez s0, 1b
  andi a0, s2, 127
  li a7, 93
  ecall
  .type setup, @function
setup:
  li a2, -1
1:
  addi a2, a2, 1
  add a3, a1, a2
  lbu a3, 0(a3)
  bnez a3, 1b
  li a7, 64
  ret
  .size setup, .-setup
  .type tick, @function
tick:
  li t3, 0
1:
  addi t3, t3, 1
  slti t4, t3, 5
  bnez t4, 1b
  add s2, s2, t3
  ret
  .size tick, .-tick
  .section .rodata
short: .asciz "short\n"
long: .asciz "not so short\n"
