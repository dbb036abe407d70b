/* Entry of every sample: global pointer for relaxed accesses, arguments from the initial stack, main, exit. */
  .file "start.S"   /* else the symbol table gets the name of a temporary object */
  .text
  .globl _start
  .type _start, @function
_start:
  .option push
  .option norelax
  la    gp, __global_pointer$
  .option pop
  ld    a0, 0(sp)         /* argc */
  addi  a1, sp, 8         /* argv */
  andi  sp, sp, -16
  li    ra, 0             /* outermost frame */
  call  main
  tail  finish
  .size _start, .-_start
