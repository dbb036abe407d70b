/** Which of a guest's changes come to the host, and which of them have to wait. */
import { cannotWrite } from '../base/errors.ts';
import { Errno, errnoName } from '../machine/linux/errno.ts';
import { fromBinary } from '../machine/linux/nodes.ts';
import type { Change } from '../machine/process.ts';

/** Changes at or under a directory. @throws cannot-write if a directory that was moved cannot be read */
export function within(changes: Iterable<Change>, root: string): Change[] {
  try {
    return [...changes].filter(({ path }) => path === root || path.startsWith(root === '/' ? root : `${root}/`));
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    throw cannotWrite(fromBinary(root), {
      code: `a directory in it was moved and cannot be read: ${errnoName(error.code)}`,
    });
  }
}

/** Deleted paths that no change makes again: an inode of such a path may have been moved. */
export function leftBehind(changes: readonly Change[]): Set<string> {
  const left = new Set(changes.filter(({ kind }) => kind === 'deleted').map(({ path }) => path));
  for (const { kind, path } of changes) if (kind !== 'deleted') left.delete(path);
  return left;
}

/** Directories whose time changes: entries were made or removed, or the guest has set the time. */
export const touchedFolders = (changes: readonly Change[]): Set<string> =>
  new Set(
    changes.flatMap((change) => {
      if (change.kind === 'deleted' || change.made) return [folderOf(change.path), change.path];
      return change.kind === 'directory' ? [change.path] : [];
    }),
  );

export const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/** Changes that replace a directory, or replace a file or link by a directory, with all changes below and the deletions at their paths. */
export function deferredChanges(
  changes: readonly Change[],
  kindAt: (path: string) => 'directory' | 'other' | undefined,
): Set<Change> {
  const deferred = new Set<Change>();
  let root: string | undefined;
  for (const change of changes) {
    const { kind, path } = change;
    if (root === undefined || (path !== root && !path.startsWith(`${root}/`))) {
      const there = isMade(change) ? kindAt(path) : undefined;
      root = there === 'directory' || (there !== undefined && kind === 'directory') ? path : undefined;
    }
    if (root !== undefined) deferred.add(change);
  }
  // The deletion of a path comes before the change that makes the path again.
  const places = new Set([...deferred].map(({ path }) => path));
  for (const change of changes) if (change.kind === 'deleted' && places.has(change.path)) deferred.add(change);
  return deferred;
}

/** Does the change make a new name at the path, or new contents? */
export const isMade = (change: Change): boolean =>
  change.kind !== 'deleted' && (change.made || (change.kind === 'file' && change.contents !== undefined));
