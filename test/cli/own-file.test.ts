/** Programs that read their own executable: what was appended to it is theirs, and each form sees its own file. */
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { appended } from '../../src/elf/appended.ts';
import { parseImage } from '../../src/elf/read.ts';
import { endProblems } from '../../src/verify/prove/bytes.ts';
import { compile, needs, qemu } from '../support/tools.ts';
import { workplace } from './support.ts';

/** Prints, as argument 1 says: what was appended, found by its length in the last eight bytes (e) or by the offset before it (o); or the file's size (s). */
const READER = `
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
  int f = open("/proc/self/exe", O_RDONLY);
  long size = lseek(f, 0, SEEK_END), tail[2];
  if (argv[1][0] == 's') return printf("%ld\\n", size) < 0;
  pread(f, tail, 16, size - 16);
  char *text = malloc(tail[1]);
  if (pread(f, text, tail[1], argv[1][0] == 'o' ? tail[0] : size - 16 - tail[1]) != tail[1]) return 3;
  unsigned long sum = 0;
  for (int i = 0; i < 2000; i++) sum = sum * 31 + text[i % tail[1]];
  fwrite(text, 1, tail[1], stdout);
  return printf(" %lx\\n", sum) < 0;
}`;

/** Data, the offset where it begins, its length. */
function withArchive(bytes: Uint8Array, text: string): Buffer {
  const tail = Buffer.alloc(16);
  tail.writeBigInt64LE(BigInt(bytes.length), 0);
  tail.writeBigInt64LE(BigInt(text.length), 8);
  return Buffer.concat([bytes, Buffer.from(text), tail]);
}

const place = workplace('own-file');
const TEXT = 'an archive of the program\0';

describe.runIf(needs('programs that read their own file', 'gcc', 'qemu'))('a program that reads its own file', () => {
  beforeAll(() => {
    writeFileSync(place.path('reader'), withArchive(readFileSync(compile(READER)), TEXT), { mode: 0o755 });
    expect(place.run(['profile', '-q', '-o', 'p', 'reader', 'e']).status).toBe(0);
    expect(place.run(['optimize', '-q', '-p', 'p', '-o', 'fast', 'reader']).status).toBe(0);
  });
  const guest = (file: string, how: string) => qemu(place.path(file), [how]);

  test('what was appended ends the optimized file, and is still where it was', () => {
    const [original, optimized] = ['reader', 'fast'].map((file) => readFileSync(place.path(file))) as [Buffer, Buffer];
    const end = Buffer.from(appended(parseImage(original, 'reader')));
    expect(end.length).toBe(TEXT.length + 16);
    expect(optimized.subarray(-end.length)).toEqual(end);
    expect(Buffer.from(appended(parseImage(optimized, 'fast')))).toEqual(end);
    for (const how of ['e', 'o']) {
      expect(guest('reader', how).stdout.toString()).toContain(TEXT);
      expect(guest('fast', how)).toEqual(guest('reader', how));
    }
  });

  test('verify gives each form its own file', () => {
    for (const how of ['e', 'o']) expect(place.run(['verify', 'reader', 'fast', how]).status).toBe(0);
    // It is longer, and a program that says so is told to be different.
    const size = place.run(['verify', 'reader', 'fast', 's']);
    expect([size.status, size.stdout.toString()]).toEqual([1, expect.stringContaining('output')]);
    expect(guest('fast', 's').stdout.toString()).toBe(`${readFileSync(place.path('fast')).length}\n`);
  });

  test('an optimized file that ends otherwise is not proved', () => {
    const bytes = readFileSync(place.path('fast'));
    expect(place.run(['prove', 'reader', 'fast']).status).toBe(0);
    writeFileSync(place.path('forged'), withArchive(bytes, 'another archive'));
    const { status, stdout } = place.run(['prove', 'reader', 'forged']);
    expect([status, stdout.toString()]).toEqual([1, expect.stringContaining('does not end with what was appended')]);

    const [reader, plain] = [readFileSync(place.path('reader')), readFileSync(compile(READER))];
    const problems = (original: Uint8Array, optimized: Uint8Array) =>
      endProblems(parseImage(original, 'original'), parseImage(optimized, 'optimized')).length;
    expect(problems(reader, bytes)).toBe(0);
    const inPlace = Uint8Array.from(bytes, (byte, at) => (at === reader.length - 30 ? byte ^ 1 : byte));
    expect(problems(reader, inPlace)).toBe(1);
    const oneByte = Uint8Array.from(bytes, (byte, at) => (at === bytes.length - 30 ? byte ^ 1 : byte));
    expect(problems(reader, oneByte)).toBe(1);
    const nothing = bytes.subarray(0, bytes.length - TEXT.length - 16);
    expect(problems(reader, nothing)).toBe(1);
    // An archive where there was none.
    expect(problems(plain, nothing)).toBe(0);
    expect(problems(plain, bytes)).toBe(1);
  });

  test('run sees the file by its real path, wherever it lies', () => {
    symlinkSync(place.path('reader'), place.path('link'));
    const { stdout } = place.run(['run', place.path('link'), 'e'], { cwd: '/' });
    expect(stdout.toString()).toContain(TEXT);
  });
});
