#include "runtime.h"

enum { SYS_READ = 63, SYS_WRITE = 64, SYS_EXIT_GROUP = 94 };

static long system_call(long number, long a, long b, long c) {
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

static unsigned char input[4096], output[4096];
static size_t input_at, input_end, output_end;

static void flush(void) {
  size_t done = 0;
  while (done < output_end) {
    long wrote = system_call(SYS_WRITE, 1, (long)(output + done), (long)(output_end - done));
    if (wrote <= 0) break;
    done += (size_t)wrote;
  }
  output_end = 0;
}

void finish(int status) {
  flush();
  for (;;) system_call(SYS_EXIT_GROUP, status, 0, 0);
}

int get_byte(void) {
  if (input_at == input_end) {
    long count = system_call(SYS_READ, 0, (long)input, sizeof input);
    if (count <= 0) return -1;
    input_at = 0;
    input_end = (size_t)count;
  }
  return input[input_at++];
}

static int peek_byte(void) {
  int byte = get_byte();
  if (byte >= 0) input_at--;
  return byte;
}

int get_line(char *line, int size) {
  int length = 0, byte;
  do byte = get_byte();
  while (byte == ' ' || byte == '\t' || byte == '\n');
  if (byte < 0) return -1;
  for (; byte >= 0 && byte != '\n'; byte = get_byte())
    if (length < size - 1) line[length++] = (char)byte;
  line[length] = 0;
  return length;
}

static int skip_to_number(void) {
  int byte, negative = 0;
  while ((byte = peek_byte()) >= 0 && (byte < '0' || byte > '9')) {
    negative = byte == '-';
    get_byte();
  }
  return negative;
}

int64_t get_integer(void) {
  int negative = skip_to_number(), byte;
  int64_t value = 0;
  while ((byte = peek_byte()) >= '0' && byte <= '9') value = value * 10 + (get_byte() - '0');
  return negative ? -value : value;
}

double get_real(void) {
  int negative = skip_to_number(), byte;
  double value = 0, unit = 1;
  while ((byte = peek_byte()) >= '0' && byte <= '9') value = value * 10 + (get_byte() - '0');
  if (byte == '.') {
    get_byte();
    while ((byte = peek_byte()) >= '0' && byte <= '9') {
      value = value * 10 + (get_byte() - '0');
      unit *= 10;
    }
  }
  value /= unit;
  return negative ? -value : value;
}

size_t get_all(void *buffer, size_t size) {
  unsigned char *to = buffer;
  size_t count = 0;
  int byte;
  while (count < size && (byte = get_byte()) >= 0) to[count++] = (unsigned char)byte;
  return count;
}

void put_byte(int byte) {
  if (output_end == sizeof output) flush();
  output[output_end++] = (unsigned char)byte;
}

void put_bytes(const void *bytes, size_t count) {
  const unsigned char *from = bytes;
  while (count-- > 0) put_byte(*from++);
}

void put_text(const char *text) {
  while (*text) put_byte(*text++);
}

void put_column(int64_t value, int width) {
  char digits[24];
  int count = 0;
  uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
  do digits[count++] = (char)('0' + rest % 10);
  while (rest /= 10);
  if (value < 0) digits[count++] = '-';
  for (int pad = width - count; pad > 0; pad--) put_byte(' ');
  while (count > 0) put_byte(digits[--count]);
}

void put_integer(int64_t value) { put_column(value, 0); }

void put_hex(uint64_t value, int digits) {
  while (digits-- > 0) put_byte("0123456789abcdef"[value >> (digits * 4) & 15]);
}

void put_real(double value, int digits) {
  double unit = 1;
  if (value < 0) {
    put_byte('-');
    value = -value;
  }
  for (int i = 0; i < digits; i++) unit *= 10;
  uint64_t scaled = (uint64_t)(value * unit + 0.5), whole = (uint64_t)unit;
  put_integer((int64_t)(scaled / whole));
  if (digits == 0) return;
  put_byte('.');
  for (uint64_t rest = scaled % whole, place = whole / 10; place > 0; place /= 10)
    put_byte((int)('0' + rest / place % 10));
}

void *memcpy(void *to, const void *from, size_t count) {
  unsigned char *t = to;
  const unsigned char *f = from;
  while (count-- > 0) *t++ = *f++;
  return to;
}

void *memset(void *to, int byte, size_t count) {
  unsigned char *t = to;
  while (count-- > 0) *t++ = (unsigned char)byte;
  return to;
}

int memcmp(const void *a, const void *b, size_t count) {
  const unsigned char *x = a, *y = b;
  for (; count > 0; count--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  return length;
}
