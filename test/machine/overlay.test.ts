import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeThrough } from '../../src/cli/writethrough.ts';
import { E, Errno } from '../../src/machine/linux/errno.ts';
import {
  Contents,
  type DirectoryNode,
  type FileNode,
  MAX_FILE_SIZE,
  type Node,
  Usage,
} from '../../src/machine/linux/nodes.ts';
import { Overlay } from '../../src/machine/linux/overlay.ts';

let host: string;
let granted: string;
beforeEach(() => {
  host = mkdtempSync(join(tmpdir(), 'isoform-overlay-'));
  granted = join(host, 'granted');
  mkdirSync(join(granted, 'sub'), { recursive: true });
  writeFileSync(join(granted, 'file'), 'from the host');
  writeFileSync(join(granted, 'sub', 'inner'), 'inner');
  writeFileSync(join(host, 'secret'), 'not granted');
  symlinkSync('../secret', join(granted, 'escape'));
  symlinkSync('sub/inner', join(granted, 'shortcut'));
});
afterEach(() => rmSync(host, { recursive: true, force: true }));

const make = (...grants: string[]) => new Overlay(grants.length === 0 ? [granted] : grants, () => 5n);
const codeOf = (operation: () => unknown): number | undefined => {
  try {
    operation();
    return undefined;
  } catch (error) {
    if (error instanceof Errno) return error.code;
    throw error;
  }
};
const text = (node: Node | undefined) => Buffer.from((node as FileNode).contents.all()).toString();
const at = (overlay: Overlay, path: string) => overlay.get(overlay.root, path, true);
function create(overlay: Overlay, path: string, content: string): FileNode {
  const { directory, name } = overlay.find(overlay.root, path, false);
  const file = overlay.makeFile(0o644);
  overlay.place(directory, name, file);
  file.contents.write(0, Buffer.from(content));
  return file;
}
function remove(overlay: Overlay, path: string): void {
  const { directory, name } = overlay.find(overlay.root, path, false);
  overlay.remove(directory, name);
}

describe('what the guest sees', () => {
  test('granted files, at their own paths', () => {
    const overlay = make();
    expect(text(at(overlay, `${granted}/file`))).toBe('from the host');
    expect(text(at(overlay, `${granted}/sub/../shortcut`))).toBe('inner');
    expect(overlay.list(at(overlay, granted) as DirectoryNode)).toEqual(['escape', 'file', 'shortcut', 'sub']);
    expect(overlay.changes()).toEqual([]);
  });

  test('when the host last looked at a file does not show', () => {
    const file = join(granted, 'file');
    const now = statSync(file).mtime;
    utimesSync(file, new Date(0), now);
    const { times } = at(make(), file);
    expect([times.accessed, times.accessed]).toEqual([times.modified, statSync(file, { bigint: true }).mtimeNs]);
  });

  test('nothing outside, by name or by a symbolic link', () => {
    const overlay = make();
    for (const path of ['/etc/passwd', `${host}/secret`, `${granted}/escape`, `${granted}/../secret`, '/nothing'])
      expect([path, codeOf(() => at(overlay, path))]).toEqual([path, E.NOENT]);
    // Ancestors are there, and show nothing but the way.
    expect(overlay.list(at(overlay, host) as DirectoryNode)).toEqual(['granted']);
    expect(overlay.list(overlay.root)).toContain('dev');
    expect(overlay.list(overlay.root)).not.toContain('etc');
  });

  test('errors of paths', () => {
    const overlay = make();
    const { root } = overlay;
    symlinkSync('loop', join(granted, 'loop'));
    expect(codeOf(() => overlay.find(root, '', true))).toBe(E.NOENT);
    expect(codeOf(() => at(overlay, `${granted}/missing`))).toBe(E.NOENT);
    expect(codeOf(() => at(overlay, `${granted}/missing/more`))).toBe(E.NOENT);
    expect(codeOf(() => at(overlay, `${granted}/file/more`))).toBe(E.NOTDIR);
    expect(codeOf(() => at(overlay, `${granted}/file/`))).toBe(E.NOTDIR);
    expect(codeOf(() => at(overlay, `${granted}/loop`))).toBe(E.LOOP);
    expect(codeOf(() => at(overlay, `${granted}/${'n'.repeat(256)}`))).toBe(E.NAMETOOLONG);
    expect(codeOf(() => at(overlay, `/${'n/'.repeat(3000)}`))).toBe(E.NAMETOOLONG);
    expect(at(overlay, '/../..')).toBe(root);
  });

  test('a grant inside a grant, the root, and what is no directory', () => {
    const nested = make(`${granted}/sub`, granted);
    expect(text(at(nested, `${granted}/sub/inner`))).toBe('inner');
    expect(text(at(make('/'), `${host}/secret`))).toBe('not granted');
    expect(() => make(`${granted}/file`)).toThrow(/not a directory/);
    expect(() => make(`${granted}/missing`)).toThrow(/ENOENT/);
  });

  test('names that are not UTF-8', () => {
    const raw = Buffer.concat([Buffer.from(`${granted}/`), Buffer.of(0xff, 0xfe)]);
    writeFileSync(raw, 'raw');
    const overlay = make();
    expect(overlay.list(at(overlay, granted) as DirectoryNode)).toContain('\xff\xfe');
    expect(text(at(overlay, `${granted}/\xff\xfe`))).toBe('raw');
  });
});

describe('what the guest changes', () => {
  test('stays in memory, and is listed in order of paths', () => {
    const overlay = make();
    create(overlay, `${granted}/new`, 'made');
    const file = at(overlay, `${granted}/file`) as FileNode;
    file.contents.write(0, Buffer.from('FROM'));
    overlay.modified(file);
    remove(overlay, `${granted}/shortcut`);
    create(overlay, `${granted}/short-lived`, 'x');
    remove(overlay, `${granted}/short-lived`);
    expect(
      overlay
        .changes()
        .map((c) => [c.path.slice(granted.length), c.kind, 'bytes' in c && Buffer.from(c.bytes).toString()]),
    ).toEqual([
      ['/file', 'file', 'FROM the host'],
      ['/new', 'file', 'made'],
      ['/shortcut', 'deleted', false],
    ]);
    expect(readFileSync(join(granted, 'file'), 'utf8')).toBe('from the host');
    expect(readdirSync(granted).sort()).toEqual(['escape', 'file', 'shortcut', 'sub']);
    expect(codeOf(() => overlay.get(overlay.root, `${granted}/shortcut`, false))).toBe(E.NOENT);
  });

  test('a directory moved away takes along what it has on the host', () => {
    const overlay = make();
    const { directory, node } = overlay.find(overlay.root, `${granted}/sub`, false);
    overlay.move(directory, 'sub', directory, 'moved');
    expect(text(at(overlay, `${granted}/moved/inner`))).toBe('inner');
    expect(overlay.pathOf(node as DirectoryNode)).toBe(`${granted}/moved`);
    expect(overlay.changes().map(({ path, kind }) => [path.slice(granted.length), kind])).toEqual([
      ['/moved', 'directory'],
      ['/moved/inner', 'file'],
      ['/sub', 'deleted'],
    ]);
  });

  test('can be let out', () => {
    const overlay = make();
    create(overlay, `${granted}/new`, 'made').mode = 0o600;
    remove(overlay, `${granted}/file`);
    const { directory } = overlay.find(overlay.root, `${granted}/sub`, false);
    overlay.move(directory, 'sub', directory, 'moved');
    overlay.place(directory, 'link', overlay.makeLink('new'));
    create(overlay, '/tmp/elsewhere', 'stays');
    writeThrough(overlay.changes(), granted);
    expect(readdirSync(granted).sort()).toEqual(['escape', 'link', 'moved', 'new', 'shortcut']);
    expect(readFileSync(join(granted, 'moved', 'inner'), 'utf8')).toBe('inner');
    expect(readFileSync(join(granted, 'link'), 'utf8')).toBe('made');
    // What it wrote is what a fresh overlay finds: no difference is left.
    expect(text(at(make(), `${granted}/new`))).toBe('made');
  });

  test('what cannot be written is said, and nothing half-written is left', () => {
    const overlay = make();
    create(overlay, `${granted}/new`, 'made');
    create(overlay, `${granted}/sub/second`, 'made');
    // The host changes meanwhile: where a directory was is a file now.
    rmSync(join(granted, 'sub'), { recursive: true });
    writeFileSync(join(granted, 'sub'), 'in the way');
    expect(() => writeThrough(overlay.changes(), granted)).toThrow(/sub\/second: cannot be written: ENOTDIR/);
    expect(readdirSync(granted).sort()).toEqual(['escape', 'file', 'new', 'shortcut', 'sub']);
  });
});

describe('contents of files', () => {
  test('sparse writing, shrinking and growing read as zeros', () => {
    const contents = new Contents(new Usage());
    contents.write(10, Buffer.from('end'));
    expect([...contents.all()]).toEqual([...new Array(10).fill(0), ...Buffer.from('end')]);
    contents.resize(11);
    contents.resize(13);
    expect([...contents.all().subarray(10)]).toEqual([101, 0, 0]);
    expect(contents.read(13, new Uint8Array(5))).toBe(0);
  });

  test('a file has a largest size', () => {
    const contents = new Contents(new Usage());
    expect(codeOf(() => contents.resize(MAX_FILE_SIZE + 1))).toBe(E.FBIG);
    expect(codeOf(() => contents.write(2 ** 52, new Uint8Array(1)))).toBe(E.FBIG);
    contents.resize(MAX_FILE_SIZE);
    expect(contents.read(MAX_FILE_SIZE - 1, new Uint8Array(4).fill(9))).toBe(1);
  });

  test('all files together have a largest size; what is deleted gives its room back', () => {
    const usage = new Usage();
    const half = new Contents(usage);
    half.write(MAX_FILE_SIZE - 1, Uint8Array.of(1));
    const other = new Contents(usage);
    other.write(MAX_FILE_SIZE - 1, Uint8Array.of(1));
    expect(codeOf(() => new Contents(usage).write(0, Uint8Array.of(1)))).toBe(E.NOSPC);
    other.discard();
    expect(codeOf(() => new Contents(usage).write(0, Uint8Array.of(1)))).toBe(undefined);
  });

  test('a large host file is read through a window, the same bytes', () => {
    const bytes = Buffer.alloc(17 * 2 ** 20);
    for (let i = 0; i < bytes.length; i += 4096) bytes.writeUInt32LE(i, i);
    writeFileSync(join(granted, 'large'), bytes);
    const file = at(make(), `${granted}/large`) as FileNode;
    const four = Buffer.alloc(4);
    for (const position of [0, 4096, 2 ** 20 - 4096, 2 ** 20, 9 * 2 ** 20 + 4096, 0]) {
      expect(file.contents.read(position, four)).toBe(4);
      expect(four.readUInt32LE()).toBe(position);
    }
    const across = Buffer.alloc(8192);
    expect(file.contents.read(2 ** 20 - 4096, across)).toBe(8192);
    expect([across.readUInt32LE(0), across.readUInt32LE(4096)]).toEqual([2 ** 20 - 4096, 2 ** 20]);
    file.contents.write(5, Buffer.from('x'));
    expect(Buffer.compare(Buffer.from(file.contents.all()).subarray(6), bytes.subarray(6))).toBe(0);
  });
});
