/*
 * Makes the system calls that its first argument tells, one after the other, and says what each returned and whether it changed memory.
 *
 * A step is `number a0 a1 a2 a3 a4 a5;`, shorter where the rest is 0. An argument is a decimal number, `@n` (the arena and n), `^n` (memory that is not
 * compared, and n), or `#k` and `#k+n` (what step k returned). `~` before the number: of the result only its sign is told, or the error. Numbers below 0 are
 * steps of its own: -1 reads eight bytes, -2 writes them, -3 tells of a struct stat, -4 installs a handler (signal, flags, mask), -5 tells memory.
 *
 * Built for x86-64 it asks the host's Linux the same: numbers are RISC-V's, which the table translates.
 */
#include <stdint.h>

int printf(const char *, ...);

#ifdef __x86_64__
static const short numbers[] = {
    [17] = 79,   [23] = 32,   [24] = 292,  [25] = 72,   [29] = 16,   [32] = 73,   [33] = 259,  [34] = 258,  [35] = 263,  [36] = 266,  [37] = 265,
    [43] = 137,  [44] = 138,  [45] = 76,   [46] = 77,   [47] = 285,  [48] = 269,  [49] = 80,   [52] = 91,   [53] = 268,  [56] = 257,  [57] = 3,
    [59] = 293,  [61] = 217,  [62] = 8,    [63] = 1000, [64] = 1,    [65] = 19,   [66] = 20,   [67] = 17,   [68] = 18,   [71] = 40,   [73] = 271,
    [78] = 267,  [79] = 262,  [80] = 5,    [82] = 74,   [83] = 75,   [88] = 280,  [101] = 35,  [102] = 36,  [113] = 228, [114] = 229, [122] = 203,
    [123] = 204, [129] = 62,  [130] = 200, [132] = 131, [134] = 13,  [135] = 14,  [136] = 127, [137] = 128, [153] = 100, [155] = 121, [160] = 63,
    [166] = 95,  [167] = 157, [169] = 96,  [172] = 39,  [173] = 110, [174] = 102, [178] = 186, [179] = 99,  [214] = 12,  [215] = 11,  [216] = 25,
    [222] = 9,   [223] = 221, [226] = 10,  [227] = 26,  [228] = 149, [232] = 27,  [233] = 28,  [261] = 302, [276] = 316, [278] = 318, [285] = 326,
    [291] = 332, [19] = 290,  [20] = 291,  [21] = 1233, [22] = 1281, [74] = 1289, [85] = 1283, [86] = 1286, [87] = 1287, [107] = 222, [108] = 224,
    [109] = 225, [110] = 223, [111] = 226, [199] = 53,  [206] = 44,  [207] = 45,  [209] = 55,  [210] = 48};
#endif

#define ARENA (1 << 14)
#define NAME 64
/* What lies behind the arena is the same everywhere. */
static struct {
  char arena[ARENA], unseen[ARENA];
} memory __attribute__((aligned(4096)));
#define arena memory.arena
#define unseen memory.unseen
static long results[256];

static const char *const names[] = {"a",   "b",        "d",    "d/c", "l",    "p",  "nowhere/x", "", "/dev/null/x", "..", ".", "a/x", "d/../a", "./b",
                                    "d/e", "d/", "d//c", "l/x", "a/", "/dev/null", "/proc/self/exe"};

static long call(long n, const long *a) {
#ifdef __x86_64__
  // What has no number there has none here.
  long number = n < sizeof numbers / sizeof *numbers && numbers[n] ? numbers[n] % 1000 : 9999;
  register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall" : "+a"(number) : "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return number;
#else
  register long a0 __asm__("a0") = a[0], a1 __asm__("a1") = a[1], a2 __asm__("a2") = a[2], a3 __asm__("a3") = a[3];
  register long a4 __asm__("a4") = a[4], a5 __asm__("a5") = a[5], a7 __asm__("a7") = n;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
  return a0;
#endif
}

static volatile long faults;

/* Peek and poke are one instruction each, which a fault in it is told of and passed over. The saved pc is told by where Linux puts it. */
#ifdef __x86_64__
#define PC 168
#define SIZE 3
#else
#define PC 176
#define SIZE 4
#endif
static void handler(int number, int *info, char *context) {
  if ((number == 11 || number == 7) && info[2] > 0) {
    faults = number * 1000 + info[2];
    *(long *)(context + PC) += SIZE;
    return;
  }
  printf("[signal %d code %d]", number, info[2]);
}

static long peek(long at) {
  long value = 0;
#ifdef __x86_64__
  __asm__ volatile("movq (%%rcx), %%rax" : "=a"(value) : "c"(at), "a"(0) : "memory");
#else
  __asm__ volatile(".option push\n.option norvc\nld %0, 0(%1)\n.option pop" : "+r"(value) : "r"(at) : "memory");
#endif
  return value;
}
static void poke(long at, long value) {
#ifdef __x86_64__
  __asm__ volatile("movq %%rax, (%%rcx)" ::"a"(value), "c"(at) : "memory");
#else
  __asm__ volatile(".option push\n.option norvc\nsd %0, 0(%1)\n.option pop" ::"r"(value), "r"(at) : "memory");
#endif
}

static unsigned hash(void) {
  uint64_t h = 1469598103934665603u;
  for (int i = 0; i < ARENA; i += 8) h = (h ^ *(uint64_t *)(arena + i)) * 1099511628211u, h ^= h >> 29;
  return h ^ (h >> 32);
}

#ifdef __x86_64__
void back(void);
__asm__("back: mov $15, %eax\n syscall");
#endif

static long install(long number, long flags, long mask) {
  struct {
    void *handler;
    long flags;
#ifdef __x86_64__
    void *restorer;
#endif
    long mask;
  } action = {.handler = handler, .flags = flags | 4, .mask = mask};
#ifdef __x86_64__
  action.flags |= 0x04000000;
  action.restorer = back;
#endif
  long a[6] = {number, (long)&action, 0, 8};
  return call(134, a);
}

static const char *at;
static long number(void) {
  long value = 0, sign = 1;
  if (*at == '-') sign = -1, at++;
  while (*at >= '0' && *at <= '9') value = value * 10 + (*at++ - '0');
  return value * sign;
}
static long argument(void) {
  switch (*at) {
    case '@': at++; return (long)arena + number();
    case '^': at++; return (long)unseen + number();
    case '#': {
      at++;
      long value = results[number() & 255];
      if (*at == '+') at++, value += number();
      return value;
    }
    default: return number();
  }
}

static void told(int k, long value) {
  if (value < 0 && value > -4096) printf("%d: error %d", k, (int)-value);
  else printf("%d: %X%X", k, (unsigned)((unsigned long)value >> 32), (unsigned)value);
}

#ifdef __x86_64__
extern void *stdout;
void setbuf(void *, char *);
#endif

int main(int argc, char **argv) {
#ifdef __x86_64__
  setbuf(stdout, 0);
#endif
  for (int i = 0; i < sizeof names / sizeof *names; i++)
    for (int k = 0; names[i][k]; k++) arena[i * NAME + k] = names[i][k];
  for (int k = 0; k < 300; k++) arena[24 * NAME + k] = 'n';
  for (int k = 0; k < 2048; k++) arena[4096 + k] = "some text of lines\n"[k % 19];
  install(11, 0, 0);
  install(7, 0, 0);
  unsigned last = hash();
  at = argv[1];
  for (int k = 0; *at; k++) {
    int vague = *at == '~';
    if (vague) at++;
    long n = number(), a[6] = {0};
    for (int i = 0; i < 6 && *at == ' '; i++) at++, a[i] = argument();
    at++;
    long result = 0;
    faults = 0;
    if (n >= 0) result = call(n, a);
    else if (n == -1) result = peek(a[0]);
    else if (n == -2) poke(a[0], a[1]);
    else if (n == -4) result = install(a[0], a[1], a[2]);
    results[k & 255] = result;
    if (faults) printf("%d: fault %d", k, (int)faults);
    else if (n == -3 && results[(k - 1) & 255] < 0) printf("%d: none", k);
    else if (n == -3) {
      unsigned *s = (unsigned *)a[0];
#ifdef __x86_64__
      unsigned mode = s[6], links = s[4];
#else
      unsigned mode = s[4], links = s[5];
#endif
      // How long a directory is, and what leads to it, is the file system's.
      if ((mode >> 12) == 4) printf("%d: mode %X", k, mode);
      else printf("%d: mode %X links %u size %u", k, mode, links, s[12]);
    } else if (n == -5) {
      printf("%d:", k);
      for (int i = 0; i < a[1]; i++) printf(" %X", ((unsigned char *)a[0])[i]);
    } else if (vague && result >= 0) printf("%d: fine", k);
    else if (vague && !(result > -4096)) printf("%d: fine", k);
    else told(k, result);
    unsigned now = hash();
    if (now != last) printf(" memory %X", now);
    last = now;
    printf("\n");
  }
  return 0;
}
