extern "C" { long g; void f(long x); }
__attribute__((noinline)) void f(long x) { try { throw x; } catch (long v) { g += v & 7; } }
