/**
 * Writes a guest's file changes under one directory to the host, after the guest has ended. All new files are first made in a staging
 * directory, because the bytes of a file may still lie in a host file that another new file replaces; a moved host file is linked there, and
 * stays the same inode. Then each new file is renamed to its path, whole or not at all, and deleted files are removed. A host file with
 * several names, or of another owner, is written in place: only so all its names have the new bytes. A guest cannot set mode bits beyond rwx
 * (setuid, setgid, sticky) on the host.
 */
import { resolve } from 'node:path';
import { cannotWrite, IsoformError } from '../base/errors.ts';
import { Errno, errnoName } from '../machine/linux/errno.ts';
import { fromBinary, toBinary } from '../machine/linux/nodes.ts';
import type { Change } from '../machine/process.ts';
import { HostFolder } from './writethrough-folder.ts';
import { HostInodes } from './writethrough-inodes.ts';
import { Places } from './writethrough-places.ts';
import { deferredChanges, leftBehind, touchedFolders, within } from './writethrough-plan.ts';
import { Staged } from './writethrough-staging.ts';

/** @param directory changes elsewhere stay in memory. @throws cannot-write; changes written before the error stay */
export function writeThrough(changes: Iterable<Change>, directory: string): void {
  const root = toBinary(resolve(directory));
  const inside = within(changes, root);
  const touched = touchedFolders(inside);
  const folder = new HostFolder(fromBinary(root));
  const staged = new Staged(folder);
  const places = new Places(folder, staged, leftBehind(inside));
  const inodes = new HostInodes(folder, staged);
  const each = (work: (change: Change) => void, list: readonly Change[] = inside) => {
    for (const change of list)
      try {
        work(change);
      } catch (error) {
        throw error instanceof IsoformError ? error : cannotWrite(fromBinary(change.path), asNodeError(error));
      }
    folder.close();
  };
  try {
    each((change) => {
      inodes.note(change);
      staged.look(change);
    });
    each((change) => inodes.unlock(change));
    each((change) => staged.prepare(change));
    // New files are placed before old ones are removed, so that a renamed file is never missing. If a new file cannot be placed before the
    // old one is removed, both changes wait till the end.
    const deferred = deferredChanges(inside, (path) => folder.kindAt(path));
    const immediate = inside.filter((change) => !deferred.has(change));
    each((change) => places.place(change), immediate);
    each((change) => places.remove(change), immediate);
    each(
      (change) => {
        places.remove(change);
        places.place(change);
      },
      inside.filter((change) => deferred.has(change)),
    );
    each((change) => inodes.fill(change));
    // The deepest first: a new mode of a directory may forbid the way to its entries, and a new entry changes the directory's time.
    each((change) => {
      inodes.setMode(change);
      inodes.setTimes(change);
    }, [...inside].reverse());
    inodes.keepTimes(touched);
  } finally {
    folder.close();
    staged.end(touched);
  }
}

/** Converts an Errno, which reading a guest file's contents from the host may throw, to the form of a Node error. */
const asNodeError = (error: unknown): unknown => (error instanceof Errno ? { code: errnoName(error.code) } : error);
