# A jump that is entered by a pointer, with another table, leads into another function, which reads t4.
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
# an unseen jump (computed on an unknown way) to another function that reads t4/t5
interpret:
  c.mv a2, a0
  bnez a0, .Lalt
  lla t0, T1
  lla t3, T1
.LL:
  andi a3, a0, 3
  slli a3, a3, 2
  add a3, a3, t0
  lw a4, 0(a3)
  add t4, a2, a0
  add a4, a4, t3
  jr a4
.La: addi a2, a2, 3
.Lb: slli a2, a2, 1
.Lc: addi a2, a2, 5
.Ld: mv a0, a2
  ret
.Lalt:
  lla t1, params
  slli a1, a1, 5
  add t1, t1, a1
  ld t0, 0(t1)
  ld t3, 8(t1)
  lla t1, lptr
  ld t1, 0(t1)
  li a1, 0
  jr t1
  .size interpret, .-interpret
  .type other, @function
other:
  mv a0, a2
  ret
  nop
.Lo: add a0, a2, t4
  ret
  .size other, .-other
  .section .rodata
  .balign 8
T1: .4byte .La - T1, .Lb - T1, .Lc - T1, .Ld - T1
  .4byte 0,0
T2: .4byte 0x12345678, 0x12345678, 0x12345678, 0x12345678
  .4byte 0,0
  .data
  .balign 8
lptr: .dword .LL
params: .dword T1, T1, .LL, 0
 .dword T2, .Lo - 0x12345678, .LL, 0
