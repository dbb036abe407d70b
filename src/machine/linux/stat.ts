/** Syscalls that describe files: stat, statx, access, statfs, and reading of directories and links. */
import { alignUp } from '../../base/bits.ts';
import type { Addr } from '../../base/units.ts';
import { E, fail } from './errno.ts';
import { split } from './guest.ts';
import type { Kernel } from './kernel.ts';
import { OpenDirectory } from './nodefiles.ts';
import { may, type Node } from './nodes.ts';
import type { OpenFile } from './openfile.ts';
import { AT, namedBy, nodeAt } from './paths.ts';
import type { SyscallRow } from './row.ts';
import { MAX_PATH } from './walk.ts';

const TYPE = {
  socket: 0o140000,
  fifo: 0o010000,
  device: 0o020000,
  directory: 0o040000,
  file: 0o100000,
  link: 0o120000,
} as const;
const BLOCK_DEVICE = 0o060000;
/** d_type of getdents64: the file type shifted down. */
const typeOf = (node: Node): number => (node.kind === 'device' && node.block ? BLOCK_DEVICE : TYPE[node.kind]);
const entryType = (node: Node): number => typeOf(node) >> 12;
const BLOCK = 4096;
const DEVICE_NUMBER = 0x801;

interface Stat {
  readonly ino: number;
  readonly device: number;
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  /** Number of pages, of 4096 bytes, that the file takes. */
  readonly pages: number;
  readonly rdev: number;
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

function statOf(node: Node): Stat {
  // A directory has 1 link, as in file systems that do not count subdirectories (tree walkers know).
  return {
    ino: node.ino,
    device: DEVICE_NUMBER,
    mode: typeOf(node) | node.mode,
    links: node.kind === 'directory' ? 1 : node.links,
    size:
      node.kind === 'file'
        ? node.contents.size
        : node.kind === 'link'
          ? node.target.length
          : node.kind === 'directory'
            ? BLOCK
            : 0,
    pages: node.kind === 'file' ? node.contents.pages : node.kind === 'directory' ? 1 : 0,
    rdev: node.kind === 'device' ? node.rdev : 0,
    ...node.times,
  };
}

/** Files without a node; each kind is in a file system of its own. */
const NAMELESS_KINDS = {
  pipe: { type: TYPE.fifo, rights: 0o600, device: 15 },
  socket: { type: TYPE.socket, rights: 0o777, device: 8 },
  anonymous: { type: 0, rights: 0o600, device: 16 },
} as const;

function statOfFile(kernel: Kernel, file: OpenFile): Stat {
  if (file.node) return statOf(file.node);
  const { type, rights, device } = NAMELESS_KINDS[file.nameless];
  const start = kernel.clock.realtime - kernel.clock.elapsed;
  return {
    ino: file.inode.number,
    device,
    mode: type | (file.inode.rights ?? rights),
    links: 1,
    size: 0,
    pages: 0,
    rdev: 0,
    accessed: start,
    modified: start,
    changed: start,
  };
}

/** Allocated blocks of 512 bytes. */
const blocksOf = (stat: Stat): number => stat.pages * (BLOCK / 512);

/** struct stat (uapi/asm-generic/stat.h). */
function putStat(kernel: Kernel, at: Addr, stat: Stat): number {
  const { guest } = kernel;
  guest.output(at, 128).fill(0);
  guest.setU64(at, stat.device);
  guest.setU64(at + 8, stat.ino);
  guest.setU32(at + 16, stat.mode);
  guest.setU32(at + 20, stat.links);
  guest.setU32(at + 24, kernel.uid);
  guest.setU32(at + 28, kernel.uid);
  guest.setU64(at + 32, stat.rdev);
  guest.setU64(at + 48, stat.size);
  guest.setU32(at + 56, BLOCK);
  guest.setU64(at + 64, blocksOf(stat));
  guest.setTimespec(at + 72, stat.accessed);
  guest.setTimespec(at + 88, stat.modified);
  guest.setTimespec(at + 104, stat.changed);
  return 0;
}

/** struct statx (uapi/linux/stat.h). */
function putStatx(kernel: Kernel, at: Addr, stat: Stat): number {
  const { guest } = kernel;
  const BASIC_STATS = 0x7ff;
  guest.output(at, 256).fill(0);
  guest.setU32(at, BASIC_STATS);
  guest.setU32(at + 4, BLOCK);
  guest.setU32(at + 16, stat.links);
  guest.setU32(at + 20, kernel.uid);
  guest.setU32(at + 24, kernel.uid);
  guest.setU16(at + 28, stat.mode);
  guest.setU64(at + 32, stat.ino);
  guest.setU64(at + 40, stat.size);
  guest.setU64(at + 48, blocksOf(stat));
  const putTime = (offset: number, time: bigint) => {
    const [seconds, nanoseconds] = split(time);
    guest.setU64(at + offset, seconds);
    guest.setU32(at + offset + 8, Number(nanoseconds));
  };
  putTime(64, stat.accessed);
  putTime(96, stat.changed);
  putTime(112, stat.modified);
  guest.setU32(at + 128, stat.rdev >> 8);
  guest.setU32(at + 132, stat.rdev & 255);
  guest.setU32(at + 136, stat.device >> 8);
  guest.setU32(at + 140, stat.device & 255);
  return 0;
}

function statAt(kernel: Kernel, fd: number, path: Addr, flags: number): Stat {
  if (flags & ~(AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT | AT.EMPTY_PATH)) fail(E.INVAL);
  if (flags & AT.EMPTY_PATH && (path === 0 || kernel.guest.u8(path) === 0))
    return fd === AT.FDCWD ? statOf(kernel.cwd) : statOfFile(kernel, kernel.descriptors.any(fd));
  return statOf(nodeAt(kernel, fd, path, (flags & AT.SYMLINK_NOFOLLOW) === 0));
}

function access(kernel: Kernel, fd: number, path: Addr, mode: number, flags: number): number {
  if (mode & ~7 || flags & ~(AT.EACCESS | AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) fail(E.INVAL);
  const node = namedBy(kernel, fd, path, flags) ?? fail(E.ACCES);
  return may(node, mode) ? 0 : fail(E.ACCES);
}

function readLink(kernel: Kernel, fd: number, path: Addr, buffer: Addr, size: number): number {
  if (size <= 0) fail(E.INVAL);
  // An empty path means a link that was opened with O_PATH.
  const empty = kernel.guest.u8(path) === 0;
  const opened = empty && fd !== AT.FDCWD ? kernel.descriptors.any(fd).node : undefined;
  const node = empty ? (opened ?? fail(E.NOENT)) : nodeAt(kernel, fd, path, false);
  if (node.kind !== 'link') return fail(empty ? E.NOENT : E.INVAL);
  const target = Buffer.from(node.target, 'latin1').subarray(0, size);
  kernel.guest.output(buffer, target.length).set(target);
  return target.length;
}

/** struct linux_dirent64: ino, offset of the next, record length, type, name with NUL; records are 8-byte aligned. */
function readDirectory(kernel: Kernel, fd: number, buffer: Addr, size: number): number {
  const file = kernel.descriptors.get(fd);
  if (!(file instanceof OpenDirectory)) return fail(E.NOTDIR);
  if (size < 0) fail(E.INVAL);
  const { guest, overlay } = kernel;
  const directory = file.node;
  if (directory.gone) fail(E.NOENT);
  const { names } = file;
  let used = 0;
  for (; file.position < names.length; file.position++) {
    const name = names[file.position]!;
    const node = name === '.' ? directory : name === '..' ? directory.parent : overlay.lookup(directory, name);
    // The entry was removed since reading began.
    if (!node) continue;
    const length = alignUp(19 + name.length + 1, 8);
    if (used + length > size) {
      if (used === 0) fail(E.INVAL);
      break;
    }
    const record = guest.output(buffer + used, length);
    record.fill(0);
    guest.setU64(buffer + used, node.ino);
    guest.setU64(buffer + used + 8, file.position + 1);
    guest.setU16(buffer + used + 16, length);
    guest.setU8(buffer + used + 18, entryType(node));
    record.set(Buffer.from(name, 'latin1'), 19);
    used += length;
  }
  return used;
}

/** struct statfs: a file system of 1 GiB, half of it free. */
function putStatfs(kernel: Kernel, at: Addr): number {
  const TMPFS_MAGIC = 0x01021994;
  kernel.guest.output(at, 120).fill(0);
  const words = [TMPFS_MAGIC, BLOCK, 262144, 131072, 131072, 65536, 32768, 0, 255, BLOCK];
  for (const [index, word] of words.entries()) kernel.guest.setU64(at + 8 * index, word);
  return 0;
}

function getCwd(kernel: Kernel, buffer: Addr, size: number): number {
  const path = kernel.overlay.pathOf(kernel.cwd, MAX_PATH) ?? fail(E.NOENT);
  const bytes = Buffer.from(`${path}\0`, 'latin1');
  if (bytes.length > size) fail(E.RANGE);
  kernel.guest.output(buffer, bytes.length).set(bytes);
  return bytes.length;
}

export const STAT_ROWS: readonly SyscallRow[] = [
  { number: 17, name: 'getcwd', arguments: ['address', 'size'], run: getCwd },
  {
    number: 43,
    name: 'statfs',
    arguments: ['path', 'address'],
    run: (k, path, at) => {
      nodeAt(k, AT.FDCWD, path, true);
      return putStatfs(k, at);
    },
  },
  {
    number: 44,
    name: 'fstatfs',
    arguments: ['fd', 'address'],
    run: (k, fd, at) => {
      k.descriptors.any(fd);
      return putStatfs(k, at);
    },
  },
  {
    number: 48,
    name: 'faccessat',
    arguments: ['fd', 'path', 'mode'],
    run: (k, fd, path, mode) => access(k, fd, path, mode, 0),
  },
  { number: 61, name: 'getdents64', arguments: ['fd', 'address', 'int'], slow: true, run: readDirectory },
  { number: 78, name: 'readlinkat', arguments: ['fd', 'path', 'address', 'int'], run: readLink },
  {
    number: 79,
    name: 'newfstatat',
    arguments: ['fd', 'path', 'address', 'flags'],
    run: (k, fd, path, at, flags) => putStat(k, at, statAt(k, fd, path, flags)),
  },
  {
    number: 80,
    name: 'fstat',
    arguments: ['fd', 'address'],
    run: (k, fd, at) => putStat(k, at, statOfFile(k, k.descriptors.any(fd))),
  },
  {
    number: 291,
    name: 'statx',
    arguments: ['fd', 'path', 'flags', 'flags', 'address'],
    run: (k, fd, path, flags, mask, at) => {
      const [SYNC, RESERVED] = [0x6000, 0x8000_0000];
      if ((flags & SYNC) === SYNC || mask & RESERVED) return fail(E.INVAL);
      return putStatx(k, at, statAt(k, fd, path, flags & ~SYNC));
    },
  },
  { number: 439, name: 'faccessat2', arguments: ['fd', 'path', 'mode', 'flags'], run: access },
];
