/** What a guest has changed comes to the host as the guest has it, and nothing else does. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { momentaryName } from '../../src/base/files.ts';
import { writeThrough } from '../../src/cli/writethrough.ts';
import { changesOf } from '../../src/machine/linux/changes.ts';
import type { DirectoryNode, FileNode } from '../../src/machine/linux/nodes.ts';
import { Overlay } from '../../src/machine/linux/overlay.ts';

let host: string;
let granted: string;
let overlay: Overlay;
beforeEach(() => {
  host = mkdtempSync(join(tmpdir(), 'isoform-out-'));
  granted = join(host, 'granted');
  mkdirSync(join(granted, 'sub'), { recursive: true });
  writeFileSync(join(granted, 'file'), 'from the host');
  writeFileSync(join(granted, 'sub', 'inner'), 'inner');
  overlay = new Overlay([granted], () => 5n);
});
afterEach(() => rmSync(host, { recursive: true, force: true }));

const at = (path: string) => overlay.find(overlay.root, join(granted, path), false);
function create(path: string, content: string): FileNode {
  const { directory, name } = at(path);
  const file = overlay.makeFile(0o644);
  overlay.place(directory, name, file);
  file.contents.write(0, Buffer.from(content));
  return file;
}
function makeDirectory(path: string, mode = 0o755): DirectoryNode {
  const { directory, name } = at(path);
  const node = overlay.makeDirectory(mode, directory, name);
  overlay.place(directory, name, node);
  return node;
}
function remove(path: string): void {
  const { directory, name } = at(path);
  overlay.remove(directory, name);
}
function move(from: string, to: string): void {
  const [old, now] = [at(from), at(to)];
  overlay.move(old.directory, old.name, now.directory, now.name);
}
const out = () => writeThrough(changesOf(overlay), granted);
const text = (path: string) => readFileSync(join(granted, path), 'utf8');
const modeOf = (path: string) => lstatSync(join(granted, path)).mode & 0o7777;

describe('what the guest made, moved and removed', () => {
  test('is so on the host', () => {
    create('new', 'made').mode = 0o600;
    remove('file');
    move('sub', 'moved');
    overlay.place(at('').node as DirectoryNode, 'link', overlay.makeLink('new'));
    overlay.place(overlay.get(overlay.root, '/tmp', true) as DirectoryNode, 'elsewhere', overlay.makeFile(0o644));
    out();
    expect(readdirSync(granted).sort()).toEqual(['link', 'moved', 'new']);
    expect([text('moved/inner'), text('link'), modeOf('new')]).toEqual(['inner', 'made', 0o600]);
    expect(existsSync('/tmp/elsewhere')).toBe(false);
    // What it wrote is what a fresh overlay finds: no difference is left.
    overlay = new Overlay([granted], () => 5n);
    expect([...changesOf(overlay)]).toEqual([]);
  });

  test('two files that change places, and one that comes from what was deleted', () => {
    writeFileSync(join(granted, 'other'), 'the other');
    const { directory } = at('file');
    overlay.exchange(directory, 'file', directory, 'other');
    move('sub/inner', 'saved');
    remove('sub');
    out();
    expect(readdirSync(granted).sort()).toEqual(['file', 'other', 'saved']);
    expect([text('file'), text('other'), text('saved')]).toEqual(['the other', 'from the host', 'inner']);
  });

  test('a directory in the place of another of the name, of a file, of a link, and the other way round', () => {
    symlinkSync('/nowhere', join(granted, 'link'));
    mkdirSync(join(granted, 'folder'));
    writeFileSync(join(granted, 'folder', 'old'), 'old');
    for (const name of ['sub', 'file', 'link', 'folder']) remove(name);
    for (const name of ['sub', 'file', 'link']) {
      makeDirectory(name);
      create(`${name}/new`, name);
    }
    create('folder', 'a file now');
    out();
    expect(readdirSync(join(granted, 'sub'))).toEqual(['new']);
    expect([text('sub/new'), text('file/new'), text('link/new'), text('folder')]).toEqual([
      'sub',
      'file',
      'link',
      'a file now',
    ]);
  });

  test('a directory that was away and has come back: what was done in it meanwhile', () => {
    move('sub', 'away');
    remove('away/inner');
    create('away/second', '2');
    move('away', 'sub');
    out();
    expect(readdirSync(granted).sort()).toEqual(['file', 'sub']);
    expect(readdirSync(join(granted, 'sub'))).toEqual(['second']);
  });

  test('a pipe in the place of a file: the file is gone', () => {
    remove('file');
    overlay.place(at('').node as DirectoryNode, 'file', overlay.makeMeeting('fifo', 0o644));
    out();
    expect(readdirSync(granted)).toEqual(['sub']);
  });

  test('names and targets that are not UTF-8', () => {
    const raw = (bytes: string) => Buffer.from(`${granted}/${bytes}`, 'latin1');
    for (const name of ['\xff', '\xfe']) writeFileSync(raw(name), 'host');
    // What a name that is no UTF-8 becomes as text: another file, which must stay.
    writeFileSync(join(granted, '\ufffd'), 'untouched');
    remove('\xff');
    (at('\xfe').node as FileNode).contents.write(0, Buffer.from('new!'));
    create('\xfd', 'made');
    overlay.place(at('').node as DirectoryNode, '\xfc', overlay.makeLink('to \xfd'));
    out();
    const names = readdirSync(granted, { encoding: 'latin1' });
    expect(names).toEqual(['file', 'sub', Buffer.from('\ufffd').toString('latin1'), '\xfc', '\xfd', '\xfe'].sort());
    expect([readFileSync(raw('\xfe'), 'utf8'), readFileSync(raw('\xfd'), 'utf8')]).toEqual(['new!', 'made']);
    expect(readlinkSync(raw('\xfc'), { encoding: 'latin1' })).toBe('to \xfd');
    expect(text('\ufffd')).toBe('untouched');
  });

  test('names as long as names can be', () => {
    const name = 'n'.repeat(255);
    makeDirectory(name);
    create(`${name}/${name}`, 'long');
    out();
    expect(text(`${name}/${name}`)).toBe('long');
  });

  test('a large file with holes is one on the host', () => {
    const file = create('far', 'begins');
    file.contents.write(5e9, Buffer.from('ends'));
    out();
    const { size, blocks } = statSync(join(granted, 'far'));
    expect(size).toBe(5e9 + 4);
    expect(blocks).toBeLessThan(1000);
    overlay = new Overlay([granted], () => 5n);
    const end = Buffer.alloc(8);
    expect((at('far').node as FileNode).contents.read(5e9 - 1, end)).toBe(5);
    expect(end.toString('latin1')).toBe('\0ends\0\0\0');
  });

  test('paths longer than the host takes, made, moved and removed', () => {
    const name = 'deep'.repeat(50);
    let directory = at('').node as DirectoryNode;
    for (let k = 0; k < 100; k++) {
      const node = overlay.makeDirectory(0o755, directory, name);
      overlay.place(directory, name, node);
      directory = node;
    }
    const file = overlay.makeFile(0o600);
    overlay.place(directory, 'file', file);
    file.contents.write(0, Buffer.from('at the bottom'));
    out();
    overlay = new Overlay([granted], () => 5n);
    move(name, 'moved');
    out();
    overlay = new Overlay([granted], () => 5n);
    expect(overlay.list(at('').node as DirectoryNode)).toEqual(['file', 'moved', 'sub']);
    directory = at('moved').node as DirectoryNode;
    for (let k = 1; k < 100; k++) directory = overlay.lookup(directory, name) as DirectoryNode;
    const bottom = Buffer.alloc(20);
    const { contents } = overlay.lookup(directory, 'file') as FileNode;
    expect(bottom.toString('utf8', 0, contents.read(0, bottom))).toBe('at the bottom');
    remove('moved');
    out();
    expect(readdirSync(granted)).toEqual(['file', 'sub']);
  });
});

/** Makes a FIFO on the host. */
const fifo = (path: string) => spawnSync('mkfifo', [join(granted, path)]);
const link = (from: string, to: string) => {
  const { directory, name } = at(to);
  overlay.place(directory, name, at(from).node!);
};
const inodes = (...paths: string[]) => paths.map((path) => lstatSync(join(granted, path)).ino);
const write = (path: string, bytes: string) => (at(path).node as FileNode).contents.write(0, Buffer.from(bytes));

describe('an inode stays what it is', () => {
  test('a host file of several names has new bytes under all of them', () => {
    linkSync(join(granted, 'file'), join(granted, 'same'));
    linkSync(join(granted, 'file'), join(host, 'outside'));
    const before = inodes('file')[0];
    expect([at('file').node!.links, at('same').node]).toEqual([3, at('file').node]);
    write('file', 'FROM');
    move('same', 'moved');
    out();
    expect(inodes('file', 'moved')).toEqual([before, before]);
    expect([text('file'), text('moved'), readFileSync(join(host, 'outside'), 'utf8')]).toEqual(
      Array.from({ length: 3 }, () => 'FROM the host'),
    );
    expect(readdirSync(granted).sort()).toEqual(['file', 'moved', 'sub']);
  });

  test('of which the guest has seen only those that it has removed', () => {
    linkSync(join(granted, 'file'), join(granted, 'unseen'));
    write('file', 'FROM');
    at('file').node!.mode = 0o640;
    remove('file');
    out();
    expect([readdirSync(granted).sort(), text('unseen'), modeOf('unseen')]).toEqual([
      ['sub', 'unseen'],
      'FROM the host',
      0o640,
    ]);
  });

  test('several names that the guest made are names of one file', () => {
    create('one', 'made');
    link('one', 'sub/two');
    link('file', 'three');
    overlay.place(at('').node as DirectoryNode, 'link', overlay.makeLink('to'));
    link('link', 'sub/same');
    link('sub/inner', 'four');
    write('sub/inner', 'INN');
    out();
    for (const [a, b] of [
      inodes('one', 'sub/two'),
      inodes('file', 'three'),
      inodes('sub/inner', 'four'),
      inodes('link', 'sub/same'),
    ])
      expect(a).toBe(b);
    expect([text('sub/two'), text('four'), lstatSync(join(granted, 'four')).nlink]).toEqual(['made', 'INNer', 2]);
  });

  test('what was only moved: the same inode, with its time; a directory with time and bits', () => {
    linkSync(join(granted, 'sub/inner'), join(granted, 'sub/same'));
    symlinkSync('nowhere', join(granted, 'sub/link'));
    fifo('sub/fifo');
    chmodSync(join(granted, 'sub'), 0o2775);
    const names = ['inner', 'same', 'link', 'fifo'];
    for (const path of ['file', 'sub']) utimesSync(join(granted, path), 1e9, 1e9);
    const before = [...inodes('file'), ...inodes(...names.map((name) => `sub/${name}`))];
    move('file', 'moved');
    move('sub', 'away');
    out();
    expect([...inodes('moved'), ...inodes(...names.map((name) => `away/${name}`))]).toEqual(before);
    expect(['moved', 'away'].map((path) => statSync(join(granted, path)).mtimeMs)).toEqual([1e12, 1e12]);
    expect([modeOf('away'), readdirSync(granted).sort()]).toEqual([0o2775, ['away', 'moved']]);
  });

  test('a file that was written keeps its owner', () => {
    if (process.getuid?.() !== 0) return;
    chownSync(join(granted, 'file'), 1234, 1235);
    write('file', 'FROM');
    out();
    const { uid, gid } = statSync(join(granted, 'file'));
    expect([uid, gid, text('file')]).toEqual([1234, 1235, 'FROM the host']);
  });

  test('pipes of the host are there: not made again, not lost with their directory', () => {
    fifo('fifo');
    fifo('sub/fifo');
    expect([at('fifo').node?.kind, overlay.list(at('sub').node as DirectoryNode)]).toEqual(['fifo', ['fifo', 'inner']]);
    move('sub', 'moved');
    remove('fifo');
    out();
    expect([readdirSync(granted).sort(), lstatSync(join(granted, 'moved/fifo')).isFIFO()]).toEqual([
      ['file', 'moved'],
      true,
    ]);
  });

  test('times are those that the guest has set; nothing else changes with them', () => {
    chmodSync(join(granted, 'file'), 0o4755);
    symlinkSync('file', join(granted, 'link'));
    const set = (path: string, modified: bigint | 'now') => {
      const node = at(path).node!;
      node.changed = true;
      node.asked = { modified };
    };
    const second = 1_000_000_000n;
    const before = statSync(join(granted, 'file')).mtimeMs;
    for (const path of ['sub', 'sub/inner', 'link']) set(path, 1_234_567_890n * second);
    set('file', 'now');
    create('early', '').asked = { modified: -5n * second };
    out();
    const times = ['sub', 'sub/inner', 'link', 'early'].map((path) => lstatSync(join(granted, path)).mtimeMs);
    expect(times).toEqual([1_234_567_890_000, 1_234_567_890_000, 1_234_567_890_000, -5000]);
    expect([modeOf('file'), text('file')]).toEqual([0o4755, 'from the host']);
    expect(statSync(join(granted, 'file')).mtimeMs).toBeGreaterThan(before);
  });
});

describe('rights', () => {
  test('bits that give rights to others stay inside; what the host had stays there', () => {
    create('program', '#!').mode = 0o6755;
    makeDirectory('open', 0o1777);
    chmodSync(join(granted, 'sub'), 0o1777);
    chmodSync(join(granted, 'file'), 0o4755);
    for (const [path, mode] of [
      ['sub', 0o755],
      ['file', 0o4777],
    ] as const) {
      const node = at(path).node!;
      node.mode = mode;
      node.changed = true;
    }
    out();
    expect(['program', 'open', 'sub', 'file'].map(modeOf)).toEqual([0o755, 0o777, 0o1755, 0o4777]);
  });

  test('a directory that the guest closed has what was put into it before', () => {
    makeDirectory('closed', 0o500);
    create('closed/file', 'inside').mode = 0o400;
    makeDirectory('closed/empty', 0);
    out();
    expect([modeOf('closed'), modeOf('closed/file'), modeOf('closed/empty')]).toEqual([0o500, 0o400, 0]);
    expect(text('closed/file')).toBe('inside');
    // And can be taken away again.
    overlay = new Overlay([granted], () => 5n);
    remove('closed');
    out();
    expect(readdirSync(granted)).toEqual(['file', 'sub']);
  });

  test('where the mode alone has changed the bytes are not touched: the file is the same one', () => {
    truncateSync(join(granted, 'file'), 20e9);
    linkSync(join(granted, 'file'), join(host, 'same'));
    const node = at('file').node!;
    node.mode = 0o600;
    node.changed = true;
    expect([...changesOf(overlay)]).toMatchObject([
      { path: `${granted}/file`, kind: 'file', mode: 0o600, contents: undefined },
    ]);
    out();
    expect([modeOf('file'), statSync(join(granted, 'file')).ino]).toEqual([0o600, statSync(join(host, 'same')).ino]);
  });

  test('a folder that was granted by a link to it', () => {
    symlinkSync(granted, join(host, 'link'));
    overlay = new Overlay([join(host, 'link')], () => 5n);
    const folder = overlay.get(overlay.root, join(host, 'link'), true);
    folder.mode = 0o700;
    folder.changed = true;
    writeThrough(changesOf(overlay), join(host, 'link'));
    expect([lstatSync(join(host, 'link')).isSymbolicLink(), modeOf('.')]).toEqual([true, 0o700]);
  });
});

describe('what cannot be written is said', () => {
  test('and nothing half-written is left', () => {
    create('new', 'made');
    create('sub/second', 'made');
    // The host changes meanwhile: where a directory was is a file now.
    rmSync(join(granted, 'sub'), { recursive: true });
    writeFileSync(join(granted, 'sub'), 'in the way');
    expect(out).toThrow(/sub\/second: cannot be written: ENOTDIR/);
    expect(readdirSync(granted).sort()).toEqual(['file', 'new', 'sub']);
  });

  test('and what was to be moved is where it was', () => {
    move('file', 'sub/moved');
    rmSync(join(granted, 'sub'), { recursive: true });
    writeFileSync(join(granted, 'sub'), 'in the way');
    expect(out).toThrow(/sub\/moved: cannot be written: ENOTDIR/);
    expect(text('file')).toBe('from the host');
  });

  test('a file whose mode changed is a link meanwhile: what it leads to stays as it was', () => {
    const node = at('file').node!;
    node.mode = 0o777;
    node.changed = true;
    writeFileSync(join(host, 'secret'), '', { mode: 0o600 });
    rmSync(join(granted, 'file'));
    symlinkSync('../secret', join(granted, 'file'));
    expect(out).toThrow(/file: cannot be written: it is no file any more/);
    expect(statSync(join(host, 'secret')).mode & 0o777).toBe(0o600);
  });

  test('what somebody who was killed has left is taken away', () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    const left = momentaryName(granted).replace(`-${process.pid}-`, `-${pid}-`);
    mkdirSync(left);
    writeFileSync(join(left, '0'), 'half of a fi');
    overlay = new Overlay([granted], () => 5n);
    create('new', 'made');
    out();
    expect(readdirSync(granted).sort()).toEqual(['file', 'new', 'sub']);
  });
});
