# A jump leads so many instructions behind the entry of another function as a variable says.
  .globl _start
  .option norelax
_start:
  ld a0, 16(sp)
  lbu s3, 0(a0)
  addi s3, s3, -48
  li s4, 0
  li s0, 3000
again:
  mv a0, s0
  mv a1, s3
  call interpret
  add s4, s4, a0
  addi s0, s0, -1
  bnez s0, again
  andi a0, s4, 127
  li a7, 93
  ecall
  .type interpret, @function
interpret:
  mv s5, ra
  bnez a1, 1f
  call unrolled
  mv ra, s5
  ret
1: lla t0, unrolled
  slli a1, a1, 1
  add t0, t0, a1
  call enter
  mv ra, s5
  ret
  .size interpret, .-interpret
  .type enter, @function
enter:
  jr t0
  .size enter, .-enter
  .type unrolled, @function
unrolled:
  c.addi a0, 1
  c.addi a0, 7
  c.slli a0, 1
  c.addi a0, 3
  ret
  .size unrolled, .-unrolled
