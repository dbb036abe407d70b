/* A new thread begins with a return to its first function, whose arguments lie in its first frame. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cooperative threads: all registers on the thread's own stack; a new thread's first frame has its arguments and its entry */
asm(".text\n.globl swtch\n.type swtch,@function\nswtch:\n addi sp,sp,-208\n"
 " sd ra,0(sp)\n sd s0,8(sp)\n sd s1,16(sp)\n sd s2,24(sp)\n sd s3,32(sp)\n sd s4,40(sp)\n sd s5,48(sp)\n sd s6,56(sp)\n sd s7,64(sp)\n sd s8,72(sp)\n sd s9,80(sp)\n sd s10,88(sp)\n sd s11,96(sp)\n"
 ""
 " sd sp,0(a0)\n ld sp,0(a1)\n"
 " ld ra,0(sp)\n ld s0,8(sp)\n ld s1,16(sp)\n ld s2,24(sp)\n ld s3,32(sp)\n ld s4,40(sp)\n ld s5,48(sp)\n ld s6,56(sp)\n ld s7,64(sp)\n ld s8,72(sp)\n ld s9,80(sp)\n ld s10,88(sp)\n ld s11,96(sp)\n"
 " ld a0,104(sp)\n ld a1,112(sp)\n ld a2,120(sp)\n ld a3,128(sp)\n addi sp,sp,208\n ret\n.size swtch,.-swtch\n");
void swtch(void **from, void **to);
static void *mainsp, *sp[4]; static int cur, done[4]; static char *stk[4]; static unsigned long sum;
static void thread(long a, long b, long c, long d) {
  for (int i = 0; i < 3; i++) { sum = sum*31 + a + 3*b + 5*c + 7*d + i; swtch(&sp[cur], &mainsp); }
  done[cur] = 1; for(;;) swtch(&sp[cur], &mainsp);
}
static void thread2(long a, long b) { thread(a, b, 1, 2); }
int main(int argc, char **argv) {
  int n = atoi(argv[1]); void (*entry)() = n > 1000 ? (void(*)())thread2 : (void(*)())thread;
  for (int t=0;t<4;t++) stk[t]=malloc(16384);
  for (int r = 0; r < n; r++) {
    for (int t=0;t<4;t++) { unsigned long *f=(unsigned long*)(stk[t]+16384-208-64); memset(f,0,208); f[0]=(unsigned long)entry; f[13]=r+t; f[14]=r*2+t; f[15]=r*3+t; f[16]=r^t; sp[t]=f; done[t]=0; }
    for (int k=0;k<4;k++) for (int t=0;t<4;t++) { cur=t; swtch(&mainsp,&sp[t]); }
  }
  printf("%lu\n", sum); return 0;
}
