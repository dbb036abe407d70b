/** Files are written whole or not at all, and nothing is left behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { momentaryName, replaceFile } from '../../src/base/files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isoform-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);
const text = (name: string) => readFileSync(path(name), 'utf8');

test('the new content is in the place of the old one, with the mode that umask leaves', () => {
  writeFileSync(path('a'), 'old and longer');
  replaceFile(path('a'), 'new');
  replaceFile(path('b'), Buffer.from('program'), 0o777);
  expect([text('a'), text('b')]).toEqual(['new', 'program']);
  const left = ~process.umask();
  expect(['a', 'b'].map((name) => statSync(path(name)).mode & 0o777)).toEqual([0o644 & left, 0o777 & left]);
  expect(readdirSync(folder)).toEqual(['a', 'b']);
});

test('a link is replaced, and what it led to stays', () => {
  writeFileSync(path('kept'), 'kept');
  symlinkSync('kept', path('link'));
  replaceFile(path('link'), 'new');
  expect([lstatSync(path('link')).isFile(), text('link'), text('kept')]).toEqual([true, 'new', 'kept']);
});

test('a name as long as a name can be', () => {
  const name = 'n'.repeat(255);
  replaceFile(path(name), 'long');
  expect(text(name)).toBe('long');
});

test('what cannot be written leaves all as it was', () => {
  mkdirSync(path('folder'));
  for (const name of ['folder', 'none/a'])
    expect(() => replaceFile(path(name), 'x')).toThrow(expect.objectContaining({ code: 'cannot-write' }));
  expect(readdirSync(folder)).toEqual(['folder']);
});

test('what somebody left who is no more is taken away by the next one; what somebody still makes is not', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  const own = basename(momentaryName(folder));
  const left = own.replace(`-${process.pid}-`, `-${child.pid}-`);
  // Nearly the same, but no name of ours.
  const others = ['.isoform-', '.isoform-notes', `${left}x`, left.replace('.isoform-', '.isoform-0')];
  for (const name of [own, left, ...others]) writeFileSync(path(name), '');
  replaceFile(path('a'), '1');
  expect(existsSync(path(left))).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  replaceFile(path('a'), '2');
  expect(readdirSync(folder).sort()).toEqual([own, ...others, 'a'].sort());
});
