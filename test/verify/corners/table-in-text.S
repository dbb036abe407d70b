/* Two entries of one function, by a table that lies in the text: of addresses of WIDTH bytes, or of distances from its start. */
#if WIDTH == 8
#define SHIFT 3
#define READ ld
#define ENTRY(label) .dword label
#elif WIDTH == 4
#define SHIFT 2
#define READ lw
#define ENTRY(label) .word label
#else
#define SHIFT 2
#define READ lw
#define ENTRY(label) .word label - .Ltable
#endif
  .option norelax
  .text
  .globl _start
  .type _start, @function
_start:
  ld s2, 0(sp)
  li s0, 4000
  li s1, 0
.Lagain:
  mv a0, s1
  la a1, .Ltable
  li a2, 0
  call .Lby
  mv s1, a0
  addi s0, s0, -1
  bnez s0, .Lagain
  /* The second entry with two arguments, the first with one. */
  mv a0, s1
  la a1, .Ltable
  addi a2, s2, -2
  call .Lby
  andi a0, a0, 127
  li a7, 93
  ecall
  .size _start, . - _start
  .p2align 2
.Lby:
  slli a2, a2, SHIFT
  add t2, a1, a2
  READ t1, 0(t2)
#if WIDTH == 0
  add t1, t1, a1
#endif
  addi sp, sp, -16
  sd ra, 8(sp)
  jalr t1
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
  .p2align 2
.Lone:
  c.addi a0, 3
.Ltwo:
  c.addi a0, 5
  c.addi a0, 1
  c.addi a0, 1
  xori a0, a0, 1
  c.jr ra
  .p2align 3
  .word 0
.Ltable:
  ENTRY(.Lone)
  ENTRY(.Ltwo)
  .p2align 3
