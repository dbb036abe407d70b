/*
 * What a generated program needs instead of a C library: printf for its checksums, a few string functions, an exit. A static PIE
 * relocates itself (R_RISCV_RELATIVE is all it has).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { SYS_WRITE = 64, SYS_EXIT_GROUP = 94 };
enum { DT_NULL = 0, DT_RELA = 7, DT_RELASZ = 8, R_RISCV_RELATIVE = 3 };

static long system_call(long number, long a, long b, long c) {
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

__attribute__((noreturn)) void finish(int status) {
  for (;;) system_call(SYS_EXIT_GROUP, status, 0, 0);
}

/* base: where the ELF header is; dynamic: pairs of tag and value, or null (or nonsense, where the program is linked at base). */
__attribute__((visibility("hidden"))) void relocate(char *base, const uint64_t *dynamic) {
#ifdef __pie__
  uint64_t at = 0, size = 0;
  for (; dynamic && dynamic[0] != DT_NULL; dynamic += 2) {
    if (dynamic[0] == DT_RELA) at = dynamic[1];
    if (dynamic[0] == DT_RELASZ) size = dynamic[1];
  }
  for (const uint64_t *rela = (const uint64_t *)(base + at), *end = rela + size / 8; rela < end; rela += 3)
    if ((uint32_t)rela[1] == R_RISCV_RELATIVE) *(uint64_t *)(base + rela[0]) = (uint64_t)base + rela[2];
#else
  (void)base;
  (void)dynamic;
#endif
}

#ifdef FAR
/* More than a jump reaches, between this text and what is put behind bss. */
__attribute__((used)) static char gap[4 << 20];
#endif

static char output[512];
static size_t output_end;

static void put(char byte) {
  if (output_end < sizeof output) output[output_end++] = byte;
}

static void put_number(uint64_t value, unsigned base) {
  char digits[24];
  int count = 0;
  do digits[count++] = "0123456789ABCDEF"[value % base];
  while (value /= base);
  while (count) put(digits[--count]);
}

/* %d, %u, %X, %s, with l: all that generated programs use. */
int printf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  output_end = 0;
  for (; *format; format++) {
    int wide = 0;
    if (*format != '%') {
      put(*format);
      continue;
    }
    while (*++format == 'l') wide = 1;
    if (*format == 's') {
      for (const char *text = va_arg(arguments, const char *); *text; text++) put(*text);
    } else if (*format == 'd') {
      int64_t value = wide ? va_arg(arguments, int64_t) : va_arg(arguments, int);
      if (value < 0) put('-');
      put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
    } else {
      uint64_t value = wide ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned);
      put_number(value, *format == 'u' ? 10 : 16);
    }
  }
  va_end(arguments);
  system_call(SYS_WRITE, 1, (long)output, (long)output_end);
  return (int)output_end;
}

int strcmp(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (unsigned char)*a - (unsigned char)*b;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
  for (size_t i = 0; i < count; i++) ((char *)to)[i] = ((const char *)from)[i];
  return to;
}

void *memmove(void *to, const void *from, size_t count) {
  if ((uintptr_t)to <= (uintptr_t)from) return memcpy(to, from, count);
  while (count--) ((char *)to)[count] = ((const char *)from)[count];
  return to;
}

void *memset(void *to, int byte, size_t count) {
  for (size_t i = 0; i < count; i++) ((char *)to)[i] = (char)byte;
  return to;
}

int memcmp(const void *a, const void *b, size_t count) {
  const unsigned char *left = a, *right = b;
  for (size_t i = 0; i < count; i++)
    if (left[i] != right[i]) return left[i] - right[i];
  return 0;
}
