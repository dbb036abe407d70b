import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { IsoformError } from '../../src/base/errors.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { bareElf } from '../support/bare-elf.ts';
import { generator } from '../support/inputs.ts';
import { compile, needs } from '../support/tools.ts';

/** Two segments: code at 0x10000, data at 0x12000. */
const good = () =>
  bareElf(
    [
      { address: 0x10000, bytes: Uint8Array.of(0x73, 0, 0, 0), execute: true },
      { address: 0x12000, bytes: new Uint8Array(64).fill(7), write: true },
    ],
    0x10000,
  );
const FIRST = 64;
const SECOND = 64 + 56;

/** The good file with some fields changed: [offset, bytes of the field, value]. */
function changed(...edits: [number, 1 | 2 | 4 | 8, number | bigint][]): Uint8Array {
  const bytes = good();
  const view = new DataView(bytes.buffer);
  for (const [at, size, value] of edits) {
    if (size === 1) view.setUint8(at, Number(value));
    else if (size === 2) view.setUint16(at, Number(value), true);
    else if (size === 4) view.setUint32(at, Number(value), true);
    else view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }
  return bytes;
}

function errorOf(bytes: Uint8Array): IsoformError {
  try {
    parseImage(bytes, 'file');
  } catch (error) {
    expect(error).toBeInstanceOf(IsoformError);
    expect((error as IsoformError).line()).not.toMatch(/\n|undefined|NaN/);
    return error as IsoformError;
  }
  throw new Error('the file was accepted');
}

describe('a good file', () => {
  test('is read', () => {
    const image = parseImage(good(), 'file');
    expect(image).toMatchObject({ entry: 0x10000, end: 0x12040, relocatable: false, programHeaderOffset: 64 });
    expect(image.segments.map((s) => [s.address, s.size, s.flags])).toEqual([
      [0x10000, 4, { read: true, write: false, execute: true }],
      [0x12000, 64, { read: true, write: true, execute: false }],
    ]);
    expect([...image.segments[1]!.bytes]).toEqual(new Array(64).fill(7));
    expect([image.sections, image.symbols]).toEqual([[], []]);
  });

  test('with broken section headers loses the sections only', () => {
    for (const edits of [
      [[40, 8, 2n ** 63n]],
      [
        [40, 8, 100],
        [58, 2, 64],
        [60, 2, 0xffff],
      ],
      [
        [40, 8, 64],
        [58, 2, 64],
        [60, 2, 2],
        [62, 2, 1],
      ],
      [
        [40, 8, 64],
        [58, 2, 64],
        [60, 2, 0],
      ],
    ] as [number, 2 | 8, number | bigint][][])
      expect(parseImage(changed(...edits), 'file').sections).toEqual([]);
  });
});

describe('a bad file gives one clear error', () => {
  const cases: [string, Uint8Array, string, RegExp][] = [
    ['empty', new Uint8Array(0), 'bad-elf', /empty/],
    ['text', Buffer.from('#!/bin/sh\necho this is not an ELF file\n'), 'bad-elf', /ELF header/],
    ['cut off in the header', good().subarray(0, 50), 'bad-elf', /cut off/],
    ['cut off in the program headers', good().subarray(0, 100), 'bad-elf', /program headers/],
    ['cut off in a segment', good().subarray(0, 4098), 'bad-elf', /outside the file/],
    ['x86-64', changed([18, 2, 62]), 'wrong-architecture', /x86-64/],
    ['an unknown machine', changed([18, 2, 4711]), 'wrong-architecture', /4711/],
    ['RV32', changed([4, 1, 1]), 'wrong-architecture', /32-bit RISC-V/],
    ['big-endian', changed([5, 1, 2], [18, 1, 0], [19, 1, 243]), 'wrong-architecture', /big-endian/],
    ['class 3', changed([4, 1, 3]), 'bad-elf', /class/],
    ['byte order 0', changed([5, 1, 0]), 'bad-elf', /byte order/],
    ['version 9', changed([20, 4, 9]), 'bad-elf', /version/],
    ['an object file', changed([16, 2, 1]), 'bad-elf', /not been linked/],
    ['a core dump', changed([16, 2, 4]), 'bad-elf', /core dump/],
    ['type 77', changed([16, 2, 77]), 'bad-elf', /type 77/],
    ['RV64E', changed([48, 4, 8]), 'wrong-architecture', /RV64E/],
    ['128-bit floats', changed([48, 4, 6]), 'unsupported', /128-bit/],
    ['a header of 52 bytes', changed([52, 2, 52]), 'bad-elf', /52 bytes/],
    ['program headers of 32 bytes', changed([54, 2, 32]), 'bad-elf', /32 bytes/],
    ['no program headers', changed([56, 2, 0]), 'bad-elf', /no program headers/],
    ['65535 program headers', changed([56, 2, 65535]), 'bad-elf', /65535/],
    ['program headers far outside', changed([32, 8, 2n ** 64n - 8n]), 'bad-elf', /outside the file/],
    ['nothing to load', changed([FIRST, 4, 4], [SECOND, 4, 4]), 'bad-elf', /nothing to load/],
    ['an interpreter', changed([SECOND, 4, 3]), 'needs-interpreter', /static/],
    [
      'an interpreter outside the file',
      changed([SECOND, 4, 3], [SECOND + 8, 8, 2n ** 60n]),
      'needs-interpreter',
      /static/,
    ],
    ['more file than memory', changed([SECOND + 40, 8, 1]), 'bad-elf', /larger in the file/],
    ['a segment beyond the file', changed([SECOND + 8, 8, 2n ** 40n]), 'bad-elf', /outside the file/],
    ['a segment that wraps', changed([SECOND + 16, 8, 2n ** 64n - 4096n]), 'bad-elf', /address space/],
    ['a segment of 2^63 bytes', changed([SECOND + 40, 8, 2n ** 63n]), 'bad-elf', /address space/],
    ['overlapping segments', changed([SECOND + 16, 8, 0x10000]), 'bad-elf', /overlap/],
    ['address and offset at odds', changed([SECOND + 16, 8, 0x12010]), 'bad-elf', /within a page/],
    ['no entry point', changed([24, 8, 0]), 'bad-elf', /no entry point/],
    ['an odd entry point', changed([24, 8, 0x10001]), 'bad-elf', /odd/],
    ['an entry point in the data', changed([24, 8, 0x12000]), 'bad-elf', /no executable segment/],
    ['an entry point at the end', changed([24, 8, 0x10004]), 'bad-elf', /no executable segment/],
  ];
  test.each(cases)('%s', (_title, bytes, code, line) => {
    const error = errorOf(bytes);
    expect(error.code).toBe(code);
    expect(error.line()).toMatch(line);
  });

  test('not a file at all', () => {
    const folder = mkdtempSync(join(tmpdir(), 'isoform-elf-'));
    try {
      expect(() => readImage(folder)).toThrow(/not a regular file/);
      expect(() => readImage(join(folder, 'missing'))).toThrow(/cannot be read: ENOENT/);
      writeFileSync(join(folder, 'ok'), good());
      expect(readImage(join(folder, 'ok')).entry).toBe(0x10000);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Parses; anything but an IsoformError is a failure. @returns was it accepted */
function survives(bytes: Uint8Array): boolean {
  try {
    parseImage(bytes, 'file');
    return true;
  } catch (error) {
    if (error instanceof IsoformError && error.code !== 'internal') return false;
    throw error;
  }
}

describe('damaged files', () => {
  const seed = 20260101;
  test(`random bytes behind the magic number (seed ${seed})`, () => {
    const random = generator(seed);
    let accepted = 0;
    for (let round = 0; round < 2000; round++) {
      const bytes = good();
      for (let edits = 1 + random.below(8); edits > 0; edits--) bytes[4 + random.below(172)] = random.below(256);
      if (survives(bytes)) accepted++;
    }
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(2000);
  });

  test.runIf(needs('damaged ELF files', 'gcc'))(`a real file, with sections and symbols (seed ${seed})`, () => {
    const file = compile('int main(void) { return 0; }\n');
    const image = readImage(file);
    expect(image.symbols.find(({ name }) => name === 'main')).toMatchObject({ kind: 'function', global: true });
    expect(image.sections.find(({ name }) => name === '.text')?.address).toBeGreaterThan(0x10000);
    const random = generator(seed);
    const sectionTable = Number(new DataView(image.bytes.buffer).getBigUint64(40, true));
    for (let round = 0; round < 200; round++) {
      const bytes = image.bytes.slice();
      const from = round % 2 === 0 ? 0 : sectionTable;
      const length = round % 2 === 0 ? 500 : bytes.length - sectionTable;
      for (let edits = 1 + random.below(6); edits > 0; edits--) bytes[from + random.below(length)] = random.below(256);
      survives(round % 5 === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes);
    }
  });

  test('a string table without ends costs no quadratic time', () => {
    // One symbol for each byte of a megabyte without a NUL, and of one with its only NUL at the very end.
    for (const last of [1, 0]) {
      const count = 40_000;
      const strings = new Uint8Array(2 ** 20).fill(65);
      strings[0] = 0;
      strings[strings.length - 1] = last;
      const symbols = new Uint8Array(24 * count);
      const symbolView = new DataView(symbols.buffer);
      for (let i = 0; i < count; i++) {
        symbolView.setUint32(24 * i, 1 + i, true);
        symbols[24 * i + 4] = 2;
        symbolView.setUint16(24 * i + 6, 1, true);
      }
      const head = good();
      const bytes = new Uint8Array(head.length + 3 * 64 + symbols.length + strings.length);
      bytes.set(head);
      const view = new DataView(bytes.buffer);
      const [symbolsAt, stringsAt] = [head.length + 192, head.length + 192 + symbols.length];
      bytes.set(symbols, symbolsAt);
      bytes.set(strings, stringsAt);
      view.setBigUint64(40, BigInt(head.length), true);
      view.setUint16(58, 64, true);
      view.setUint16(60, 3, true);
      view.setUint16(62, 2, true);
      const section = (index: number, type: number, offset: number, size: number, link: number, entry: number) => {
        const at = head.length + 64 * index;
        view.setUint32(at + 4, type, true);
        view.setBigUint64(at + 24, BigInt(offset), true);
        view.setBigUint64(at + 32, BigInt(size), true);
        view.setUint32(at + 40, link, true);
        view.setBigUint64(at + 56, BigInt(entry), true);
      };
      section(1, 2, symbolsAt, symbols.length, 2, 24);
      section(2, 3, stringsAt, strings.length, 0, 0);
      const image = parseImage(bytes, 'file');
      expect(image.sections.length).toBe(3);
      expect(image.symbols).toEqual([]);
    }
  });
});
