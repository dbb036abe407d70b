/**
 * Exceptions through moved calls, for real: every `jal ra` of a program's functions is moved into the new segment, so that every
 * frame that an exception passes has its return address there.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alignUp } from '../../src/base/bits.ts';
import { RA, ZERO } from '../../src/base/units.ts';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { addSegment, nextSegmentAddress, type Patch, writeExecutable } from '../../src/elf/write.ts';
import { type CallSite, unwindTables } from '../../src/emit/unwind/index.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { encodeBytes, makeInsn } from '../../src/isa/encode.ts';
import { compileFile, needs, qemu, run, tool } from '../support/tools.ts';

interface Moved {
  readonly bytes: Uint8Array;
  readonly sites: readonly CallSite[];
  readonly unserved: readonly CallSite[];
}

/** Moves all direct calls of `functions` (address ranges) out of line. */
function moveCalls(image: Image, functions: readonly { address: number; size: number }[], withTables: boolean): Moved {
  const start = nextSegmentAddress(image);
  const code: number[] = [];
  const patches: Patch[] = [];
  const sites: CallSite[] = [];
  const done = new Set<number>();
  for (const { address, size } of functions) {
    const segment = image.segments.find((s) => address >= s.address && address + size <= s.address + s.bytes.length);
    if (!segment?.flags.execute) continue;
    for (let pc = address; pc < address + size; ) {
      const insn = decodeAt(segment.bytes, pc - segment.address);
      if (!insn) break;
      if (insn.row.format === 'J' && insn.rd === RA && insn.size === 4 && !done.has(pc)) {
        done.add(pc);
        const at = start + code.length;
        code.push(...encodeBytes(makeInsn(insn.row, { rd: RA, imm: pc + insn.imm - at }), false));
        code.push(...encodeBytes(makeInsn(insn.row, { rd: ZERO, imm: pc + 4 - (at + 4) }), false));
        patches.push({ address: pc, bytes: encodeBytes(makeInsn(insn.row, { rd: ZERO, imm: at - pc }), false) });
        sites.push({ returnAddress: at + 4, originalReturnAddress: pc + 4 });
      }
      pc += insn.size;
    }
  }
  const bytes = Uint8Array.from(code);
  const unwind = withTables ? unwindTables(image, sites, alignUp(start + bytes.length, 8)) : undefined;
  const request = { address: start, code: bytes, patches, map: new Uint8Array(0), unwind };
  return { bytes: addSegment(image, request), sites, unserved: unwind?.unserved ?? [] };
}

const exceptions = (...flags: string[]) =>
  compileFile('test/emit/exceptions.cpp', ['-O2', '-static', '-std=c++14', '-Wno-deprecated', ...flags]);

/** `bare`: without section headers, as some packers leave it. */
const FORMS = ['plain', 'stripped', 'bare', 'with --eh-frame-hdr'] as const;

describe.runIf(needs('unwinding through moved calls', 'gxx', 'readelf', 'strip', 'qemu'))('unwinding', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'isoform-unwind-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  for (const form of FORMS)
    test(`exceptions pass through moved calls: ${form}`, () => {
      const hdr = form === 'with --eh-frame-hdr' ? ['-Wl,--eh-frame-hdr'] : [];
      const source = exceptions(...hdr);
      const functions = readImage(source).symbols.filter((s) => s.kind === 'function');
      let input = source;
      if (form === 'stripped') {
        input = join(dir, 'stripped');
        expect(run(tool('strip'), ['-o', input, source]).status).toBe(0);
      } else if (form === 'bare') {
        const bytes = Uint8Array.from(readFileSync(source));
        bytes.fill(0, 40, 48);
        bytes.fill(0, 60, 64);
        input = join(dir, 'bare');
        writeFileSync(input, bytes, { mode: 0o755 });
      }
      const moved = moveCalls(readImage(input), functions, true);
      expect(moved.sites.length).toBeGreaterThan(2000);
      expect(moved.unserved).toEqual([]);
      const output = join(dir, `${FORMS.indexOf(form)}.out`);
      writeExecutable(output, moved.bytes);
      for (const args of [[], ['die']]) {
        const [expected, actual] = [qemu(input, args), qemu(output, args)];
        expect(expected.stdout.toString()).toContain('sort: two');
        expect(expected.stdout.toString()).toContain('unexpected');
        expect(actual.stdout.toString()).toBe(expected.stdout.toString());
        expect(actual.stderr.toString()).toBe(expected.stderr.toString());
        expect(actual.status).toBe(expected.status);
        expect(actual.status).toBe(args.length === 0 ? 0 : 134);
      }
      expect(run(tool('readelf'), ['-aW', output]).stderr.toString()).toBe('');
    });

  test('without tables the exception is lost', () => {
    const source = exceptions();
    const image = readImage(source);
    const user = image.symbols.filter((s) => s.kind === 'function' && /middle|catcher/.test(s.name));
    const output = join(dir, 'none');
    writeExecutable(output, moveCalls(image, user, false).bytes);
    expect(qemu(output).status).toBe(134);
    writeExecutable(output, moveCalls(image, user, true).bytes);
    expect(qemu(output).status).toBe(0);
  });

  test('the tables survive strip', () => {
    const image = readImage(exceptions());
    const functions = image.symbols.filter((s) => s.kind === 'function');
    const output = join(dir, 'later');
    writeExecutable(output, moveCalls(image, functions, true).bytes);
    expect(run(tool('strip'), [output]).stderr.toString()).toBe('');
    expect(qemu(output).stdout.toString()).toBe(qemu(image.file).stdout.toString());
  });

  test('the same input gives the same tables, and no sites none', () => {
    const image = readImage(exceptions());
    const functions = image.symbols.filter((s) => s.kind === 'function');
    const first = moveCalls(image, functions, true);
    const second = moveCalls(parseImage(image.bytes, image.file), functions, true);
    expect(Buffer.compare(first.bytes, second.bytes)).toBe(0);
    expect(unwindTables(image, [], 0x100000)).toMatchObject({ size: 0, patches: [], unserved: [] });
  });
});
