// Something of each: a switch, a computed goto, callbacks, numbers, text, a table of functions, thread-local and constant data.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

struct entry {
  char name[12];
  int32_t key;
  double weight;
};

static struct entry entries[200];
static __thread unsigned seed;
static const char *const words[] = {"north", "east", "south", "west", "up", "down", "left", "right"};
static volatile long plain[] = {0x10400, 3, 0x20000, 1, 0, 0, 77};

NOINLINE static unsigned next(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed;
}

NOINLINE static int64_t apply(unsigned op, int64_t a, int64_t b) {
  switch (op) {
    case 0: return a + b;
    case 1: return a - b * 3;
    case 2: return a ^ (b << 7);
    case 3: return a * 31 + b;
    case 4: return b ? a % b : a;
    case 5: return a >> (b & 15);
    case 6: return a < b ? b : a;
    case 7: return -a;
    case 8: return a | (b & 0xff00);
    default: return a + plain[op % 7];
  }
}

NOINLINE static int64_t machine(const unsigned char *code) {
  static const void *const ops[] = {&&push, &&add, &&mul, &&dup, &&swap, &&less, &&halt};
  int64_t stack[80];
  int64_t *top = stack;
  *top = 1;
  goto *ops[*code++];
push: *++top = *code++; goto *ops[*code++];
add: *top += 5; goto *ops[*code++];
mul: *top *= 3; goto *ops[*code++];
dup: if (top < stack + 70) { top[1] = top[0]; top++; } goto *ops[*code++];
swap: if (top > stack) { int64_t t = top[0]; top[0] = top[-1]; top[-1] = t; } goto *ops[*code++];
less: if (top > stack) { top--; *top -= top[1]; } goto *ops[*code++];
halt: return *top;
}

static int by_key(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return x->key != y->key ? (x->key < y->key ? -1 : 1) : strcmp(x->name, y->name);
}
static int by_name(const void *a, const void *b) { return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name); }
static int by_weight(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return (x->weight > y->weight) - (x->weight < y->weight);
}
static int (*const orders[])(const void *, const void *) = {by_key, by_name, by_weight};

NOINLINE static int depth(int n) { return n < 2 ? 1 : depth(n - 1) + (n & 1 ? depth(n - 2) : 2); }

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 20;
  seed = argc > 2 ? (unsigned)atoi(argv[2]) : 12345;
  int64_t sum = 0;
  uint32_t hash = 5381;
  double total = 0;
  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < 200; i++) {
      struct entry *e = &entries[i];
      snprintf(e->name, sizeof e->name, "%s%u", words[next() & 7], next() % 50);
      e->key = (int32_t)(next() % 300) - 100;
      e->weight = sqrt((double)(next() % 1000)) / 7.0;
    }
    qsort(entries, 200, sizeof *entries, orders[next() % 3]);
    for (int i = 0; i < 200; i++) {
      sum = apply(next() % 11, sum, entries[i].key);
      total += entries[i].weight * (i & 3);
      for (const char *s = entries[i].name; *s; s++) hash = hash * 33 ^ (unsigned char)*s;
    }
    unsigned char code[64];
    for (int i = 0; i < 63; i++) code[i] = (unsigned char)(next() % 6);
    for (int i = 0; i < 62; i++) if (code[i] == 0 && code[i + 1] > 5) code[i + 1] = 1;
    code[62] = code[63] = 6;
    sum += machine(code) + depth(r % 14);
    if (r % 4 == 3) printf("%lld %u %.3f\n", (long long)sum, hash, total);
  }
  printf("%lld %08x %.6f %ld\n", (long long)sum, hash, total, plain[6]);
  return (int)(hash & 63);
}
