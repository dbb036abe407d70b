/* futex(2) of one thread: nobody waits, and still words change and arguments are checked. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FUTEX(word, operation, value, fourth, other, third) \
  show(#operation, syscall(SYS_futex, word, operation, value, fourth, other, third))

static int word, other;
static void show(const char *what, long result) {
  printf("%s: %ld %s, %x\n", what, result, result == -1 ? strerror(errno) : "", other);
}

int main(void) {
  struct timespec soon = {0, 1000000};
  char *odd = (char *)&other + 1, *nowhere = (char *)8;
  for (int operation = 0; operation < 16; operation++) {
    other = 0x35;
    FUTEX(&word, FUTEX_WAKE_OP, 1, 1, &other, FUTEX_OP(operation, 5, FUTEX_OP_CMP_EQ, 0));
  }
  for (int comparison = 0; comparison < 8; comparison++)
    FUTEX(&word, FUTEX_WAKE_OP_PRIVATE, 1, 1, &other, FUTEX_OP(FUTEX_OP_ADD, -3 & 0xfff, comparison, 0));
  FUTEX(&word, FUTEX_WAKE_OP, 1, 1, nowhere, 0);
  FUTEX(&word, FUTEX_WAKE_OP, 1, 1, odd, 0);
  FUTEX(&word, FUTEX_CMP_REQUEUE, 1, 1, &other, 77);
  word = 77;
  FUTEX(&word, FUTEX_CMP_REQUEUE, 1, 1, &other, 77);
  FUTEX(&word, FUTEX_CMP_REQUEUE, -1, 1, &other, 77);
  FUTEX(&word, FUTEX_CMP_REQUEUE, 1, -1, &other, 77);
  FUTEX(&word, FUTEX_CMP_REQUEUE, 1, 1, odd, 77);
  FUTEX(&word, FUTEX_REQUEUE, 1, 1, &other, 0);
  FUTEX(&word, FUTEX_REQUEUE, -1, 1, &other, 0);
  FUTEX(&word, FUTEX_WAKE, -1, 0, 0, 0);
  FUTEX(&word, FUTEX_WAKE_BITSET, 1, 0, 0, 0);
  FUTEX(&word, FUTEX_WAKE_BITSET, 1, 0, 0, -1);
  FUTEX(&word, FUTEX_WAIT_BITSET, 77, &soon, 0, 0);
  FUTEX(&word, FUTEX_WAIT_BITSET, 77, &soon, 0, -1);
  FUTEX(&word, FUTEX_WAIT_BITSET, 1, &soon, 0, -1);
  FUTEX(&word, FUTEX_WAIT, 77, &soon, 0, 0);
  FUTEX(odd, FUTEX_WAKE, 1, 0, 0, 0);
  FUTEX(nowhere, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
  FUTEX(nowhere, FUTEX_WAIT_PRIVATE, 1, &soon, 0, 0);
  return 0;
}
