/* A variable that lives in s11 is put into an object, which somebody else finds and changes, and taken from there again. The startup never returns. */
register long current __asm__("s11");
static long call(long number, long a, long b, long c) {
  register long a7 __asm__("a7") = number, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}
struct object { long how, value; };
static struct object *ring[16];
static int first, last;
__attribute__((noinline)) static void change(void) {
  struct object *object = ring[first++ & 15];
  object->value += current + object->how;
}
__attribute__((noinline)) static void step(long how) {
  struct object object;
  object.how = how;
  object.value = current;
  current = 7;
  ring[last++ & 15] = &object;
  change();
  current = object.value;
}
void _start(void) {
  __asm__ volatile(".option push\n.option norelax\nlla gp, __global_pointer$\n.option pop");
  current = 1;
  for (int i = 0; i < 3000; i++) step(i & 3);
  char text[17];
  for (int i = 0; i < 16; i++) text[i] = 'a' + (current >> 4 * i & 15);
  text[16] = '\n';
  call(64, 1, (long)text, 17);
  for (;;) call(93, 0, 0, 0);
}
