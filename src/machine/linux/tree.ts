/** Syscalls that change the tree of files: make, remove, rename, link, and change modes, times and sizes. */
import type { Addr } from '../../base/units.ts';
import { MAX_FILE_SIZE } from './contents.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { checkLength, OpenDirectory, RegularFile } from './nodefiles.ts';
import { checkSeals, type DirectoryNode, may, type Node } from './nodes.ts';
import { isPipe } from './openfile.ts';
import { AT, freeAt, namedBy, nodeAt, parentAt } from './paths.ts';
import type { SyscallRow } from './row.ts';

const RENAME = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const;
const UTIME = { NOW: 0x3fffffffn, OMIT: 0x3ffffffen } as const;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const [S_IFSOCK, S_IFBLK, S_IFCHR, S_IFIFO] = [0o140000, 0o060000, 0o020000, 0o010000];
const SPECIAL_TYPES: readonly number[] = [S_IFSOCK, S_IFBLK, S_IFCHR, S_IFIFO];

function makeDirectory(kernel: Kernel, fd: number, path: Addr, mode: number): number {
  const { directory, name } = freeAt(kernel, fd, path, true);
  const node = kernel.overlay.makeDirectory(mode & ~kernel.umask & 0o1777, directory, name);
  kernel.overlay.place(directory, name, node);
  return 0;
}

function makeNode(kernel: Kernel, fd: number, path: Addr, mode: number): number {
  const kind = mode & S_IFMT;
  if (kind === S_IFDIR) fail(E.PERM);
  if (kind !== 0 && kind !== S_IFREG && !SPECIAL_TYPES.includes(kind)) fail(E.INVAL);
  const { directory, name } = freeAt(kernel, fd, path);
  // Devices are for root only.
  if (kind === S_IFCHR || kind === S_IFBLK) fail(E.PERM);
  const rights = mode & ~kernel.umask & 0o7777;
  const meeting = kind === S_IFIFO ? 'fifo' : kind === S_IFSOCK ? 'socket' : undefined;
  const { overlay } = kernel;
  overlay.place(directory, name, meeting ? overlay.makeMeeting(meeting, rights) : overlay.makeFile(rights));
  return 0;
}

function unlink(kernel: Kernel, fd: number, path: Addr, flags: number): number {
  if (flags & ~AT.REMOVEDIR) fail(E.INVAL);
  const { directory, name, slash } = parentAt(kernel, fd, path);
  const node = name === '.' ? directory : (kernel.overlay.entry(directory, name) ?? fail(E.NOENT));
  if (name === '.') {
    if ((flags & AT.REMOVEDIR) === 0) fail(E.ISDIR);
    const last = kernel.guest.string(path).replace(/\/+$/, '');
    fail(node === kernel.overlay.root ? E.BUSY : last.endsWith('..') ? E.NOTEMPTY : E.INVAL);
  }
  if (slash && (flags & AT.REMOVEDIR) === 0) fail(node.kind === 'directory' ? E.ISDIR : E.NOTDIR);
  if (!may(directory, 3)) fail(E.ACCES);
  if (flags & AT.REMOVEDIR) {
    if (node.kind !== 'directory') return fail(E.NOTDIR);
    if (node.fixed) fail(E.BUSY);
    if (kernel.overlay.list(node).length > 0 || node.sealed) fail(E.NOTEMPTY);
    kernel.overlay.remove(directory, name);
    node.gone = true;
  } else {
    if (node.kind === 'directory') fail(E.ISDIR);
    kernel.overlay.remove(directory, name);
  }
  return 0;
}

const isWithin = (directory: DirectoryNode, ancestor: Node): boolean => {
  for (let at = directory; ; at = at.parent) {
    if (at === ancestor) return true;
    if (at.parent === at) return false;
  }
};

/** The checks are in the order of Linux (fs/namei.c, do_renameat2 and vfs_rename). */
function rename(kernel: Kernel, fromFd: number, from: Addr, toFd: number, to: Addr, flags: number): number {
  if (flags & ~(RENAME.NOREPLACE | RENAME.EXCHANGE | RENAME.WHITEOUT)) fail(E.INVAL);
  const exchange = (flags & RENAME.EXCHANGE) !== 0;
  if (exchange && flags & (RENAME.NOREPLACE | RENAME.WHITEOUT)) fail(E.INVAL);
  // Both directories are looked up first, then their entries.
  const source = parentAt(kernel, fromFd, from);
  const target = parentAt(kernel, toFd, to);
  if (source.name === '.') fail(E.BUSY);
  if (target.name === '.') fail(flags & RENAME.NOREPLACE ? E.EXIST : E.BUSY);
  const node = kernel.overlay.entry(source.directory, source.name) ?? fail(E.NOENT);
  const old = kernel.overlay.entry(target.directory, target.name);
  if (old && flags & RENAME.NOREPLACE) fail(E.EXIST);
  if (exchange && !old) fail(E.NOENT);
  if (node.kind !== 'directory' && (source.slash || (!exchange && target.slash))) fail(E.NOTDIR);
  if (exchange && old?.kind !== 'directory' && target.slash) fail(E.NOTDIR);
  if (node.kind === 'directory' && isWithin(target.directory, node)) fail(E.INVAL);
  if (old?.kind === 'directory' && isWithin(source.directory, old)) fail(exchange ? E.INVAL : E.NOTEMPTY);
  if (old === node) return 0;
  for (const { directory } of [source, target]) if (!may(directory, 3)) fail(E.ACCES);
  for (const moved of [node, old]) if (moved?.kind === 'directory' && (moved.fixed || moved.sealed)) fail(E.BUSY);
  if (target.directory.gone) fail(E.NOENT);
  if (flags & RENAME.WHITEOUT) fail(E.INVAL);
  // A directory that gets another parent is written to: its `..` is another.
  const goes = (moved: Node | undefined) =>
    moved?.kind !== 'directory' || source.directory === target.directory || may(moved, 2) || fail(E.ACCES);
  if (exchange) {
    goes(node);
    goes(old);
    kernel.overlay.exchange(source.directory, source.name, target.directory, target.name);
    return 0;
  }
  if (old && (node.kind === 'directory') !== (old.kind === 'directory'))
    fail(old.kind === 'directory' ? E.ISDIR : E.NOTDIR);
  goes(node);
  if (old?.kind === 'directory') {
    if (kernel.overlay.list(old).length > 0) fail(E.NOTEMPTY);
    old.gone = true;
  }
  kernel.overlay.move(source.directory, source.name, target.directory, target.name);
  return 0;
}

function link(kernel: Kernel, fromFd: number, from: Addr, toFd: number, to: Addr, flags: number): number {
  if (flags & ~(AT.SYMLINK_FOLLOW | AT.EMPTY_PATH)) fail(E.INVAL);
  const how = (flags & AT.EMPTY_PATH) | (flags & AT.SYMLINK_FOLLOW ? 0 : AT.SYMLINK_NOFOLLOW);
  const node = namedBy(kernel, fromFd, from, how) ?? fail(E.INVAL);
  const { directory, name } = freeAt(kernel, toFd, to);
  if (node.kind === 'directory') fail(E.PERM);
  // A file that has lost its last name gets no other (fs/namei.c, vfs_link).
  if (node.links === 0 && !(node.kind === 'file' && node.linkable)) fail(E.NOENT);
  if (node.kind === 'file') node.linkable = false;
  kernel.overlay.place(directory, name, node);
  return 0;
}

function symlink(kernel: Kernel, target: Addr, fd: number, path: Addr): number {
  const text = kernel.guest.string(target);
  if (text === '') fail(E.NOENT);
  const { directory, name } = freeAt(kernel, fd, path);
  kernel.overlay.place(directory, name, kernel.overlay.makeLink(text));
  return 0;
}

function changeMode(kernel: Kernel, node: Node, mode: number): number {
  if (node.kind === 'device' && !node.origin) return fail(E.PERM);
  node.mode = mode & 0o7777;
  node.changed = true;
  node.times.changed = kernel.clock.realtime;
  return 0;
}

/** The guest owns all nodes and is not root: only -1 and its own id may be set. */
function changeOwner(kernel: Kernel, node: Node | undefined, uid: number, gid: number): number {
  if ([uid, gid].some((id) => id !== -1 && id !== kernel.uid)) fail(E.PERM);
  if (!node) return 0;
  kernel.overlay.dropPrivileges(node);
  node.changed = true;
  node.times.changed = kernel.clock.realtime;
  return 0;
}

type Asked = bigint | 'now' | 'omit';

/** A time to set, in the form of utimensat. */
function timeAt(kernel: Kernel, at: Addr): Asked {
  const [seconds, nanoseconds] = [kernel.guest.i64(at), kernel.guest.i64(at + 8)];
  if (nanoseconds === UTIME.NOW) return 'now';
  if (nanoseconds === UTIME.OMIT) return 'omit';
  return nanoseconds < 0n || nanoseconds >= 1_000_000_000n ? fail(E.INVAL) : seconds * 1_000_000_000n + nanoseconds;
}

function changeTimes(kernel: Kernel, fd: number, path: Addr, times: Addr, flags: number): number {
  const asked = times === 0 ? undefined : [0, 16].map((at) => timeAt(kernel, times + at));
  if (asked?.every((time) => time === 'omit')) return 0;
  if (flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH) || (path === 0 && fd !== AT.FDCWD && flags !== 0)) fail(E.INVAL);
  const byFd = path === 0 && fd !== AT.FDCWD;
  const node = byFd ? kernel.descriptors.get(fd).node : namedBy(kernel, fd, path, flags);
  if (!node) return 0;
  const now = kernel.clock.realtime;
  for (const [index, which] of (['accessed', 'modified'] as const).entries()) {
    const time = asked?.[index] ?? 'now';
    if (time === 'omit') continue;
    node.times[which] = time === 'now' ? now : time;
    node.asked = { ...node.asked, [which]: time };
  }
  node.times.changed = now;
  node.changed = true;
  return 0;
}

function resize(kernel: Kernel, node: Node | undefined, size: number): number {
  if (node?.kind === 'directory') return fail(E.ISDIR);
  if (size < 0 || node?.kind !== 'file') return fail(E.INVAL);
  if (size > node.contents.size) checkLength(kernel.overlay, size);
  checkSeals(node, false, size);
  node.contents.resize(size);
  kernel.overlay.written(node);
  return 0;
}

function truncate(kernel: Kernel, path: Addr, size: number): number {
  if (size < 0) fail(E.INVAL);
  const node = nodeAt(kernel, AT.FDCWD, path, true);
  if (node.kind === 'directory') fail(E.ISDIR);
  if (node.kind === 'file' && node.runs) fail(E.TXTBSY);
  return may(node, 2) ? resize(kernel, node, size) : fail(E.ACCES);
}

function allocate(kernel: Kernel, fd: number, mode: number, offset: number, length: number): number {
  const MODE = { KEEP_SIZE: 1, PUNCH_HOLE: 2, COLLAPSE: 8, ZERO: 16, INSERT: 32, UNSHARE: 64 } as const;
  const how = mode & ~MODE.KEEP_SIZE;
  const file = kernel.descriptors.get(fd);
  if (offset < 0 || length <= 0) fail(E.INVAL);
  // A call has one operation only, and PUNCH_HOLE needs KEEP_SIZE.
  if (![0, MODE.PUNCH_HOLE, MODE.COLLAPSE, MODE.ZERO, MODE.INSERT, MODE.UNSHARE].includes(how)) fail(E.OPNOTSUPP);
  if (how === MODE.PUNCH_HOLE && mode === how) fail(E.OPNOTSUPP);
  if ((how === MODE.COLLAPSE || how === MODE.INSERT) && mode !== how) fail(E.INVAL);
  if (!file.writable) fail(E.BADF);
  if (isPipe(file)) fail(E.SPIPE);
  if (!(file instanceof RegularFile)) return fail(E.NODEV);
  if (offset + length > MAX_FILE_SIZE) fail(E.FBIG);
  // These three operations are not supported here.
  if (how === MODE.COLLAPSE || how === MODE.INSERT || how === MODE.UNSHARE) fail(E.OPNOTSUPP);
  const { node } = file;
  const grows = (mode & MODE.KEEP_SIZE) === 0 && offset + length > file.end();
  if (grows) checkLength(kernel.overlay, offset + length);
  checkSeals(node, how === MODE.PUNCH_HOLE, grows ? offset + length : file.end());
  if (how !== 0) node.contents.punch(offset, offset + length);
  if (how !== MODE.PUNCH_HOLE) node.contents.reserve(offset, offset + length);
  if (grows) node.contents.resize(offset + length);
  if (how !== 0 || grows) kernel.overlay.written(node);
  return 0;
}

/** fadvise64: the advice has no effect. */
function advise(kernel: Kernel, fd: number, _offset: number, length: number, advice: number): number {
  const file = kernel.descriptors.get(fd);
  if (isPipe(file)) fail(E.SPIPE);
  return length < 0 || advice < 0 || advice > 5 ? fail(E.INVAL) : 0;
}

function changeDirectory(kernel: Kernel, node: Node | undefined): number {
  if (node?.kind !== 'directory') return fail(E.NOTDIR);
  if (!may(node, 1)) fail(E.ACCES);
  kernel.cwd = node;
  return 0;
}

/** No file has extended attributes: a list of them is empty, as on Linux where a file system keeps none. */
const XATTR_ROWS: SyscallRow[] = ['set', 'get', 'list', 'remove'].flatMap((verb, group) =>
  ['', 'l', 'f'].map((prefix, which) => ({
    number: 5 + 3 * group + which,
    name: `${prefix}${verb}xattr`,
    arguments: [prefix === 'f' ? ('fd' as const) : ('path' as const), 'address' as const],
    run: (k: Kernel, what: number) => {
      if (prefix === 'f') k.descriptors.get(what);
      else nodeAt(k, AT.FDCWD, what, prefix === '');
      return verb === 'list' ? 0 : -E.OPNOTSUPP;
    },
  })),
);

const ROWS: readonly SyscallRow[] = [
  ...XATTR_ROWS,
  { number: 33, name: 'mknodat', arguments: ['fd', 'path', 'mode', 'flags'], run: makeNode },
  { number: 34, name: 'mkdirat', arguments: ['fd', 'path', 'mode'], run: makeDirectory },
  { number: 35, name: 'unlinkat', arguments: ['fd', 'path', 'flags'], run: unlink },
  { number: 36, name: 'symlinkat', arguments: ['path', 'fd', 'path'], run: symlink },
  { number: 37, name: 'linkat', arguments: ['fd', 'path', 'fd', 'path', 'flags'], run: link },
  { number: 45, name: 'truncate', arguments: ['path', 'offset'], run: truncate },
  {
    number: 46,
    name: 'ftruncate',
    arguments: ['fd', 'offset'],
    run: (k, fd, size) => {
      if (size < 0) return fail(E.INVAL);
      const file = k.descriptors.get(fd);
      return file.writable ? resize(k, file.node, size) : fail(E.INVAL);
    },
  },
  { number: 47, name: 'fallocate', arguments: ['fd', 'flags', 'offset', 'offset'], run: allocate },
  {
    number: 49,
    name: 'chdir',
    arguments: ['path'],
    run: (k, path) => changeDirectory(k, nodeAt(k, AT.FDCWD, path, true)),
  },
  {
    number: 50,
    name: 'fchdir',
    arguments: ['fd'],
    run: (k, fd) => {
      const file = k.descriptors.any(fd);
      return changeDirectory(k, file instanceof OpenDirectory ? file.node : undefined);
    },
  },
  {
    number: 52,
    name: 'fchmod',
    arguments: ['fd', 'mode'],
    run: (k, fd, mode) => {
      const file = k.descriptors.get(fd);
      if (file.node) return changeMode(k, file.node, mode);
      if (file.nameless === 'anonymous') return fail(E.OPNOTSUPP);
      file.inode.rights = mode & 0o7777;
      return 0;
    },
  },
  {
    number: 53,
    name: 'fchmodat',
    arguments: ['fd', 'path', 'mode'],
    run: (k, fd, path, mode) => changeMode(k, nodeAt(k, fd, path, true), mode),
  },
  {
    number: 54,
    name: 'fchownat',
    arguments: ['fd', 'path', 'int', 'int', 'flags'],
    run: (k, fd, path, uid, gid, flags) => {
      if (flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) fail(E.INVAL);
      return changeOwner(k, namedBy(k, fd, path, flags), uid, gid);
    },
  },
  {
    number: 55,
    name: 'fchown',
    arguments: ['fd', 'int', 'int'],
    run: (k, fd, uid, gid) => {
      return changeOwner(k, k.descriptors.get(fd).node, uid, gid);
    },
  },
  { number: 88, name: 'utimensat', arguments: ['fd', 'path', 'address', 'flags'], run: changeTimes },
  {
    number: 166,
    name: 'umask',
    arguments: ['mode'],
    run: (k, mask) => {
      const old = k.umask;
      k.umask = mask & 0o777;
      return old;
    },
  },
  { number: 223, name: 'fadvise64', arguments: ['fd', 'offset', 'offset', 'int'], run: advise },
  { number: 276, name: 'renameat2', arguments: ['fd', 'path', 'fd', 'path', 'flags'], run: rename },
];

/** All rows are slow: files and directories may be large. */
export const TREE_ROWS: readonly SyscallRow[] = ROWS.map((row) => ({ ...row, slow: true }));
