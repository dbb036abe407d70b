/** Translated code that the installed command keeps between runs. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { ROOT, run } from '../support/tools.ts';
import { sample, workplace } from './support.ts';

const START = join(ROOT, 'dist/src/cli/start.cjs');
const place = workplace('code-cache');
const { elf, input, expected } = sample('bytecode');
const stdin = readFileSync(input);

/** `isoform run --stats` with a folder for code. @returns what it says */
function stats(folder: string, ...more: string[]): Record<string, number> {
  const args = ['run', '--stats', '--code-cache', place.path(folder), ...more, elf];
  const { status, stdout, stderr } = run(process.execPath, [START, ...args], { stdin });
  expect([status, stdout.equals(expected)]).toEqual([0, true]);
  return JSON.parse(stderr.toString());
}
const counted = ({ instructions, takenBranches }: Record<string, number>) => [instructions, takenBranches];

test('the second run begins with what the first has left, and counts the same', () => {
  const profiled = (name: string, ...more: string[]): Buffer => {
    const args = ['profile', '-q', '-o', place.path(name), ...more, elf];
    expect(run(process.execPath, [START, ...args], { stdin }).status).toBe(0);
    return readFileSync(place.path(name));
  };
  const first = stats('one');
  expect([first.kept, first.regions! > 0]).toEqual([0, true]);
  expect(readdirSync(place.path('one'))).toEqual([expect.stringMatching(/^bytecode\.elf-.+-counted\.isocode$/)]);
  const second = stats('one');
  expect(second.kept).toBeGreaterThan(0);
  expect(second.regions).toBeLessThan(first.regions!);
  expect(second.transfersInRegions).toBeGreaterThan(first.transfersInRegions!);
  expect(counted(second)).toEqual(counted(first));
  const fresh = profiled('fresh', '--no-code-cache');
  expect(profiled('later', '--code-cache', place.path('one'))).toEqual(fresh);
});

test('code with fused multiply-add, of which the second run translates nothing before it takes what is kept', () => {
  const { elf: file, input: text, expected: right } = sample('nbody');
  const args = ['run', '--stats', '--code-cache', place.path('fused'), file];
  const runs = [1, 2].map(() => run(process.execPath, [START, ...args], { stdin: readFileSync(text) }));
  for (const { status, stdout } of runs) expect([status, stdout.equals(right)]).toEqual([0, true]);
  expect(JSON.parse(runs[1]!.stderr.toString()).kept).toBeGreaterThan(0);
});

test('runs that count nothing have a file of their own; --no-code-cache has none', () => {
  const plain = (...more: string[]) => run(process.execPath, [START, 'run', ...more, elf], { stdin });
  for (let i = 0; i < 2; i++) expect(plain('--code-cache', place.path('plain')).stdout.equals(expected)).toBe(true);
  expect(readdirSync(place.path('plain'))).toEqual([expect.stringMatching(/-plain\.isocode$/)]);
  const home = place.path('home');
  mkdirSync(home);
  const env = { ...process.env, HOME: home, XDG_CACHE_HOME: '' };
  const without = run(process.execPath, [START, 'run', '--no-code-cache', elf], { stdin, env });
  expect([without.stdout.equals(expected), readdirSync(home)]).toEqual([true, []]);
  expect(run(process.execPath, [START, 'run', elf], { stdin, env }).status).toBe(0);
  const kept = readdirSync(join(home, '.cache/isoform'));
  expect(kept.filter((name) => name.startsWith('bytecode.elf-'))).toHaveLength(1);
});

test.each([
  ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 100)],
  [
    'of another make',
    (bytes: Buffer) =>
      Buffer.from(
        bytes.toString('latin1').replace(process.version, 'v18.0.0x'.slice(0, process.version.length)),
        'latin1',
      ),
  ],
  [
    'changed by a bit',
    (bytes: Buffer) => Buffer.from(bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 4 : byte))),
  ],
  ['no such file', () => Buffer.from('#!/bin/sh\n')],
  ['empty', () => Buffer.alloc(0)],
])('a file that is %s is not used, and made again', (what, damaged) => {
  stats(what);
  const [name] = readdirSync(place.path(what));
  const file = join(place.path(what), name!);
  const whole = readFileSync(file);
  writeFileSync(file, damaged(whole));
  expect(readFileSync(file).equals(whole)).toBe(false);
  expect(stats(what).kept).toBe(0);
  expect(stats(what).kept).toBeGreaterThan(0);
});

test.each([
  ['a list longer than the file', (words: Uint32Array, at: number) => words.fill(0xffff_ffff, at + 4, at + 5)],
  ['places outside of what was taken', (words: Uint32Array, at: number) => words.fill(0x7fff_fff8, at + 5, at + 40)],
  ['code that is none', (words: Uint32Array) => words.fill(0, Buffer.from(words.buffer).indexOf('\0asm') >> 2)],
])('a file with %s, and a checksum that fits, is not used, and made again', (what, change) => {
  stats(what);
  const [name] = readdirSync(place.path(what));
  const file = join(place.path(what), name!);
  const bytes = Uint8Array.from(readFileSync(file));
  const words = new Uint32Array(bytes.buffer);
  // Behind mark, length, checksum and identity: where the host area was free and used, what multiplies, how many modules, records.
  change(words, 4 + Math.ceil(words[3]! / 4));
  words[2] = crc32(bytes.subarray(12));
  writeFileSync(file, bytes);
  expect(stats(what).kept).toBe(0);
  expect(stats(what).kept).toBeGreaterThan(0);
});

test('a pipe in the place of the file is not waited for', () => {
  stats('pipe');
  const [name] = readdirSync(place.path('pipe'));
  const file = join(place.path('pipe'), name!);
  rmSync(file);
  expect(run('mkfifo', ['-m', '600', file]).status).toBe(0);
  expect(stats('pipe').kept).toBe(0);
});

test("a file that others can write is not run; it is the user's own afterwards", () => {
  stats('open');
  const [name] = readdirSync(place.path('open'));
  const file = join(place.path('open'), name!);
  chmodSync(file, 0o666);
  expect(stats('open').kept).toBe(0);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(stats('open').kept).toBeGreaterThan(0);
});

test('when there is too much, what was used last stays', () => {
  const folder = place.path('full');
  stats('full');
  const [own] = readdirSync(folder);
  const old = new Date(2000, 1, 1);
  // Holes: they take no room on the disk.
  for (const name of ['older', 'newer']) {
    writeFileSync(join(folder, `${name}.isocode`), '');
    truncateSync(join(folder, `${name}.isocode`), 2 ** 28 - 2 ** 22);
  }
  utimesSync(join(folder, 'older.isocode'), old, old);
  utimesSync(join(folder, own!), old, old);
  // Is read, and so is used; another file is written.
  expect(stats('full').kept).toBeGreaterThan(0);
  const other = run(process.execPath, [START, 'run', '--code-cache', folder, elf], { stdin });
  expect(other.status).toBe(0);
  expect(readdirSync(folder).sort()).toEqual([own, own!.replace('counted', 'plain'), 'newer.isocode'].sort());
});

test('where nothing can be kept the guest runs all the same', () => {
  writeFileSync(place.path('file'), '');
  expect(stats('file').kept).toBe(0);
  expect(stats('file/below').kept).toBe(0);
  expect(existsSync(place.path('file/below'))).toBe(false);
});
