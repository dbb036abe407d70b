/** Syscalls that open files. */
import { type Addr, PAGE } from '../../base/units.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { OpenDevice, OpenDirectory, OpenPath, RegularFile } from './nodefiles.ts';
import { type DirectoryNode, fromBinary, may, type Node } from './nodes.ts';
import { O, type OpenFile } from './openfile.ts';
import { findAt, parentAt } from './paths.ts';
import { OpenFifo } from './pipe.ts';
import type { SyscallRow } from './row.ts';
import { type Place, RESOLVE } from './walk.ts';

function openNode(kernel: Kernel, { node, directory, name }: Place & { node: Node }, flags: number): OpenFile {
  if (flags & O.PATH)
    return node.kind === 'directory' ? new OpenDirectory(node, flags, kernel.overlay) : new OpenPath(node, flags);
  const access = flags & O.ACCMODE;
  if (node.kind === 'link') return fail(E.LOOP);
  // O_TRUNC writes to the file in every access mode.
  const writes = access !== 0 || (flags & O.TRUNC) !== 0;
  if (node.kind === 'directory' && (writes || flags & O.CREAT)) fail(E.ISDIR);
  if (!may(node, (access !== O.WRONLY ? 4 : 0) | (writes ? 2 : 0))) fail(E.ACCES);
  if ((node.kind === 'fifo' && node.foreign) || (node.kind === 'device' && node.device === 'host')) {
    const path = fromBinary(pathOf(kernel, directory, name)());
    kernel.report(
      `the guest opened ${path}: pipes and devices of the host, and pipes without a name, cannot be opened by a path (ENXIO)`,
    );
    return fail(E.NXIO);
  }
  // A pipe is opened for reading, writing or both (fs/pipe.c, fifo_open).
  if (node.kind === 'fifo') return access === O.ACCMODE ? fail(E.INVAL) : new OpenFifo(node, flags);
  if (node.kind === 'device' && node.device === 'tty') return fail(E.NXIO);
  if (node.kind === 'device') return new OpenDevice(node, flags, kernel.random);
  if (node.kind === 'directory') return new OpenDirectory(node, flags, kernel.overlay);
  if (node.kind !== 'file') return fail(E.NXIO);
  // A running executable cannot be written to; here only the guest's own runs.
  if (node.runs && writes) fail(E.TXTBSY);
  if (flags & O.TRUNC) {
    node.contents.resize(0);
    kernel.overlay.written(node);
  }
  // A file of /proc is generated at each open, and each time a file of its own.
  const file = node.made ? { ...node, contents: kernel.overlay.provided.bytes(node.made()) } : node;
  return new RegularFile(file, pathOf(kernel, directory, name), flags, kernel.overlay);
}

/** The path of a file, on demand. */
const pathOf = (kernel: Kernel, directory: DirectoryNode, name: string) => (): string =>
  `${kernel.overlay.pathOf(directory) ?? ''}/${name}`.replace(/^\/\//, '/');

/** struct open_how (uapi/linux/openat2.h). */
interface How {
  readonly flags: number;
  readonly mode: number;
  readonly resolve: number;
}

/** openat ignores unknown flags, and with O_PATH all flags but PATH_FLAGS. */
const lenient = (flags: number, mode: number): How => ({
  flags: flags & (flags & O.PATH ? PATH_FLAGS : KNOWN),
  mode: mode & 0o7777,
  resolve: 0,
});

/** openat2 refuses unknown bits and bits without a meaning (fs/open.c, build_open_flags). */
function strict(kernel: Kernel, at: Addr, size: number): How {
  const { guest } = kernel;
  if (size < 24) fail(E.INVAL);
  if (
    size > PAGE ||
    guest
      .input(at, size)
      .subarray(24)
      .some((byte) => byte !== 0)
  )
    fail(E.TOOBIG);
  const [flags, mode, resolve] = [0, 8, 16].map((offset) => guest.word(at + offset)) as [number, number, number];
  if (flags > 2 ** 32 || flags & ~KNOWN || resolve > 2 ** 32 || resolve & ~ALL_RESOLVE) fail(E.INVAL);
  if (resolve & RESOLVE.BENEATH && resolve & RESOLVE.IN_ROOT) fail(E.INVAL);
  if (mode > (makes(flags) ? 0o7777 : 0)) fail(E.INVAL);
  if (flags & O.PATH && flags & ~PATH_FLAGS) fail(E.INVAL);
  if (resolve & RESOLVE.CACHED && (makes(flags) || flags & O.TRUNC)) fail(E.AGAIN);
  return { flags, mode, resolve };
}

const TMPFILE = O.TMPFILE & ~O.DIRECTORY;
const PATH_FLAGS = O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC;
const KNOWN =
  O.ACCMODE |
  O.CREAT |
  O.EXCL |
  O.NOCTTY |
  O.TRUNC |
  O.APPEND |
  O.NONBLOCK |
  O.DSYNC |
  O.ASYNC |
  O.DIRECT |
  O.LARGEFILE |
  O.NOATIME |
  O.SYNC |
  PATH_FLAGS |
  TMPFILE;
const ALL_RESOLVE = Object.values(RESOLVE).reduce((all, bit) => all | bit, 0);
const makes = (flags: number): boolean => (flags & (O.CREAT | TMPFILE)) !== 0;

function open(kernel: Kernel, fd: number, path: Addr, { flags, mode, resolve }: How): number {
  if (flags & TMPFILE) {
    if ((flags & (O.TMPFILE | O.CREAT)) !== O.TMPFILE || (flags & O.ACCMODE) === 0) fail(E.INVAL);
  } else if ((flags & (O.CREAT | O.DIRECTORY)) === (O.CREAT | O.DIRECTORY)) fail(E.INVAL);
  const follow = (flags & O.NOFOLLOW) === 0 && (flags & (O.CREAT | O.EXCL)) !== (O.CREAT | O.EXCL);
  const cloexec = (flags & O.CLOEXEC) !== 0;
  // The flags that F_GETFL shows.
  const kept = flags & ~(O.CREAT | O.EXCL | O.TRUNC | O.CLOEXEC);
  if (kernel.guest.string(path) === '') fail(E.NOENT);
  kernel.descriptors.free();
  // O_CREAT refuses a slash behind the name, even of an existing directory (fs/namei.c, open_last_lookups).
  if (flags & O.CREAT) {
    const wanted = parentAt(kernel, fd, path, resolve);
    if (wanted.slash && wanted.name !== '.') fail(E.ISDIR);
  }
  const place = findAt(kernel, fd, path, follow, resolve);
  const { directory, name, node, slash } = place;
  if (flags & TMPFILE) {
    if (node?.kind !== 'directory') return fail(node ? E.NOTDIR : E.NOENT);
    if (!may(node, 3)) fail(E.ACCES);
    const file = kernel.overlay.makeFile(mode & ~kernel.umask);
    file.linkable = (flags & O.EXCL) === 0;
    const path = () => `${pathOf(kernel, node.parent, node.name)()}/#${file.ino} (deleted)`;
    return kernel.descriptors.add(new RegularFile(file, path, kept, kernel.overlay), cloexec);
  }
  if (node) {
    if ((flags & (O.CREAT | O.EXCL)) === (O.CREAT | O.EXCL)) fail(E.EXIST);
    if (flags & O.DIRECTORY && node.kind !== 'directory') fail(E.NOTDIR);
    const file = openNode(kernel, { ...place, node }, flags);
    file.flags = kept;
    file.where = pathOf(kernel, directory, name);
    return kernel.descriptors.add(file, cloexec);
  }
  if ((flags & O.CREAT) === 0) return fail(E.NOENT);
  if (slash) return fail(E.ISDIR);
  if (directory.gone) fail(E.NOENT);
  if (!may(directory, 3)) fail(E.ACCES);
  const file = kernel.overlay.makeFile(mode & ~kernel.umask);
  kernel.overlay.place(directory, name, file);
  const made = new RegularFile(file, pathOf(kernel, directory, name), kept, kernel.overlay);
  return kernel.descriptors.add(made, cloexec);
}

export const OPEN_ROWS: readonly SyscallRow[] = [
  {
    number: 56,
    name: 'openat',
    arguments: ['fd', 'path', 'flags', 'mode'],
    slow: true,
    unused: (_, __, flags) => (flags & O.CREAT || (flags & O.TMPFILE) === O.TMPFILE ? [] : [3]),
    run: (k, fd, path, flags, mode) => open(k, fd, path, lenient(flags, mode)),
  },
  {
    number: 437,
    name: 'openat2',
    arguments: ['fd', 'path', 'address', 'size'],
    slow: true,
    run: (k, fd, path, how, size) => open(k, fd, path, strict(k, how, size)),
  },
];
