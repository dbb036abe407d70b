# A jump goes by an index beyond what another constant shows to be the end of its table.
# A jump reads a table whose second row begins at an address that code makes too; the second row leads to the label .Lrow.
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
  lla t3, T1
.Lrow:
  andi a3, a0, 3
  slli a3, a3, 2
  add a3, a3, t0
  lw a4, 0(a3)
  add a4, a4, t3
  jr a4
.La: addi a2, a2, 3
.Lb: slli a2, a2, 1
.Lc: addi a2, a2, 5
.Ld: mv a0, a2
  ret
.Lr0: addi a0, a0, 1
  ret
.Lr1: addi a0, a0, 2
  ret
.Lalt:
  lla t1, params
  ld t4, 0(t1)
  ld t5, 8(t1)
  mv t0, t4
  mv t3, t5
  lla t1, R1
  addi a5, a1, 1
  slli a5, a5, 3
  add a5, a5, t1
  ld a5, 0(a5)
  nop
  li a1, 0
  jr a5
.Lnever:
  lla t1, R2
  slli a5, a1, 3
  add a5, a5, t1
  ld a5, 0(a5)
  nop
  jr a5
  .size interpret, .-interpret
  .section .rodata
  .balign 8
T1: .4byte .La - T1, .Lb - T1, .Lc - T1, .Ld - T1
  .4byte 0,0
T2: .4byte 0x12345678, 0x12345678, 0x12345678, 0x12345678
  .4byte 0,0
R1: .dword .Lr0 , .Lr1 
R2: .dword .Lrow , .Lr1 
  .4byte 0,0
  .data
  .balign 8
params: .dword T2, .Larm2 - 0x12345678
