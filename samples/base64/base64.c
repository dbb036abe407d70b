/*
 * A filter: standard input to base64 in lines of 76 columns, byte by byte, decoded again and checked on the way, with the
 * CRC-32 of both sides at the end. Table look-ups, shifts, byte loads and stores, a call for every byte.
 */
#include "runtime.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static int8_t reverse[256];
static uint32_t crc_table[256];

struct crc {
  uint32_t value;
};

static void make_tables(void) {
  for (int c = 0; c < 256; c++) reverse[c] = -1;
  for (int i = 0; i < 64; i++) reverse[(unsigned char)alphabet[i]] = (int8_t)i;
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0xedb88320u : value >> 1;
    crc_table[i] = value;
  }
}

static void add(struct crc *crc, int byte) { crc->value = crc_table[(crc->value ^ (uint32_t)byte) & 255] ^ crc->value >> 8; }

struct decoder {
  uint32_t bits;
  int count, padding, bad;
  struct crc crc;
};

static void decode(struct decoder *d, int c) {
  if (c == '\n') return;
  if (c == '=') {
    d->padding++;
    return;
  }
  int value = reverse[c];
  if (value < 0 || d->padding) {
    d->bad++;
    return;
  }
  d->bits = d->bits << 6 | (uint32_t)value;
  d->count += 6;
  if (d->count >= 8) {
    d->count -= 8;
    add(&d->crc, (int)(d->bits >> d->count & 255));
  }
}

static int column;
static struct decoder decoder = {.crc = {0xffffffffu}};

static void emit(int c) {
  decode(&decoder, c);
  put_byte(c);
  if (++column == 76) {
    put_byte('\n');
    column = 0;
  }
}

int main(void) {
  struct crc crc = {0xffffffffu};
  uint32_t bits = 0;
  int count = 0, byte;
  uint64_t size = 0;
  make_tables();
  while ((byte = get_byte()) >= 0) {
    add(&crc, byte);
    size++;
    bits = bits << 8 | (uint32_t)byte;
    for (count += 8; count >= 6; count -= 6) emit(alphabet[bits >> (count - 6) & 63]);
  }
  if (count > 0) emit(alphabet[bits << (6 - count) & 63]);
  for (uint64_t rest = size % 3; rest > 0 && rest < 3; rest++) emit('=');
  if (column) put_byte('\n');
  put_text("# bytes ");
  put_integer((int64_t)size);
  put_text(", crc ");
  put_hex(~crc.value, 8);
  put_text(crc.value == decoder.crc.value && !decoder.bad ? ", decodes\n" : ", does not decode\n");
  return crc.value != decoder.crc.value;
}
