# A function calls a place of its own. A jump that computes its target leads behind that place.
# Short distances in a table that is passed in lead to arms; a subroutine of the same function, which is called, lies before the arms.
  .globl _start
  .option norelax
_start:
  ld a0, 16(sp)
  lbu s3, 0(a0)
  addi s3, s3, -48
  slli s3, s3, 1
  li s4, 0
  li s0, 3000
again:
  mv a0, s0
  andi a1, s0, 1
  add a1, a1, s3
  lla a2, tp
  ld a2, 0(a2)
  jal ra, interpret
  add s4, s4, a0
  addi s0, s0, -1
  bnez s0, again
  andi a0, s4, 127
  li a7, 93
  ecall
  .globl interpret
  .type interpret, @function
interpret:
  mv t6, ra
  jal ra, .Lsub
  mv ra, t6
  slli a1, a1, 1
  add a2, a2, a1
  lh a2, 0(a2)
.Lbase:
  auipc t0, 0
  add a2, a2, t0
  jr a2
.Lsub:
  addi a0, a0, 3
  ret
.La:
  c.addi a0, 1
.Lc:
  c.slli a0, 1
  addi a0, a0, 3
  ret
.Lb:
  c.addi a0, 2
.Ld:
  c.slli a0, 2
  ret
  .size interpret, .-interpret
  .section .rodata
  .balign 8
table: .2byte .La - .Lbase, .Lb - .Lbase, .Lc - .Lbase, .Ld - .Lbase
  .data
  .balign 8
tp: .dword table
