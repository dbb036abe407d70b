/* A static PIE without a libc: relocates itself, then uses pointers that needed it. */
typedef unsigned long word;
typedef struct { word tag, value; } Dynamic;
typedef struct { word offset, info, addend; } Relocation;
extern Dynamic _DYNAMIC[] __attribute__((visibility("hidden")));
extern char __ehdr_start __attribute__((visibility("hidden")));

static long call(long number, long a, long b, long c) {
  register long a7 asm("a7") = number, a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}
static const char *const messages[] = {"relocated\n", "twice!!!!\n"};
static const char *const *volatile table = messages;

void begin(word *stack) {
  word base = (word)&__ehdr_start, rela = 0, size = 0;
  for (Dynamic *d = _DYNAMIC; d->tag; d++) {
    if (d->tag == 7) rela = base + d->value;
    if (d->tag == 8) size = d->value;
  }
  for (Relocation *r = (Relocation *)rela; (word)r < rela + size; r++)
    if ((r->info & 0xffffffff) == 3) *(word *)(base + r->offset) = base + r->addend;
  call(64, 1, (long)table[0], 10);
  call(64, 1, (long)table[1], 10);
  /* AT_PHDR (3) and AT_ENTRY (9) are where the image is. */
  word *at = stack + 1 + stack[0] + 1;
  while (*at++) ;
  int good = 0;
  for (; at[0]; at += 2) {
    if (at[0] == 3) good += at[1] == base + 64;
    if (at[0] == 9) good += at[1] == base + *(word *)(base + 24);
  }
  call(94, base != 0 ? good : 9, 0, 0);
}
asm(".globl _start\n_start:\nmv a0, sp\nandi sp, sp, -16\nj begin");
