# One function runs on into the next one behind an instruction that isoform does not know. A direct caller of the first reads t3 behind its call,
# which only the second one writes.
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
  mv a1, s4
  bnez s3, 1f
  ld t1, ptr
  jalr ra, 0(t1)
  j 2f
1: call g1
  xor a0, a0, t3
2: add s4, s4, a0
  addi s0, s0, -1
  bnez s0, again
  andi a0, s4, 127
  li a7, 93
  ecall
  .type g1, @function
g1:
  addi a1, a1, 1
  .option push
  .option arch, +zbc
  clmul a1, a1, a1
  .option pop
g2:
  slli t3, a0, 7
  xor t3, t3, a1
  srli a0, a0, 9
  add a0, a0, a1
  addi a0, a0, 13
  ret
  .size g1, .-g1
  .data
  .balign 8
ptr: .dword g2
