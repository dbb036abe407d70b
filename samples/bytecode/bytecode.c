/*
 * A stack machine: assembles the program on standard input, then interprets it. The interpreter is one switch in a loop,
 * which the compiler turns into a jump table: the shape of many script engines.
 *
 * Input: one instruction a line, "; ..." is a comment, "NAME:" is a label; operands are numbers or labels.
 */
#include "runtime.h"

enum opcode { PUSH, POP, DUP, OVER, SWAP, ADD, SUB, MUL, DIV, MOD, LESS, EQUAL, NOT, LOAD, STORE, FETCH, PUT, JUMP, IF, CALL, RETURN, PRINT, HALT, OPCODES };

static const char *const mnemonics[OPCODES] = {"push", "pop",  "dup",  "over",  "swap",  "add", "sub", "mul",  "div",    "mod",  "less", "equal",
                                               "not",  "load", "store", "fetch", "put", "jump", "if",  "call", "return", "print", "halt"};

struct instruction {
  int64_t operand;
  uint8_t opcode;
};

enum { CODE = 1024, LABELS = 128, STACK = 1024, CELLS = 65536 };
static struct instruction code[CODE];
static struct label {
  char name[16];
  int target;
} labels[LABELS];
static int label_count, code_count;
static int64_t stack[STACK], cells[CELLS], variables[32];
static int calls[STACK];

static void fail(const char *what, int64_t where) {
  put_text("error: ");
  put_text(what);
  put_text(" at ");
  put_integer(where);
  put_byte('\n');
  finish(1);
}

static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

/* A label's number; negative targets are not placed yet. */
static int label_named(const char *name) {
  for (int i = 0; i < label_count; i++)
    if (same(labels[i].name, name)) return i;
  if (label_count == LABELS) fail("too many labels", code_count);
  struct label *label = &labels[label_count];
  size_t length = strlen(name);
  if (length >= sizeof label->name) fail("label too long", code_count);
  memcpy(label->name, name, length + 1);
  label->target = -1;
  return label_count++;
}

static int word(char *line, int at, char **start) {
  while (line[at] == ' ' || line[at] == '\t') at++;
  *start = line + at;
  while (line[at] && line[at] != ' ' && line[at] != '\t' && line[at] != ';') at++;
  return at;
}

static void assemble(void) {
  static uint8_t by_label[CODE];
  char line[120];
  while (get_line(line, sizeof line) >= 0) {
    char *name, *operand;
    int at = word(line, 0, &name);
    if (at == (int)(name - line)) continue;
    if (line[at - 1] == ':') {
      line[at - 1] = 0;
      labels[label_named(name)].target = code_count;
      continue;
    }
    int end = line[at] == ' ' ? word(line, at + 1, &operand) : at;
    int has_operand = line[at] == ' ' && end > (int)(operand - line);
    line[at] = 0;
    int opcode = 0;
    while (opcode < OPCODES && !same(mnemonics[opcode], name)) opcode++;
    if (opcode == OPCODES || code_count == CODE) fail("unknown instruction", code_count);
    code[code_count].opcode = (uint8_t)opcode;
    if (has_operand) {
      line[end] = 0;
      int64_t value = 0;
      char *c = operand + (*operand == '-');
      if (*c >= '0' && *c <= '9') {
        for (; *c >= '0' && *c <= '9'; c++) value = value * 10 + (*c - '0');
        code[code_count].operand = *operand == '-' ? -value : value;
      } else {
        by_label[code_count] = 1;
        code[code_count].operand = label_named(operand);
      }
    }
    code_count++;
  }
  for (int i = 0; i < code_count; i++) {
    if (!by_label[i]) continue;
    int target = labels[code[i].operand].target;
    if (target < 0) fail("label without a place", i);
    code[i].operand = target;
  }
  if (code_count == CODE) code_count--;
  code[code_count].opcode = HALT;
}

static uint64_t interpret(void) {
  uint64_t steps = 0;
  int64_t *sp = stack + 2, *limit = stack + STACK - 2;
  int depth = 0;
  const struct instruction *pc = code;
  for (;;) {
    const struct instruction *now = pc++;
    steps++;
    switch (now->opcode) {
      case PUSH:
        if (sp >= limit) fail("stack overflow", now - code);
        *sp++ = now->operand;
        break;
      case POP:
        if (--sp < stack + 2) fail("stack underflow", now - code);
        break;
      case DUP:
        if (sp >= limit) fail("stack overflow", now - code);
        *sp = sp[-1];
        sp++;
        break;
      case OVER:
        if (sp >= limit) fail("stack overflow", now - code);
        *sp = sp[-2];
        sp++;
        break;
      case SWAP: {
        int64_t kept = sp[-1];
        sp[-1] = sp[-2];
        sp[-2] = kept;
        break;
      }
      case ADD: sp--; sp[-1] += *sp; break;
      case SUB: sp--; sp[-1] -= *sp; break;
      case MUL: sp--; sp[-1] *= *sp; break;
      case DIV:
        if (*--sp == 0) fail("division by zero", now - code);
        sp[-1] /= *sp;
        break;
      case MOD:
        if (*--sp == 0) fail("division by zero", now - code);
        sp[-1] %= *sp;
        break;
      case LESS: sp--; sp[-1] = sp[-1] < *sp; break;
      case EQUAL: sp--; sp[-1] = sp[-1] == *sp; break;
      case NOT: sp[-1] = !sp[-1]; break;
      case LOAD:
        if (sp >= limit) fail("stack overflow", now - code);
        *sp++ = variables[now->operand & 31];
        break;
      case STORE: variables[now->operand & 31] = *--sp; break;
      case FETCH: sp[-1] = cells[(uint64_t)sp[-1] % CELLS]; break;
      case PUT:
        sp -= 2;
        cells[(uint64_t)sp[1] % CELLS] = sp[0];
        break;
      case JUMP: pc = code + now->operand; break;
      case IF:
        if (*--sp) pc = code + now->operand;
        break;
      case CALL:
        if (depth == STACK) fail("too many calls", now - code);
        calls[depth++] = (int)(pc - code);
        pc = code + now->operand;
        break;
      case RETURN:
        if (depth == 0) fail("return without a call", now - code);
        pc = code + calls[--depth];
        break;
      case PRINT:
        put_integer(*--sp);
        put_byte('\n');
        break;
      case HALT: return steps;
    }
    if (sp < stack + 2) fail("stack underflow", now - code);
  }
}

int main(void) {
  assemble();
  uint64_t steps = interpret();
  put_text("steps ");
  put_integer((int64_t)steps);
  put_byte('\n');
  return 0;
}
