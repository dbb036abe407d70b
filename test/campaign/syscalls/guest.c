/*
 * Makes the system calls that its first argument tells, one after the other, and says what each returned and whether it changed memory.
 *
 * A step is `number a0 a1 a2 a3 a4 a5;`, shorter where the rest is 0. An argument is a decimal number, `@n` (the arena and n), `^n` (memory that is not
 * compared, and n), or `#k` and `#k+n` (what step k returned). `~` before the number: of the result only its sign is told, or the error. Numbers below 0 are
 * steps of its own: -1 reads eight bytes, -2 writes them, -3 tells of a struct stat, -4 installs a handler (signal, flags, mask), -5 tells memory.
 */
#include <stdint.h>

int printf(const char *, ...);

#define ARENA (1 << 14)
#define NAME 64
static char arena[ARENA] __attribute__((aligned(4096)));
static char unseen[ARENA] __attribute__((aligned(4096)));
static long results[256];

static const char *const names[] = {"a",   "b",        "d",    "d/c", "l",    "p",  "nowhere/x", "", "/", "..", ".", "a/x", "d/../a", "./b",
                                    "d/e", "/dev/null", "d//c", "l/x", "/proc/self/exe"};

static long call(long n, const long *a) {
  register long a0 __asm__("a0") = a[0], a1 __asm__("a1") = a[1], a2 __asm__("a2") = a[2], a3 __asm__("a3") = a[3];
  register long a4 __asm__("a4") = a[4], a5 __asm__("a5") = a[5], a7 __asm__("a7") = n;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
  return a0;
}

static volatile long faults;

/* A fault is told and passed over: peek and poke are one instruction of four bytes. */
static void handler(int number, int *info, char *context) {
  if ((number == 11 || number == 7) && info[2] > 0) {
    faults = number * 1000 + info[2];
    *(long *)(context + 176) += 4;
    return;
  }
  printf("[signal %d code %d]", number, info[2]);
}

static long peek(long at) {
  long value = 0;
  __asm__ volatile(".option push\n.option norvc\nld %0, 0(%1)\n.option pop" : "=r"(value) : "r"(at) : "memory");
  return value;
}
static void poke(long at, long value) {
  __asm__ volatile(".option push\n.option norvc\nsd %0, 0(%1)\n.option pop" ::"r"(value), "r"(at) : "memory");
}

static unsigned hash(void) {
  uint64_t h = 1469598103934665603u;
  for (int i = 0; i < ARENA; i += 8) h = (h ^ *(uint64_t *)(arena + i)) * 1099511628211u, h ^= h >> 29;
  return h ^ (h >> 32);
}

static long install(long number, long flags, long mask) {
  struct {
    void *handler;
    long flags, mask;
  } action = {handler, flags | 4, mask};
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
  else printf("%d: %x%x", k, (unsigned)((unsigned long)value >> 32), (unsigned)value);
}

int main(int argc, char **argv) {
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
    else if (n == -3) {
      unsigned *s = (unsigned *)a[0];
      printf("%d: mode %x links %u size %u", k, s[4], s[5], s[12]);
    } else if (n == -5) {
      printf("%d:", k);
      for (int i = 0; i < a[1]; i++) printf(" %x", ((unsigned char *)a[0])[i]);
    } else if (vague && result >= 0) printf("%d: fine", k);
    else if (vague && !(result > -4096)) printf("%d: fine", k);
    else told(k, result);
    unsigned now = hash();
    if (now != last) printf(" memory %x", now);
    last = now;
    printf("\n");
  }
  return 0;
}
