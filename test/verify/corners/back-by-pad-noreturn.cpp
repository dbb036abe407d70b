/* Returns by a landing pad alone, which lies right behind a call that never returns. */
extern "C" { long g; void f(long x); }
__attribute__((noinline,noclone)) void work(long x) { if ((x & 7) == 3) throw x; g++; }
__attribute__((noinline,noclone,noreturn)) void spin(long x) { for (;;) work(x++); }
__attribute__((noinline)) void f(long x) { try { spin(x); } catch (long v) { g += v & 7; } }
