# Jump tables by way of t0 and of ra, whose arms read what was put into other registers before; a call into the middle of its own function.
  .globl _start
  .option norelax
_start:
  ld a0, 16(sp)
  lbu s3, 0(a0)
  andi s3, s3, 1
  li s0, 3000
1:
  mv a0, s0
  call by_t0
  add s2, s2, a0
  mv a0, s0
  call by_ra
  add s2, s2, a0
  mv a0, s0
  call middle
  add s2, s2, a0
  addi s0, s0, -1
  bnez s0, 1b
  andi a0, s2, 127
  li a7, 93
  ecall
  .type by_t0, @function
by_t0:
  andi a1, a0, 1
  slli t1, a0, 3
  addi t2, a0, 77
  xor a5, a0, t2
  lla t0, arms
  slli a1, a1, 3
  add t0, t0, a1
  ld t0, 0(t0)
  jr t0
.La:
  add a0, t1, t2
  ret
.Lb:
  sub a0, t1, t2
  add a0, a0, a5
  ret
  .size by_t0, .-by_t0
  .type by_ra, @function
by_ra:
  mv a4, ra
  andi a1, a0, 1
  slli t1, a0, 3
  addi t2, a0, 77
  lla ra, others
  slli a1, a1, 3
  add ra, ra, a1
  ld ra, 0(ra)
  jr ra
.Lc:
  add a0, t1, t2
  jr a4
.Ld:
  sub a0, t1, t2
  jr a4
  .size by_ra, .-by_ra
  .type middle, @function
middle:
  addi sp, sp, -16
  sd ra, 8(sp)
  andi a1, a0, 3
  mul a1, a1, s3
  slli a1, a1, 1
  lla t1, sequence
  add t1, t1, a1
  jalr t1
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
sequence:
  addi a0, a0, 1
  slli a0, a0, 1
  addi a0, a0, 3
  slli a0, a0, 1
  ret
  .size middle, .-middle
  .data
  .balign 8
arms: .dword .La, .Lb
others: .dword .Lc, .Ld
