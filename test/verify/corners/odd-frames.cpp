// Exceptions pass frames that are written by hand: one is marked as a signal's, one has a personality but no language-specific data.
#include <cstdio>
#include <cstdlib>
#include <unwind.h>
static long asked;
extern "C" _Unwind_Reason_Code askedFirst(int, _Unwind_Action action, _Unwind_Exception_Class, _Unwind_Exception *, _Unwind_Context *context) {
  if ((action & _UA_SEARCH_PHASE) && _Unwind_GetLanguageSpecificData(context) == 0) asked++;
  return _URC_CONTINUE_UNWIND;
}
#define THREE_CALLS(name, more)                                                                                        \
  ".text\n.globl " name "\n.type " name ", @function\n" name ": .cfi_startproc\n" more                                   \
  " addi sp, sp, -32\n .cfi_def_cfa_offset 32\n sd ra, 24(sp)\n .cfi_offset ra, -8\n sd s0, 16(sp)\n .cfi_offset s0, -16\n" \
  " sd s1, 8(sp)\n .cfi_offset s1, -24\n mv s0, a0\n call leaf\n mv s1, a0\n addi a0, s0, 1\n call leaf\n add s1, s1, a0\n" \
  " addi a0, s0, 2\n call leaf\n add a0, s1, a0\n ld ra, 24(sp)\n ld s0, 16(sp)\n ld s1, 8(sp)\n addi sp, sp, 32\n ret\n" \
  " .cfi_endproc\n.size " name ", .-" name "\n"
#ifdef SIGNAL
asm(THREE_CALLS("middle", " .cfi_signal_frame\n"));
#else
asm(THREE_CALLS("middle", " .cfi_personality 0x9b, askedAt\n") ".data\n.balign 8\naskedAt: .dword askedFirst\n.text\n");
#endif
extern "C" int middle(int);
extern "C" __attribute__((noinline)) int leaf(int x) {
  if (x % 97 == 96) throw x;
  int sum = x;
  for (int i = 0; i < (x & 15); i++) sum = (sum ^ i) & 4 ? sum * 3 + 1 : (sum >> 1) ^ i;
  return sum;
}
__attribute__((noinline)) int outer(int x) {
  int sum = 0;
  for (int i = 0; i < 3; i++) sum += middle(x + i);
  return sum;
}
int main(int, char **argv) {
  long sum = 0, caught = 0;
  for (int i = 0; i < atoi(argv[1]); i++) try {
      sum += outer(i);
    } catch (int x) {
      caught += x;
    }
  printf("%ld %ld %ld\n", sum, caught, asked);
  return 0;
}
