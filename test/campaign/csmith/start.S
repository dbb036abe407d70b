/* Entry: global pointer, own relocations of a static PIE, main, exit. */
  .text
  .globl _start
  .type _start, @function
_start:
  .option push
  .option norelax
  lla   gp, __global_pointer$
  .option pop
  mv    s0, sp
  andi  sp, sp, -16
  lla   a0, __ehdr_start
  .weak _DYNAMIC
  .hidden _DYNAMIC
  lla   a1, _DYNAMIC
  call  relocate
  ld    a0, 0(s0)         /* argc */
  addi  a1, s0, 8         /* argv */
  call  main
  call  finish
  .size _start, .-_start
