/** Output files: what a name leads to, and commands that write several files. */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkOutput, makeOutputs, STDOUT, writeWhole } from '../../src/cli/output.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isoform-output-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

describe('symbolic links', () => {
  test('a link to no file yet stays a link: the file that it names is made', () => {
    mkdirSync(at('there'));
    symlinkSync('there', at('folder'));
    symlinkSync('../new', at('there/second'));
    symlinkSync('folder/second', at('first'));
    writeWhole(checkOutput(at('first')), 'text');
    expect(lstatSync(at('first')).isSymbolicLink()).toBe(true);
    expect(lstatSync(at('there/second')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('new'), 'utf8')).toBe('text');
  });

  test('a link that leads nowhere is refused', () => {
    symlinkSync('round', at('about'));
    symlinkSync('about', at('round'));
    symlinkSync('missing/file', at('far'));
    expect(() => checkOutput(at('round'))).toThrow(/round: cannot be written: ELOOP/);
    expect(() => checkOutput(at('far'))).toThrow(/far: cannot be written: ENOENT/);
    expect(() => checkOutput(at('far/file'))).toThrow(/cannot be written: /);
    expect(readdirSync(folder).sort()).toEqual(['about', 'far', 'round']);
  });
});

describe('several outputs', () => {
  test('each has a file of its own', () => {
    const outputs = makeOutputs([]);
    outputs.file(at('x'), { executable: true });
    outputs.text(at('x.html'));
    expect(outputs.text(undefined)).toBe(undefined);
    outputs.text(STDOUT);
    outputs.text(at('x.json'))?.('{}');
    expect(readFileSync(at('x.json'), 'utf8')).toBe('{}');
  });

  test('two that go to one file are refused, by any names', () => {
    mkdirSync(at('there'));
    symlinkSync('there', at('folder'));
    symlinkSync('there/x', at('link'));
    for (const [one, other] of [
      ['x', 'x'],
      ['there/x', 'folder/x'],
      ['there/x', 'link'],
      ['no/x', 'there/../no/x'],
    ] as const) {
      const outputs = makeOutputs([]);
      outputs.text(at(one));
      expect(() => outputs.text(at(other)), other).toThrow(/two outputs/);
    }
  });
});
