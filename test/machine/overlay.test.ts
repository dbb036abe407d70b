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
import { type Bytes, changesOf } from '../../src/machine/linux/changes.ts';
import { E } from '../../src/machine/linux/errno.ts';
import { OpenDirectory, RegularFile } from '../../src/machine/linux/nodefiles.ts';
import type { DirectoryNode, FileNode, Node } from '../../src/machine/linux/nodes.ts';
import { Overlay } from '../../src/machine/linux/overlay.ts';
import { codeOf } from '../support/errno.ts';

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

const all = (contents: Bytes): Buffer => {
  const bytes = Buffer.alloc(contents.size);
  expect(contents.read(0, bytes)).toBe(contents.size);
  return bytes;
};
const make = (...grants: string[]) => new Overlay(grants.length === 0 ? [granted] : grants, () => 5n);
const text = (node: Node | undefined) => all((node as FileNode).contents).toString();
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
    expect([...changesOf(overlay)]).toEqual([]);
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
      Array.from(changesOf(overlay), (c) => [
        c.path.slice(granted.length),
        c.kind,
        'contents' in c && all(c.contents!).toString(),
      ]),
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
    expect(Array.from(changesOf(overlay), ({ path, kind }) => [path.slice(granted.length), kind])).toEqual([
      ['/moved', 'directory'],
      ['/moved/inner', 'file'],
      ['/sub', 'deleted'],
    ]);
  });

  test('nine thousand directories in one another are told of', () => {
    const overlay = make();
    let directory = at(overlay, granted) as DirectoryNode;
    for (let k = 0; k < 9000; k++) {
      const node = overlay.makeDirectory(0o755, directory, 'deep');
      overlay.place(directory, 'deep', node);
      directory = node;
    }
    const changes = [...changesOf(overlay)];
    expect(changes.length).toBe(9000);
    expect(changes.at(-1)!.path).toBe(overlay.pathOf(directory));
  });
});

describe('what the guest makes is counted', () => {
  const home = (overlay: Overlay) => at(overlay, '/tmp') as DirectoryNode;
  const makers: Readonly<Record<string, (overlay: Overlay, name: string) => Node>> = {
    file: (overlay) => overlay.makeFile(0o600),
    directory: (overlay, name) => overlay.makeDirectory(0o700, home(overlay), name),
    link: (overlay) => overlay.makeLink('x'.repeat(4095)),
    fifo: (overlay) => overlay.makeMeeting('fifo', 0o600),
  };
  test.each(Object.entries(makers))('a %s: all of it comes back when it is removed', (_, makeOne) => {
    const overlay = make();
    const before = overlay.used;
    const costs: number[] = [];
    for (let i = 0; i < 5; i++) {
      const old = overlay.used;
      overlay.place(home(overlay), `n${i}`, makeOne(overlay, `n${i}`));
      costs.push(overlay.used - old);
    }
    expect(new Set(costs).size).toBe(1);
    expect(costs[0]).toBeGreaterThan(500);
    overlay.move(home(overlay), 'n0', home(overlay), 'with a longer name');
    overlay.exchange(home(overlay), 'with a longer name', home(overlay), 'n1');
    overlay.place(home(overlay), 'n2', makeOne(overlay, 'n2'));
    for (const name of overlay.list(home(overlay))) overlay.remove(home(overlay), name);
    expect(overlay.used).toBe(before);
  });

  test('more names of one file too, and a file that is open as long as it is', () => {
    const overlay = make();
    const before = overlay.used;
    const file = overlay.makeFile(0o600);
    overlay.place(home(overlay), 'one', file);
    const one = overlay.used - before;
    overlay.place(home(overlay), 'two', file);
    expect(overlay.used - before).toBeGreaterThan(one + 100);
    const open = new RegularFile(file, () => '/tmp/one', 0, overlay);
    for (const name of ['one', 'two']) overlay.remove(home(overlay), name);
    expect(overlay.used).toBeGreaterThan(before);
    open.close();
    expect(overlay.used).toBe(before);
  });

  test('names that are being read', () => {
    const overlay = make();
    const before = overlay.used;
    const open = new OpenDirectory(at(overlay, granted) as DirectoryNode, 0, overlay);
    expect(open.names).toEqual(['.', '..', 'escape', 'file', 'shortcut', 'sub']);
    expect(overlay.used).toBeGreaterThan(before);
    open.close();
    expect(overlay.used).toBe(before);
  });

  test('the disk is full long before the host is, and what could not be made is not counted', () => {
    const overlay = make();
    const target = 'x'.repeat(4095);
    let made = 0;
    // The targets are one string here: nothing of this takes real memory but the names.
    const code = codeOf(() => {
      for (; made < 1e6; made++) overlay.place(home(overlay), `${made}`, overlay.makeLink(target));
    });
    expect(code).toBe(E.NOSPC);
    expect(made).toBeLessThan(500_000);
    const full = overlay.used;
    expect(codeOf(() => overlay.place(home(overlay), 'y'.repeat(255), overlay.makeMeeting('fifo', 0)))).toBe(E.NOSPC);
    overlay.remove(home(overlay), '0');
    expect(overlay.used).toBeLessThan(full);
    overlay.place(home(overlay), 'small', overlay.makeMeeting('fifo', 0));
  });
});

test('a directory has a path as long as any call could take it, however deep it is', () => {
  const overlay = make();
  let at: DirectoryNode = overlay.get(overlay.root, '/tmp', true) as DirectoryNode;
  const codes: (number | undefined)[] = [];
  for (let depth = 0; depth < 2100; depth++) {
    const next = overlay.makeDirectory(0o700, at, 'd');
    overlay.place(at, 'd', next);
    at = next;
    codes.push(codeOf(() => overlay.pathOf(at, 4096)));
  }
  // `/tmp` and the NUL at the end take five of 4,096 bytes.
  expect(codes.filter((code) => code === undefined)).toHaveLength(Math.floor((4096 - 5) / 2));
  expect(new Set(codes)).toEqual(new Set([undefined, E.NAMETOOLONG]));
});
