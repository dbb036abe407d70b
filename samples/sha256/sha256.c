/*
 * SHA-256 of each line of standard input, then a proof of work: the first number that, written behind the last digest,
 * gives a digest with so many leading zero bits (FIPS 180-4). Rotations, 32-bit arithmetic, unrolled straight lines.
 */
#include "runtime.h"

struct hash {
  uint32_t state[8];
  uint8_t block[64];
  uint32_t used;
  uint64_t bytes;
};

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t value, int by) { return value >> by | value << (32 - by); }

static void compress(uint32_t *state, const uint8_t *block) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16 | (uint32_t)block[i * 4 + 2] << 8 | block[i * 4 + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7] + (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    uint32_t t = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
    uint32_t u = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t;
    d = c, c = b, b = a, a = t + u;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void start(struct hash *hash) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, initial, sizeof initial);
  hash->used = 0;
  hash->bytes = 0;
}

static void add(struct hash *hash, const void *data, size_t count) {
  const uint8_t *from = data;
  hash->bytes += count;
  while (count-- > 0) {
    hash->block[hash->used++] = *from++;
    if (hash->used == 64) {
      compress(hash->state, hash->block);
      hash->used = 0;
    }
  }
}

static void end(struct hash *hash, uint8_t *digest) {
  uint64_t bits = hash->bytes * 8;
  uint8_t byte = 0x80;
  do {
    add(hash, &byte, 1);
    byte = 0;
  } while (hash->used != 56);
  uint8_t size[8];
  for (int i = 0; i < 8; i++) size[i] = (uint8_t)(bits >> (56 - 8 * i));
  add(hash, size, 8);
  for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - i % 4 * 8));
}

static int leading_zeros(const uint8_t *digest) {
  int zeros = 0;
  for (int i = 0; i < 32; i++) {
    for (int bit = 7; bit >= 0; bit--) {
      if (digest[i] >> bit & 1) return zeros;
      zeros++;
    }
  }
  return zeros;
}

static void show(const uint8_t *digest) {
  for (int i = 0; i < 32; i++) put_hex(digest[i], 2);
}

int main(void) {
  static char line[512];
  uint8_t digest[32] = {0};
  struct hash hash;
  int length, wanted = 0;
  while ((length = get_line(line, sizeof line)) >= 0) {
    start(&hash);
    add(&hash, line, (size_t)length);
    end(&hash, digest);
    show(digest);
    put_text("  ");
    put_text(line);
    put_byte('\n');
    wanted++;
  }
  if (wanted > 12) wanted = 12;
  for (uint64_t number = 0;; number++) {
    uint8_t tail[8], worked[32];
    for (int i = 0; i < 8; i++) tail[i] = (uint8_t)(number >> (8 * i));
    start(&hash);
    add(&hash, digest, sizeof digest);
    add(&hash, tail, sizeof tail);
    end(&hash, worked);
    if (leading_zeros(worked) < wanted) continue;
    show(worked);
    put_text("  work ");
    put_integer((int64_t)number);
    put_byte('\n');
    return 0;
  }
}
