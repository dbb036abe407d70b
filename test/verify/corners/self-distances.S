# Threaded code by distances from where they stand. The first argument, one digit, tells which operations there are.
  .globl _start
  .option norelax
_start:
  ld a0, 16(sp)
  lbu s2, 0(a0)
  li s3, 1
  li s4, 1
  li s0, 3000
again:
  # A program of eight operations, made of a sequence of numbers.
  lla s5, program
  li t1, 8
1: slli t2, s4, 13
  xor s4, s4, t2
  srli t2, s4, 7
  xor s4, s4, t2
  andi t2, s4, 3
  srl t3, s2, t2
  andi t3, t3, 1
  mul t2, t2, t3
  li t3, 4
  sub t2, t3, t2
  sb t2, 0(s5)
  addi s5, s5, 1
  addi t1, t1, -1
  bnez t1, 1b
  sb zero, 0(s5)
  lla a0, program
  call interpret
  add s3, s3, a0
  addi s0, s0, -1
  bnez s0, again
  andi a0, s3, 127
  li a7, 93
  ecall
  .type interpret, @function
interpret:
  lla t0, table
  li a1, 1
  li a2, 0
next:
  lbu a3, 0(a0)
  addi a0, a0, 1
  slli a3, a3, 2
  add a3, a3, t0
  lw a4, 0(a3)
  add a3, a3, a4
  jr a3
.Lfour: addi a1, a1, 3
.Lthree: slli a1, a1, 1
.Ltwo: addi a1, a1, 5
  slli a1, a1, 2
.Lone: add a2, a2, a1
  j next
.Lnone: mv a0, a2
  ret
  .size interpret, .-interpret
  .section .rodata
  .balign 4
table: .4byte .Lnone - ., .Lone - ., .Ltwo - ., .Lthree - ., .Lfour - .
  .bss
program: .space 16
