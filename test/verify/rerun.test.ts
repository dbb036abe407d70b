import { describe, expect, test } from 'vitest';
import { RA, ZERO } from '../../src/base/units.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { encodeBytes, makeInsn } from '../../src/isa/encode.ts';
import { type RerunOptions, rerun } from '../../src/verify/rerun.ts';
import { moveCalls } from '../emit/move-calls.ts';
import { bareElf } from '../support/bare-elf.ts';
import { compile, compileFile, needs, qemu } from '../support/tools.ts';

const PROGRAM = `
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#define NOINLINE __attribute__((noinline))
static jmp_buf back;
static volatile int handled;
static void handler(int signal) { handled += signal; }
NOINLINE int bump(int x) { return x * 3 + 1; }
NOINLINE int drop(int x) { return x * 3 + 2; }
NOINLINE int twice(int x) { return bump(x) + bump(x + 1); }
NOINLINE void leave(int x) { if (x > 2) longjmp(back, x); }
NOINLINE char *words(int n) {
  char *text = malloc(64 * n);
  text[0] = 0;
  for (int i = 0; i < n; i++) sprintf(text + strlen(text), "%d,", twice(i));
  return text;
}
int main(int argc, char **argv) {
  signal(SIGUSR1, handler);
  char *text = words(argc + 4);
  puts(text);
  raise(SIGUSR1);
  int k = setjmp(back);
  if (k == 0) for (int i = 0; i < 5; i++) leave(i);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("%d %d %ld\\n", k, handled, (long)now.tv_nsec);
  char line[100];
  while (fgets(line, sizeof line, stdin)) fputs(line, stdout);
  free(text);
  FILE *file = fopen("note.txt", "w");
  fprintf(file, "%d\\n", twice(argc));
  fclose(file);
  return twice(1) & 15;
}`;

const input = (args: string[] = [], stdin = ''): RerunOptions['input'] => ({
  args,
  stdin: Buffer.from(stdin),
  cwd: '/tmp',
  grants: [],
  memorySize: 2 ** 26,
});

describe.runIf(needs('verification by rerun', 'gcc', 'gxx', 'qemu'))('rerun', () => {
  const load = () => {
    const original = readImage(compile(PROGRAM));
    return { original, functions: original.symbols.filter((s) => s.kind === 'function') };
  };

  test('all calls moved: equivalent, on several inputs', () => {
    const { original, functions } = load();
    const optimized = parseImage(moveCalls(original, functions, true).bytes, 'optimized');
    for (const engine of ['dispatch', 'threaded', 'basic']) {
      const result = rerun({ original, optimized, input: input(['x', 'y'], 'one\ntwo\n'), engine });
      expect(result.differences).toEqual([]);
      expect(result.verdict).toBe('equivalent');
      expect(result.original.syscalls).toBe(result.optimized.syscalls);
      expect(result.optimized.instructions).toBeGreaterThan(result.original.instructions);
      expect(result.original.exit).toEqual({ kind: 'status', status: 11 });
    }
    let shown = '';
    const sink = (_: number, bytes: Uint8Array) => {
      shown += Buffer.from(bytes).toString();
    };
    expect(rerun({ original, optimized, input: input(), sink }).verdict).toBe('equivalent');
    expect(shown.split('\n')[0]).toBe(qemu(original.file, [], { cwd: '/tmp' }).stdout.toString().split('\n')[0]);
  });

  test('exceptions through moved calls: equivalent', () => {
    const original = readImage(compileFile('test/emit/exceptions.cpp', ['-O2', '-static', '-std=c++14']));
    const functions = original.symbols.filter((s) => s.kind === 'function');
    const optimized = parseImage(moveCalls(original, functions, true).bytes, 'optimized');
    for (const args of [[], ['die']]) {
      const result = rerun({ original, optimized, input: input(args) });
      expect(result.differences).toEqual([]);
      expect(result.verdict).toBe('equivalent');
    }
  });

  test('a wrong callee is found, with the superblock it is in', () => {
    const { original, functions } = load();
    const at = (name: string) => original.symbols.find((s) => s.name === name)!;
    const twice = at('twice');
    let head = 0;
    const wrong = moveCalls(original, functions, true, (code, sites) => {
      const first = sites[0]!.returnAddress - 4;
      const site = sites.find(
        (s) => s.originalReturnAddress > twice.address + 4 && s.originalReturnAddress < twice.address + twice.size,
      )!;
      head = site.originalReturnAddress - 4;
      const here = site.returnAddress - 4;
      const jump = encodeBytes(makeInsn('jal', { rd: RA, imm: at('drop').address - here }), false);
      code.set(jump, here - first);
    });
    const result = rerun({ original, optimized: parseImage(wrong.bytes, 'wrong'), input: input() });
    expect(result.verdict).toBe('different');
    const [difference] = result.differences;
    expect(difference).toMatchObject({ kind: 'memory', superblock: head });
    expect(difference!.superblockSymbol).toMatch(/^twice\+/);
  });

  test('a loop, a crash and an early end are found', () => {
    const { original, functions } = load();
    const user = functions.filter((s) => s.name === 'twice');
    const jump = (imm: number) => encodeBytes(makeInsn('jal', { rd: ZERO, imm }), false);
    const edits: [string, Uint8Array][] = [
      ['progress', jump(0)],
      ['fault', encodeBytes(makeInsn('ebreak', {}), false)],
      ['fault', encodeBytes(makeInsn('ld', { rd: RA, rs1: ZERO, imm: 8 }), false)],
    ];
    for (const [kind, bytes] of edits) {
      const wrong = moveCalls(original, user, true, (code) => code.set(bytes, 0));
      const result = rerun({ original, optimized: parseImage(wrong.bytes, 'wrong'), input: input() });
      expect(result.differences).toHaveLength(1);
      expect(result.differences[0]!.kind).toBe(kind);
      expect(result.differences[0]!.superblockSymbol).toMatch(/^twice/);
    }
  });

  test('a difference in the original text is found, and no superblock is blamed', () => {
    const { original, functions } = load();
    const bytes = moveCalls(original, functions, true).bytes;
    const bump = original.symbols.find((s) => s.name === 'bump')!;
    const segment = original.segments.find((s) => bump.address >= s.address && bump.address < s.address + s.size)!;
    // The last two instructions of bump, `addiw a0,a0,1; ret`: make it add 2.
    const at = segment.offset + (bump.address - segment.address) + bump.size - 4;
    expect(bytes[at + 1]).toBe(0x25);
    bytes[at]! += 4;
    const result = rerun({ original, optimized: parseImage(bytes, 'wrong'), input: input() });
    expect(result.verdict).toBe('different');
    expect(result.differences[0]!.superblock).toBeUndefined();
  });

  test('files that do not belong together are refused', () => {
    const { original, functions } = load();
    const optimized = parseImage(moveCalls(original, functions, true).bytes, 'optimized');
    expect(() => rerun({ original, optimized: original, input: input() })).toThrow('has no address map');
    const other = readImage(compileFile('test/emit/exceptions.cpp', ['-O2', '-static', '-std=c++14']));
    expect(() => rerun({ original: other, optimized, input: input() })).toThrow('another file');
    expect(() => rerun({ original, optimized, input: input(), limitInstructions: 1000 })).toThrow('the limit');
  });
});

test('a table of program headers behind the code: equivalent', () => {
  const insn = (name: string, fields: object) => encodeBytes(makeInsn(name, fields), false);
  const code = Buffer.concat([
    insn('jal', { rd: RA, imm: 12 }),
    insn('addi', { rd: 17, imm: 93 }),
    insn('ecall', {}),
    insn('addi', { rd: 10, imm: 7 }),
    insn('jalr', { rs1: RA }),
  ]);
  const [address, table] = [0x10000, 64];
  const bytes = bareElf([{ address, bytes: Buffer.concat([code, Buffer.alloc(256)]), execute: true }], address);
  const { offset } = parseImage(bytes, 'bare').segments[0]!;
  // The second header is a PT_NULL, which the new segment's header replaces.
  const view = new DataView(bytes.buffer);
  bytes.copyWithin(offset + table, 64, 64 + 56);
  view.setBigUint64(32, BigInt(offset + table), true);
  view.setUint16(56, 2, true);
  const original = parseImage(bytes, 'original');
  const optimized = parseImage(moveCalls(original, [{ address, size: 4 }], false).bytes, 'optimized');
  expect(optimized.programHeaderOffset).toBe(original.programHeaderOffset);
  const result = rerun({ original, optimized, input: input() });
  expect(result.differences).toEqual([]);
  expect(result.original.exit).toEqual({ kind: 'status', status: 7 });
});
