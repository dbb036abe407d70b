# A direct callee changes s1 and s2, from which its caller reads a table, against the psABI.
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
  lla s1, T1
  lla s2, T1
  mv s11,ra;jal ra, setup;mv ra,s11
  andi a3, a0, 3
  slli a3, a3, 2
  add a3, a3, s1
  lw a4, 0(a3)
  add a4, a4, s2
  jr a4
.La: addi a2, a2, 3
.Lb: slli a2, a2, 1
.Lc: addi a2, a2, 5
.Ld: mv a0, a2
  ret
  .size interpret, .-interpret
  .type setup, @function
setup:
  beqz a1, 1f
  lla t1, params
  ld s1, 0(t1)
  ld s2, 8(t1)
  li a1, 0
1: ret
  .size setup, .-setup
  .section .rodata
  .balign 8
T1: .4byte .La - T1, .Lb - T1, .Lc - T1, .Ld - T1
  .4byte 0,0
T2: .4byte 0x12345678, 0x12345678, 0x12345678, 0x12345678
  .4byte 0,0
  .data
  .balign 8
params: .dword T2, .Larm2 - 0x12345678
