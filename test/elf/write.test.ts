import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import {
  addSegment,
  nextSegmentAddress,
  readNote,
  readOptimizedCode,
  type SegmentRequest,
  writeExecutable,
} from '../../src/elf/write.ts';
import { encodeBytes, makeInsn } from '../../src/isa/encode.ts';
import { bareElf } from '../support/bare-elf.ts';
import { compile, needs, qemu, run, tool } from '../support/tools.ts';

// Thread-local data makes glibc look for the program headers; the function runs through the new segment.
const PROGRAM = `
#include <stdio.h>
#include <stdlib.h>
__thread int counter = 7;
static char space[1 << 20];
__attribute__((noinline)) int add(int a, int b) { return a + b + counter; }
int main(int argc, char **argv) {
  char *text = malloc(100);
  sprintf(text, "sum %d %d", add(argc, 3), space[argc]);
  puts(text);
  return add(1, 2);
}`;

// A static PIE without a C library: relocates itself.
const PIE = `
static long call(long n, long a, long b, long c) {
  register long a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a7 asm("a7") = n;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}
const char *words[] = {"one\\n", "two\\n"};
__attribute__((noinline)) int add(int a, int b) { asm volatile(""); return a + b; }
int main(void) { call(64, 1, (long)words[add(0, 1)], 4); return add(4, 5); }
asm(".globl _start\\n_start: .option push\\n.option norelax\\nlla gp,__global_pointer$\\n.option pop\\ncall relocate\\ncall main\\nli a7,93\\necall\\n");
extern long _DYNAMIC[] __attribute__((visibility("hidden")));
extern char __ehdr_start[] __attribute__((visibility("hidden")));
__attribute__((used)) void relocate(void) {
  long base = (long)__ehdr_start, table = 0, size = 0;
  for (long *d = _DYNAMIC; *d; d += 2) { if (*d == 7) table = d[1]; if (*d == 8) size = d[1]; }
  for (long *r = (long *)(base + table); size > 0; size -= 24, r += 3)
    if ((r[1] & 0xffffffff) == 3) *(long *)(base + r[0]) = base + r[2];
}`;
const PIE_FLAGS = ['-O2', '-nostdlib', '-fpie', '-pie', '-Wl,-static,-no-dynamic-linker,--no-eh-frame-hdr'];

const MAP = new TextEncoder().encode('the address map');

/** Moves the whole of \`add\` into the new segment and leads the original there. */
function moveAdd(image: Image, symbols: Image): SegmentRequest {
  const add = symbols.symbols.find((s) => s.name === 'add')!;
  const segment = image.segments.find((s) => add.address >= s.address && add.address < s.address + s.size)!;
  const address = nextSegmentAddress(image);
  const code = Uint8Array.from(segment.bytes.subarray(add.address - segment.address).subarray(0, add.size));
  return {
    address,
    code,
    map: MAP,
    patches: [{ address: add.address, bytes: encodeBytes(makeInsn('jal', { imm: address - add.address }), false) }],
    symbols: [{ name: 'add.isoform', address, size: code.length }],
  };
}

/** Program headers with the spare ones turned into ones that nobody knows. */
function withoutSpare(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  for (let i = 0; i < view.getUint16(56, true); i++) {
    const at = Number(view.getBigUint64(32, true)) + 56 * i;
    if ([4, 0x70000003].includes(view.getUint32(at, true))) view.setUint32(at, 0x6fffff00, true);
  }
  return copy;
}

describe.runIf(needs('writing executables', 'gcc', 'readelf', 'objdump', 'strip', 'qemu'))('addSegment', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'isoform-write-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const forms: Record<string, () => { file: string; symbols: Image; sections: boolean }> = {
    plain: () => inPlace(compile(PROGRAM)),
    'with debugging data': () => inPlace(compile(PROGRAM, ['-O2', '-g3', '-static'])),
    'static PIE': () => inPlace(compile(PIE, PIE_FLAGS)),
    stripped: () => {
      const file = join(dir, 'stripped');
      expect(run(tool('strip'), ['-o', file, compile(PROGRAM)]).status).toBe(0);
      return { file, symbols: readImage(compile(PROGRAM)), sections: true };
    },
    'no section headers': () => {
      const { bytes, segments } = readImage(compile(PROGRAM));
      const end = Math.max(...segments.map((s) => s.offset + s.bytes.length));
      const cut = Uint8Array.from(bytes.subarray(0, end));
      cut.fill(0, 40, 48).fill(0, 60, 64);
      return changed('bare', withoutSpare(cut), false);
    },
    'data behind the end': () =>
      changed('payload', Buffer.concat([readImage(compile(PROGRAM)).bytes, Buffer.from('PAYLOAD'.repeat(9999))]), true),
    'no header to spare': () => changed('full', withoutSpare(readImage(compile(PROGRAM)).bytes), true),
  };
  const inPlace = (file: string) => ({ file, symbols: readImage(file), sections: true });
  const changed = (name: string, bytes: Uint8Array, sections: boolean) => {
    writeFileSync(join(dir, name), bytes, { mode: 0o755 });
    return { file: join(dir, name), symbols: readImage(compile(PROGRAM)), sections };
  };

  for (const [name, make] of Object.entries(forms))
    test(name, () => {
      const { file, symbols, sections } = make();
      const image = readImage(file);
      const request = moveAdd(image, symbols);
      const bytes = addSegment(image, request);
      expect(Buffer.compare(bytes, addSegment(parseImage(image.bytes, file), moveAdd(image, symbols)))).toBe(0);
      const output = join(dir, 'output');
      writeExecutable(output, bytes);
      expect(statSync(output).mode & 0o777).toBe(0o755);

      const again = readImage(output);
      expect(readNote(again)).toEqual(MAP);
      expect(readOptimizedCode(again)).toEqual({ address: request.address, bytes: request.code });
      expect(() => nextSegmentAddress(again)).toThrow('already optimized');
      // All that was loaded is still loaded, where it was; only the patch and the headers differ.
      for (const [i, { address, bytes: before, flags }] of image.segments.entries()) {
        expect(again.segments[i]).toMatchObject({ address, flags });
        const where: number[] = [];
        for (let at = 0; at < before.length; at++)
          if (before[at] !== again.segments[i]!.bytes[at]) where.push(address + at);
        const patch = request.patches[0]!.address;
        const headers = image.segments[0]!.address - image.segments[0]!.offset + 64 + 56 * image.programHeaders.length;
        expect(where.filter((at) => at >= headers && !(at >= patch && at < patch + 4))).toEqual([]);
      }
      const [expected, actual] = [qemu(file), qemu(output)];
      expect(expected.status).toBeGreaterThan(0);
      expect(actual).toEqual(expected);

      const readelf = run(tool('readelf'), ['-aW', output]);
      expect(readelf.stderr.toString()).toBe('');
      expect(readelf.stdout.toString()).not.toMatch(/warning/i);
      if (!sections) return;
      expect(readelf.stdout.toString()).toMatch(/\.isoform\.text +PROGBITS/);
      expect(run(tool('objdump'), ['-d', '-j', '.isoform.text', output]).stdout.toString()).toContain('ret');
      if (image.symbols.length > 0) {
        expect(readelf.stdout.toString()).toMatch(/FUNC +GLOBAL DEFAULT +\d+ add\.isoform/);
        expect(again.symbols.length).toBe(image.symbols.length + 1);
      }
      if (name === 'no header to spare') return; // binutils cannot strip a file whose table is not at its start
      const small = join(dir, 'small');
      const strip = run(tool('strip'), ['-o', small, output]);
      expect(strip.stderr.toString()).toBe('');
      expect(readNote(readImage(small))).toEqual(MAP);
      expect(qemu(small)).toEqual(expected);
    });

  test('the moved function is what runs', () => {
    const image = readImage(compile(PROGRAM));
    const request = moveAdd(image, image);
    const code = Uint8Array.from([
      ...encodeBytes(makeInsn('addi', { rd: 10, imm: 99 }), false),
      ...encodeBytes(makeInsn('jalr', { rs1: 1 }), false),
    ]);
    const output = join(dir, 'other');
    writeExecutable(output, addSegment(image, { ...request, code }));
    expect(qemu(output).status).toBe(99);
    expect(qemu(output).stdout.toString()).toBe('sum 99 0\n');
  });
});

describe('addSegment without tools', () => {
  const code = Uint8Array.from([
    ...encodeBytes(makeInsn('addi', { rd: 17, imm: 93 }), false),
    ...encodeBytes(makeInsn('ecall', {}), false),
  ]);
  const image = parseImage(bareElf([{ address: 0x10000, bytes: code, execute: true }], 0x10000), 'bare');

  test('the segment lies behind bss, page-aligned with its offset', () => {
    const address = nextSegmentAddress(image);
    expect(address).toBeGreaterThan(image.end);
    const again = parseImage(addSegment(image, { address, code, patches: [], map: MAP }), 'bare');
    expect(again.segments.map((s) => s.address)).toEqual(
      [...again.segments.map((s) => s.address)].sort((a, b) => a - b),
    );
    for (const { address: at, offset } of again.segments) expect(at % 4096).toBe(offset % 4096);
  });

  test('section headers that are not there are not looked for in what is new', () => {
    const request = { address: nextSegmentAddress(image), code, patches: [], map: MAP };
    const lost = Uint8Array.from(image.bytes);
    const view = new DataView(lost.buffer);
    view.setBigUint64(40, BigInt(lost.length + 4096), true);
    view.setUint16(60, 3, true);
    const output = addSegment(parseImage(lost, 'lost'), request);
    expect(new DataView(output.buffer).getBigUint64(40, true)).toBe(0n);
    expect(Buffer.compare(output, addSegment(image, request))).toBe(0);
    view.setUint16(62, 2, true);
    expect(Buffer.compare(addSegment(parseImage(lost, 'lost'), request), output)).toBe(0);
  });

  test.each([
    ['whose last string has no end', '\0.text\0last', { text: 1, last: 7 }, ['.text'], ['last', 'new']],
    ['that is empty', '', { text: 0, last: 0 }, [''], ['new']],
  ])('new names do not change old ones in a string table %s', (_, strings, names, sections, symbols) => {
    // Four sections: none, code, symbols, and the strings of both sections and symbols. Two symbols: none, and one in the code.
    const at = image.bytes.length;
    const [stringsAt, symbolsAt] = [at + 256, at + 288];
    const bytes = Buffer.alloc(at + 336);
    bytes.set(image.bytes);
    bytes.write(strings, stringsAt);
    const put = (where: number, fields: readonly number[]) => {
      for (const [i, value] of fields.entries()) bytes.writeUInt32LE(value, where + 4 * i);
    };
    put(at + 64, [names.text, 1, 6, 0, 0x10000, 0, 4096, 0, code.length, 0, 0, 0, 4, 0, 0, 0]);
    put(at + 128, [0, 2, 0, 0, 0, 0, symbolsAt, 0, 48, 0, 3, 1, 8, 0, 24]);
    put(at + 192, [0, 3, 0, 0, 0, 0, stringsAt, 0, strings.length, 0, 0, 0, 1, 0, 0, 0]);
    put(symbolsAt + 24, [names.last, 0x10000, 0x10000, 0, 0, 0]);
    put(40, [at, 0]);
    bytes.writeUInt16LE(4, 60);
    bytes.writeUInt16LE(3, 62);
    const named = parseImage(bytes, 'named');
    const address = nextSegmentAddress(named);
    const request = { address, code, patches: [], map: MAP, symbols: [{ name: 'new', address, size: 4 }] };
    const again = parseImage(addSegment(named, request), 'again');
    expect(again.sections.map(({ name }) => name)).toEqual([
      ...['', ...sections, '', ''],
      ...['.note.isoform', '.isoform.text', '.isoform.map'],
    ]);
    expect(again.symbols.map(({ name }) => name)).toEqual(symbols);
  });

  test('a note of another type is not one of an optimized image', () => {
    const bytes = addSegment(image, { address: nextSegmentAddress(image), code, patches: [], map: MAP });
    const optimized = parseImage(bytes, 'optimized');
    expect(readNote(optimized)).toEqual(MAP);
    bytes[optimized.segments.at(-1)!.offset + 8] = 2;
    expect(readNote(parseImage(bytes, 'other'))).toBeUndefined();
  });

  test('patches outside the file are refused', () => {
    const request = { address: nextSegmentAddress(image), code, map: MAP };
    expect(() => addSegment(image, { ...request, patches: [{ address: 0x9000, bytes: code }] })).toThrow('outside');
  });

  test('writeExecutable leaves nothing behind when it fails', () => {
    const dir = mkdtempSync(join(tmpdir(), 'isoform-write-'));
    try {
      expect(() => writeExecutable(join(dir, 'no', 'such', 'folder'), code)).toThrow('cannot be written');
      mkdirSync(join(dir, 'folder'));
      expect(() => writeExecutable(join(dir, 'folder'), code)).toThrow('cannot be written');
      expect(readdirSync(dir)).toEqual(['folder']);
      writeExecutable(join(dir, 'file'), code);
      writeExecutable(join(dir, 'file'), code.subarray(0, 4));
      expect(readFileSync(join(dir, 'file'))).toHaveLength(4);
      expect(readdirSync(dir).sort()).toEqual(['file', 'folder']);
      expect(existsSync(join(dir, 'no'))).toBe(false);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
