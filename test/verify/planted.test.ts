/**
 * Does the rerun catch what it must? Wrong edits of many kinds are planted in the code of optimized files, each in an instruction that
 * runs. What the rerun calls different must be blamed on the superblock that was edited; what it calls equivalent must be: such
 * a file gives the same output under qemu.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Reg } from '../../src/base/units.ts';
import { facts } from '../../src/domain/record.ts';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { writeExecutable } from '../../src/elf/write.ts';
import type { MappedSuperblock } from '../../src/emit/map.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { compress, encode, makeInsn } from '../../src/isa/encode.ts';
import { immediateFits } from '../../src/isa/fields.ts';
import type { Insn } from '../../src/isa/row.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { rerun } from '../../src/verify/rerun.ts';
import { compile, needs, qemu } from '../support/tools.ts';

// Without a C library: a few hundred instructions, so that one rerun takes a fraction of a second.
const PROGRAM = `
struct node { struct node *left, *right; long key, count; };
static struct node pool[256];
static int used;
static char text[32];
static long call(long n, long a, long b, long c) {
  register long a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a7 asm("a7") = n;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}
__attribute__((noinline)) static int put(unsigned long x) {
  int size = 0;
  do text[size++] = "0123456789abcdef"[x & 15]; while (x >>= 4);
  text[size++] = 10;
  return size;
}
static struct node *insert(struct node *at, long key) {
  if (!at) { at = &pool[used++]; at->key = key; at->count = 1; return at; }
  if (key < at->key) at->left = insert(at->left, key);
  else if (key > at->key) at->right = insert(at->right, key);
  else at->count++;
  return at;
}
static long walk(const struct node *at, int depth) {
  return at ? walk(at->left, depth + 1) * 3 + (at->key - depth) * at->count - walk(at->right, depth + 1) : 1;
}
__attribute__((noinline)) static double wave(int n) {
  double x = 0.5, sum = 0;
  for (int i = 1; i < n; i++) { x = 3.7 * x * (1 - x); sum += x / i; }
  return sum;
}
__attribute__((noinline)) static int step(int op, int a) {
  switch (op) {
    case 0: return a + 13;
    case 1: return a * 7;
    case 2: return a ^ 0x5a5a;
    case 3: return a - (a >> 3);
    case 4: return ~a;
    case 5: return a << 1;
    default: return a / 3;
  }
}
int main(void) {
  struct node *root = 0;
  unsigned x = 12345, hash = 0;
  int state = 1;
  for (int i = 0; i < 400; i++) {
    x = x * 1103515245u + 12345u;
    root = insert(root, (x >> 16) % 200);
    state = step((x >> 20) % 7, state);
    int size = put(x);
    for (int k = 0; k < size; k++) hash = hash * 31 + (unsigned char)text[k];
    if (i % 100 == 99) call(64, 1, (long)text, put(hash ^ state));
  }
  union { double d; unsigned long bits; } sum = {wave(300)};
  call(64, 1, (long)text, put(walk(root, 0)));
  call(64, 1, (long)text, put(sum.bits));
  return hash & 63;
}
asm(".globl _start\\n_start: .option push\\n.option norelax\\nlla gp,__global_pointer$\\n.option pop\\ncall main\\nli a7,93\\necall\\n");`;

/** Makes a wrong instruction of a right one; undefined where the kind does not apply. */
type Edit = (insn: Insn) => Insn | undefined;

const isCompute = (insn: Insn) => facts(insn).pure && facts(insn).writes !== undefined;
const nothing = makeInsn('addi', {});
const withImm = (insn: Insn, imm: number): Insn | undefined =>
  immediateFits(insn.row, imm) ? { ...insn, imm } : undefined;
const two = (insn: Insn) => facts(insn).reads.length === 2 && insn.rs1 !== insn.rs2;

const EDITS: Record<string, Edit> = {
  'store dropped': (i) => (facts(i).store ? nothing : undefined),
  'store to another place': (i) => (facts(i).store ? withImm(i, i.imm + 8) : undefined),
  'store of another register': (i) =>
    facts(i).store && i.rs2 !== i.rs1 && i.rs2 < 32 ? { ...i, rs2: i.rs1 } : undefined,
  'load dropped': (i) => (facts(i).load ? nothing : undefined),
  'load from another place': (i) => (facts(i).load ? withImm(i, i.imm + 4) : undefined),
  'immediate off by one': (i) => (isCompute(i) && i.row.format === 'I' ? withImm(i, i.imm + 1) : undefined),
  'shift off by one': (i) => (i.row.format === 'shift' ? withImm(i, (i.imm + 1) & 31) : undefined),
  'operands swapped': (i) =>
    isCompute(i) && i.row.format === 'R' && two(i) ? { ...i, rs1: i.rs2, rs2: i.rs1 } : undefined,
  'one operand twice': (i) => (isCompute(i) && i.row.format === 'R' && two(i) ? { ...i, rs2: i.rs1 } : undefined),
  'result to another register': (i) =>
    isCompute(i) && i.rd < 32 && i.rd > 9 ? { ...i, rd: (i.rd === 15 ? 14 : 15) as Reg } : undefined,
  'computation dropped': (i) => (isCompute(i) ? nothing : undefined),
  'branch inverted': (i) =>
    // Bit 12 of a branch tells beq from bne, blt from bge, bltu from bgeu.
    facts(i).control === 'branch' ? { ...decoded(encode(i) ^ 0x1000), size: i.size } : undefined,
  'branch to another place': (i) => (facts(i).control === 'branch' ? withImm(i, i.imm + 4) : undefined),
  'branch dropped': (i) => (facts(i).control === 'branch' ? nothing : undefined),
  'jump to another place': (i) => (facts(i).control === 'jump' ? withImm(i, i.imm + 4) : undefined),
  'rounding of a sum': (i) => (facts(i).accrues && i.row.format === 'R' && i.rm === 7 ? { ...i, rm: 1 } : undefined),
};

function decoded(word: number): Insn {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, word >>> 0, true);
  return decodeAt(bytes, 0)!;
}

/** The bytes of an edit that fits in the place of the original instruction. */
function bytesOf(insn: Insn, size: 2 | 4): Uint8Array | undefined {
  const out = new Uint8Array(size);
  const word = size === 4 ? encode(insn) : compress(insn);
  if (word === undefined) return undefined;
  for (let i = 0; i < size; i++) out[i] = word >>> (8 * i);
  return out;
}

/** Cases tried of each kind. */
const TRIED = 6;

describe.runIf(needs('planted edits', 'gcc', 'qemu'))('wrong edits planted in an optimized file', () => {
  let dir: string;
  let original: Image;
  let optimized: Uint8Array;
  let superblocks: readonly MappedSuperblock[];
  let expected: { status: number; stdout: Buffer };
  const input = { cwd: '/tmp', grants: [], memorySize: 2 ** 26 };

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'isoform-planted-'));
    original = readImage(compile(PROGRAM, ['-O2', '-static', '-nostdlib']));
    const { profile } = profileRun({ image: original, input });
    const result = optimize(original, profile.images[0]!);
    optimized = result.bytes;
    superblocks = [...result.map.superblocks].sort((a, b) => b.count - a.count || a.start - b.start);
    expected = qemu(original.file);
    const right = rerun({ original, optimized: parseImage(optimized, 'optimized'), input });
    expect(right.differences).toEqual([]);
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** Instructions of this kind in the hottest superblocks, a few of each superblock. */
  function* places(edit: Edit): Generator<{ superblock: MappedSuperblock; offset: number; bytes: Uint8Array }> {
    const image = parseImage(optimized, 'optimized');
    for (const superblock of superblocks) {
      const segment = image.segments.find(
        (s) => superblock.start >= s.address && superblock.start < s.address + s.size,
      )!;
      let taken = 0;
      for (let at = superblock.start; at < superblock.end && taken < 2; ) {
        const insn = decodeAt(segment.bytes, at - segment.address);
        if (!insn) break;
        const wrong = edit(insn);
        const bytes = wrong && bytesOf(wrong, insn.size);
        if (bytes) {
          taken++;
          yield { superblock, offset: segment.offset + (at - segment.address), bytes };
        }
        at += insn.size;
      }
    }
  }

  for (const [kind, edit] of Object.entries(EDITS))
    test(kind, () => {
      let different = 0;
      let tried = 0;
      for (const { superblock, offset, bytes } of places(edit)) {
        if (tried++ === TRIED || different === 2) break;
        const wrong = Uint8Array.from(optimized);
        wrong.set(bytes, offset);
        const result = rerun({ original, optimized: parseImage(wrong, 'wrong'), input });
        if (result.verdict === 'different') {
          different++;
          expect(result.differences[0]!.superblock).toBe(superblock.head);
          expect(result.differences[0]!.superblockSymbol).toBeDefined();
        } else {
          const file = join(dir, 'wrong');
          writeExecutable(file, wrong);
          const actual = qemu(file);
          expect(actual.stdout.toString()).toBe(expected.stdout.toString());
          expect(actual.status).toBe(expected.status);
        }
      }
      expect(different).toBeGreaterThan(0);
    });
});
