# As label-from-elsewhere.S, by a jump to t0.
# Another function computes a target and jumps by a pointer to the very jump of this one.
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
  c.mv a2, a0
.Larm2:
  c.addi a2, 5
  bnez a1, .Lalt
  lla t0, T1
  andi a3, a0, 3
  slli a3, a3, 3
  add a3, a3, t0
  ld t0, 0(a3)
.LL:
  jr t0
.La: addi a2, a2, 3
.Lb: slli a2, a2, 1
.Lc: addi a2, a2, 5
.Ld: mv a0, a2
  ret
  .size interpret, .-interpret
  .type other, @function
other:
.Lalt:
  lla t1, params
  ld t2, 0(t1)
  ld t3, 8(t1)
  add t0,t2,t3
  ld t1, 16(t1)
  li a1, 0
  jr t1
  .size other, .-other
  .section .rodata
  .balign 8
T1: .dword .La, .Lb, .Lc, .Ld
  .4byte 0,0
  .data
  .balign 8
params: .dword 0x12345678, .Larm2 - 0x12345678, .LL
