/** Files that the host does not let go. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { momentaryName, removeLeftovers, replaceFile } from '../../src/base/files.ts';

const host = vi.hoisted(() => ({ refuses: (_name: string): boolean => false }));
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const rmSync: typeof fs.rmSync = (path, options) => {
    if (host.refuses(basename(String(path)))) throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
    fs.rmSync(path, options);
  };
  return { ...fs, rmSync };
});

const folder = mkdtempSync(join(tmpdir(), 'isoform-leftovers-'));
afterAll(() => {
  host.refuses = () => false;
  rmSync(folder, { recursive: true });
});

test('the leftovers behind such a file are removed all the same', () => {
  // No process has the greatest number.
  const names = [1, 2, 3].map(() => basename(momentaryName(folder)).replace(`-${process.pid}-`, '-2147483647-'));
  for (const name of names) writeFileSync(join(folder, name), '');
  const first = readdirSync(folder)[0]!;
  host.refuses = (name) => name === first;
  removeLeftovers(folder);
  expect(readdirSync(folder)).toEqual([first]);
});

test('an error in writing stays the error that it was', () => {
  mkdirSync(join(folder, 'taken'));
  host.refuses = () => true;
  expect(() => replaceFile(join(folder, 'taken'), 'x')).toThrow(expect.objectContaining({ code: 'cannot-write' }));
});
