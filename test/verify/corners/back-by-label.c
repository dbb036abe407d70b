/* f comes back only at a label right behind a call that never returns (a setjmp of its own); its caller keeps t3 over the call of f */
long buf[2]; long g;
long caller(long x, long y, long z);
asm(".text\n"
".globl back\n.type back,@function\nback:\n lla a5,buf\n ld a4,8(a5)\n ld sp,0(a5)\n jr a4\n.size back,.-back\n"
".type work,@function\nwork:\n andi a5,a0,7\n li a4,3\n beq a5,a4,1f\n lla a5,g\n ld a4,0(a5)\n add a4,a4,a0\n sd a4,0(a5)\n ret\n1: tail back\n.size work,.-work\n"
".type spin,@function\nspin:\n addi sp,sp,-16\n sd s0,0(sp)\n mv s0,a0\n1: mv a0,s0\n jal work\n addi s0,s0,1\n j 1b\n.size spin,.-spin\n"
".globl f\n.type f,@function\nf:\n addi sp,sp,-32\n sd ra,24(sp)\n sd s0,16(sp)\n lla a5,buf\n lla a4,2f\n sd a4,8(a5)\n sd sp,0(a5)\n jal spin\n2: ld ra,24(sp)\n ld s0,16(sp)\n addi sp,sp,32\n ret\n.size f,.-f\n"
".globl caller\n.type caller,@function\ncaller:\n addi sp,sp,-16\n sd ra,8(sp)\n mul t3,a0,a1\n xor t3,t3,a1\n beqz a2,1f\n jal f\n mv a0,t3\n ld ra,8(sp)\n addi sp,sp,16\n ret\n1: addi t3,t3,5\n slli a1,t3,3\n xor a0,t3,a1\n ld ra,8(sp)\n addi sp,sp,16\n ret\n.size caller,.-caller\n");
asm(".globl _start\n_start: ld a0,0(sp)\n jal go\n andi a0,a0,255\n li a7,93\n ecall\n");
char flags[8]; long go(long c) { if (c > 1) flags[3] = 1; long s = 1; for (long i = 0; i < 3000; i++) s = caller(i, s + i, flags[i & 7]) * 3 ^ s; return (s ^ s >> 8 ^ s >> 16 ^ g); }
