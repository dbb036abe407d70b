/**
 * Lets a guest's file changes out to the host, after it has ended: what is under one directory, deletions first. Each file appears
 * whole or not at all.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { cannotWrite, IsoformError } from '../base/errors.ts';
import { replaceFile, replaceLink } from '../base/files.ts';
import type { Change } from '../machine/process.ts';

/** @param directory changes elsewhere stay in memory. Throws cannot-write; what was written before stays. */
export function writeThrough(changes: readonly Change[], directory: string): void {
  const root = resolve(directory);
  const inside = changes.filter(({ path }) => path === root || path.startsWith(root === '/' ? root : `${root}/`));
  for (const change of inside)
    if (change.kind === 'deleted') attempt(change.path, () => rmSync(change.path, { recursive: true, force: true }));
  // In order of paths: a directory comes before what is in it.
  for (const change of inside) attempt(change.path, () => apply(change));
}

function apply(change: Change): void {
  const { path } = change;
  if (change.kind === 'deleted') return;
  if (change.kind === 'directory') {
    if (kindAt(path) !== 'directory') rmSync(path, { force: true });
    mkdirSync(path, { recursive: true });
    chmodSync(path, change.mode);
    return;
  }
  if (kindAt(path) === 'directory') rmSync(path, { recursive: true });
  if (change.kind === 'link') replaceLink(path, change.target);
  else replaceFile(path, change.bytes, change.mode, true);
}

function kindAt(path: string): 'directory' | 'other' | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat && (stat.isDirectory() ? 'directory' : 'other');
}

function attempt(path: string, operation: () => void): void {
  try {
    operation();
  } catch (error) {
    throw error instanceof IsoformError ? error : cannotWrite(path, error);
  }
}
