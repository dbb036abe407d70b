/** Common parts of syscalls on paths: the base of a path, permissions, and look-ups in the overlay's tree. */
import type { Addr } from '../../base/units.ts';
import { OpenDirectory } from './descriptors.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { DirectoryNode, Node } from './nodes.ts';
import type { Place } from './overlay.ts';

export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
} as const;

/** The directory that a path relative to `fd` starts in. */
function baseOf(kernel: Kernel, fd: number, path: string): DirectoryNode {
  if (fd === AT.FDCWD || path.startsWith('/')) return kernel.cwd;
  const file = kernel.descriptors.any(fd);
  return file instanceof OpenDirectory ? file.node : fail(E.NOTDIR);
}

/** Where the path at a guest address leads. */
export function findAt(kernel: Kernel, fd: number, address: Addr, follow: boolean): Place {
  const path = kernel.guest.string(address);
  if (path === '') fail(E.NOENT);
  return kernel.overlay.find(baseOf(kernel, fd, path), path, follow);
}

/** A name in an existing directory, whether or not a node has that name (`.`: the path names the directory itself). */
export interface Named {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly slash: boolean;
}

/** The directory that the last name of a path is looked for in (fs/namei.c, filename_parentat). */
export function parentAt(kernel: Kernel, fd: number, address: Addr): Named {
  const path = kernel.guest.string(address);
  if (path === '') fail(E.NOENT);
  const base = baseOf(kernel, fd, path);
  const bare = path.replace(/(?<=[^/])\/+$/, '');
  const cut = bare.lastIndexOf('/') + 1;
  const name = bare.slice(cut);
  const slash = bare !== path;
  if (['', '.', '..'].includes(name)) return kernel.overlay.find(base, path, true);
  const directory = cut === 0 ? base : kernel.overlay.get(base, bare.slice(0, cut), true);
  return directory.kind === 'directory' ? { directory, name, slash } : fail(E.NOTDIR);
}

/** As findAt, but fails with ENOENT if no node is there. */
export const nodeAt = (kernel: Kernel, fd: number, address: Addr, follow: boolean): Node =>
  findAt(kernel, fd, address, follow).node ?? fail(E.NOENT);

/** Does a node grant permissions? The guest owns all nodes: only the owner's bits count. @param wanted 4 read, 2 write, 1 execute */
export const may = (node: Node, wanted: number): boolean => ((node.mode >> 6) & wanted) === wanted;

/** A place for a new node: the name is free, and its directory is writable. */
export function freeAt(kernel: Kernel, fd: number, address: Addr, forDirectory = false): Place {
  const path = kernel.guest.string(address);
  if (path === '') fail(E.NOENT);
  // An existing node gives EEXIST, whatever stands behind its name.
  const name = path.replace(/(?<=[^/])\/+$/, '');
  const place = kernel.overlay.find(baseOf(kernel, fd, path), name, false);
  if (place.node) fail(E.EXIST);
  if (path !== name && !forDirectory) fail(E.NOENT);
  if (place.directory.gone) fail(E.NOENT);
  if (!may(place.directory, 3)) fail(E.ACCES);
  return place;
}
