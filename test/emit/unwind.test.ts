/**
 * Exceptions through moved calls, for real: every `jal ra` of a program's functions is moved into the new segment, so that every
 * frame that an exception passes has its return address there.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { unwindTables } from '../../src/elf/unwind/index.ts';
import { writeExecutable } from '../../src/elf/write.ts';
import { compileFile, needs, qemu, run, tool } from '../support/tools.ts';
import { moveCalls } from './move-calls.ts';

const exceptions = (...flags: string[]) =>
  compileFile('test/emit/exceptions.cpp', ['-O2', '-static', '-std=c++14', '-Wno-deprecated', ...flags]);

/** `bare`: without section headers, as some packers leave it. */
const FORMS = ['plain', 'stripped', 'bare', 'with --eh-frame-hdr', 'unregistered'] as const;

/** Linked so that nothing registers the tables: unwinders find them through PT_GNU_EH_FRAME alone, as in a static PIE. */
function unregistered(): string {
  const part = (name: string) =>
    run(tool('gxx'), [`-print-file-name=${name}`])
      .stdout.toString()
      .trim();
  const start = ['crt1.o', 'crti.o', 'crtbegin.o'].map(part);
  const end = ['crtend.o', 'crtn.o'].map(part);
  return exceptions('-Wl,--eh-frame-hdr', '-nostartfiles', ...start, ...end);
}

describe.runIf(needs('unwinding through moved calls', 'gxx', 'readelf', 'strip', 'qemu'))('unwinding', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'isoform-unwind-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  for (const form of FORMS)
    test(`exceptions pass through moved calls: ${form}`, () => {
      const hdr = form === 'with --eh-frame-hdr' ? ['-Wl,--eh-frame-hdr'] : [];
      const source = form === 'unregistered' ? unregistered() : exceptions(...hdr);
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
