/** Common parts of syscalls on paths: the base of a path, permissions, and look-ups in the overlay's tree. */
import type { Addr } from '../../base/units.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { OpenDirectory } from './nodefiles.ts';
import { type DirectoryNode, may, type Node } from './nodes.ts';
import { type Place, RESOLVE } from './walk.ts';

export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  REMOVEDIR: 0x200,
  EACCESS: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
} as const;

/** The directory that a path relative to `fd` starts in. */
function baseOf(kernel: Kernel, fd: number, path: string, resolve = 0): DirectoryNode {
  if (fd === AT.FDCWD || (path.startsWith('/') && (resolve & RESOLVE.IN_ROOT) === 0)) return kernel.cwd;
  const file = kernel.descriptors.any(fd);
  return file instanceof OpenDirectory ? file.node : fail(E.NOTDIR);
}

/** Where the path at a guest address leads. */
export function findAt(kernel: Kernel, fd: number, address: Addr, follow: boolean, resolve = 0): Place {
  const path = kernel.guest.string(address);
  if (path === '') fail(E.NOENT);
  return kernel.overlay.find(baseOf(kernel, fd, path, resolve), path, follow, resolve);
}

/** A name in an existing directory, whether or not a node has that name (`.`: the path names the directory itself). */
export interface Named {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly slash: boolean;
}

/** The directory that the last name of a path is looked for in (fs/namei.c, filename_parentat). */
export function parentAt(kernel: Kernel, fd: number, address: Addr, resolve = 0): Named {
  const path = kernel.guest.string(address);
  if (path === '') fail(E.NOENT);
  const base = baseOf(kernel, fd, path, resolve);
  const bare = path.replace(/(?<=[^/])\/+$/, '');
  const cut = bare.lastIndexOf('/') + 1;
  const name = bare.slice(cut);
  const slash = bare !== path;
  if (['', '.', '..'].includes(name)) return kernel.overlay.find(base, path, true, resolve);
  const directory = cut === 0 ? base : kernel.overlay.find(base, bare.slice(0, cut), true, resolve).node;
  if (!directory) return fail(E.NOENT);
  if (directory.kind !== 'directory') return fail(E.NOTDIR);
  return may(directory, 1) ? { directory, name, slash } : fail(E.ACCES);
}

/** As findAt, but fails with ENOENT if no node is there. */
export const nodeAt = (kernel: Kernel, fd: number, address: Addr, follow: boolean): Node =>
  findAt(kernel, fd, address, follow).node ?? fail(E.NOENT);

/** The node that an `at` call is about: with AT_EMPTY_PATH perhaps the descriptor's own, which may have none. */
export function namedBy(kernel: Kernel, fd: number, path: Addr, flags: number): Node | undefined {
  if ((flags & AT.EMPTY_PATH) === 0 || kernel.guest.u8(path) !== 0)
    return nodeAt(kernel, fd, path, (flags & AT.SYMLINK_NOFOLLOW) === 0);
  return fd === AT.FDCWD ? kernel.cwd : kernel.descriptors.any(fd).node;
}

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
