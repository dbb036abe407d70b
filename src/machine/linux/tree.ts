/** Syscalls that change the tree of files: make, remove, rename, link, and change modes, times and sizes. */
import type { Addr } from '../../base/units.ts';
import { OpenDirectory, RegularFile } from './descriptors.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { DirectoryNode, Node } from './nodes.ts';
import type { Place } from './overlay.ts';
import { AT, findAt, freeAt, may, nodeAt } from './paths.ts';
import type { SyscallRow } from './row.ts';

const RENAME_NOREPLACE = 1;
const UTIME = { NOW: 0x3fffffffn, OMIT: 0x3ffffffen } as const;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

function makeDirectory(kernel: Kernel, fd: number, path: Addr, mode: number): number {
  const { directory, name } = freeAt(kernel, fd, path, true);
  const node = kernel.overlay.makeDirectory(mode & ~kernel.umask & 0o1777, directory, name);
  kernel.overlay.place(directory, name, node);
  return 0;
}

function makeNode(kernel: Kernel, fd: number, path: Addr, mode: number): number {
  if (mode & S_IFMT && (mode & S_IFMT) !== S_IFREG) fail(E.PERM);
  const { directory, name } = freeAt(kernel, fd, path);
  kernel.overlay.place(directory, name, kernel.overlay.makeFile(mode & ~kernel.umask & 0o7777));
  return 0;
}

/** Something that is there, and may be taken out of its directory. */
function removable(kernel: Kernel, fd: number, path: Addr): Place & { node: Node } {
  const place = findAt(kernel, fd, path, false);
  const { node } = place;
  if (!node) return fail(E.NOENT);
  if (place.name === '.') fail(node === kernel.overlay.root ? E.BUSY : E.INVAL);
  if (!may(place.directory, 3)) fail(E.ACCES);
  return { ...place, node };
}

function unlink(kernel: Kernel, fd: number, path: Addr, flags: number): number {
  if (flags & ~AT.REMOVEDIR) fail(E.INVAL);
  const { directory, name, node, slash } = removable(kernel, fd, path);
  if (flags & AT.REMOVEDIR) {
    if (node.kind !== 'directory') return fail(E.NOTDIR);
    if (kernel.overlay.list(node).length > 0 || node.sealed) fail(E.NOTEMPTY);
    kernel.overlay.remove(directory, name);
    node.gone = true;
  } else {
    if (node.kind === 'directory') fail(E.ISDIR);
    if (slash) fail(E.NOTDIR);
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

function rename(kernel: Kernel, fromFd: number, from: Addr, toFd: number, to: Addr, flags: number): number {
  if (flags & ~RENAME_NOREPLACE) fail(E.INVAL);
  const source = removable(kernel, fromFd, from);
  const target = findAt(kernel, toFd, to, false);
  const { node } = source;
  const old = target.node;
  if (target.name === '.') fail(E.BUSY);
  if (!may(target.directory, 3)) fail(E.ACCES);
  if (old && flags & RENAME_NOREPLACE) fail(E.EXIST);
  if (old === node) return 0;
  if (node.kind === 'directory') {
    if (node.sealed) fail(E.BUSY);
    if (isWithin(target.directory, node)) fail(E.INVAL);
    if (old && old.kind !== 'directory') fail(E.NOTDIR);
    if (old?.kind === 'directory') {
      if (kernel.overlay.list(old).length > 0 || old.sealed) fail(E.NOTEMPTY);
      old.gone = true;
    }
  } else {
    if (old?.kind === 'directory') fail(E.ISDIR);
    if (source.slash || target.slash) fail(E.NOTDIR);
  }
  kernel.overlay.move(source.directory, source.name, target.directory, target.name);
  return 0;
}

function link(kernel: Kernel, fromFd: number, from: Addr, toFd: number, to: Addr, flags: number): number {
  const empty = flags & AT.EMPTY_PATH && kernel.guest.u8(from) === 0;
  const node = empty
    ? (kernel.descriptors.get(fromFd).node ?? fail(E.INVAL))
    : nodeAt(kernel, fromFd, from, (flags & AT.SYMLINK_FOLLOW) !== 0);
  if (node.kind === 'directory') fail(E.PERM);
  const { directory, name } = freeAt(kernel, toFd, to);
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
  if (node.kind === 'device') return fail(E.PERM);
  node.mode = mode & 0o7777;
  node.changed = true;
  node.times.changed = kernel.clock.realtime;
  return 0;
}

/** The guest owns everything and is nobody else: -1 and its own id are all it may set. */
const changeOwner = (kernel: Kernel, uid: number, gid: number): number =>
  [uid, gid].every((id) => id === -1 || id === kernel.uid) ? 0 : fail(E.PERM);

function changeTimes(kernel: Kernel, fd: number, path: Addr, times: Addr, flags: number): number {
  const byFd = path === 0 || (flags & AT.EMPTY_PATH && kernel.guest.u8(path) === 0);
  const node = byFd ? kernel.descriptors.get(fd).node : nodeAt(kernel, fd, path, (flags & AT.SYMLINK_NOFOLLOW) === 0);
  if (!node) return 0;
  const now = kernel.clock.realtime;
  const pick = (at: Addr, old: bigint): bigint => {
    const nanoseconds = kernel.guest.i64(at + 8);
    if (nanoseconds === UTIME.NOW) return now;
    if (nanoseconds === UTIME.OMIT) return old;
    if (nanoseconds < 0n || nanoseconds >= 1_000_000_000n) fail(E.INVAL);
    return kernel.guest.i64(at) * 1_000_000_000n + nanoseconds;
  };
  node.times.accessed = times === 0 ? now : pick(times, node.times.accessed);
  node.times.modified = times === 0 ? now : pick(times + 16, node.times.modified);
  node.times.changed = now;
  node.changed = true;
  return 0;
}

function resize(kernel: Kernel, node: Node | undefined, size: number): number {
  if (node?.kind === 'directory') return fail(E.ISDIR);
  if (size < 0 || node?.kind !== 'file') return fail(E.INVAL);
  node.contents.resize(size);
  kernel.overlay.modified(node);
  return 0;
}

function truncate(kernel: Kernel, path: Addr, size: number): number {
  const node = nodeAt(kernel, AT.FDCWD, path, true);
  return may(node, 2) ? resize(kernel, node, size) : fail(E.ACCES);
}

function allocate(kernel: Kernel, fd: number, mode: number, offset: number, length: number): number {
  const KEEP_SIZE = 1;
  const file = kernel.descriptors.get(fd);
  if (offset < 0 || length <= 0) fail(E.INVAL);
  if (!(file instanceof RegularFile)) return fail(E.NODEV);
  if (!file.writable) fail(E.BADF);
  if (mode & ~KEEP_SIZE) fail(E.OPNOTSUPP);
  if ((mode & KEEP_SIZE) === 0 && offset + length > file.end()) return resize(kernel, file.node, offset + length);
  return 0;
}

function changeDirectory(kernel: Kernel, node: Node | undefined): number {
  if (node?.kind !== 'directory') return fail(E.NOTDIR);
  if (!may(node, 1)) fail(E.ACCES);
  kernel.cwd = node;
  return 0;
}

const XATTR_ROWS: SyscallRow[] = ['set', 'get', 'list', 'remove'].flatMap((verb, group) =>
  ['', 'l', 'f'].map((prefix, which) => ({
    number: 5 + 3 * group + which,
    name: `${prefix}${verb}xattr`,
    arguments: [prefix === 'f' ? ('fd' as const) : ('path' as const), 'address' as const],
    run: () => -E.OPNOTSUPP,
  })),
);

export const TREE_ROWS: readonly SyscallRow[] = [
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
      const file = k.descriptors.get(fd);
      return changeDirectory(k, file instanceof OpenDirectory ? file.node : undefined);
    },
  },
  {
    number: 52,
    name: 'fchmod',
    arguments: ['fd', 'mode'],
    run: (k, fd, mode) => changeMode(k, k.descriptors.get(fd).node ?? fail(E.PERM), mode),
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
      nodeAt(k, fd, path, (flags & AT.SYMLINK_NOFOLLOW) === 0);
      return changeOwner(k, uid, gid);
    },
  },
  {
    number: 55,
    name: 'fchown',
    arguments: ['fd', 'int', 'int'],
    run: (k, fd, uid, gid) => {
      k.descriptors.get(fd);
      return changeOwner(k, uid, gid);
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
  { number: 223, name: 'fadvise64', arguments: ['fd', 'offset', 'offset', 'int'], run: () => 0 },
  { number: 276, name: 'renameat2', arguments: ['fd', 'path', 'fd', 'path', 'flags'], run: rename },
];
