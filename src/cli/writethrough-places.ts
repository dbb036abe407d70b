/** Gives new files, links and directories their paths, and removes what the guest has removed. */
import {
  constants,
  copyFileSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  renameSync,
  symlinkSync,
} from 'node:fs';
import { momentaryName } from '../base/files.ts';
import type { Change } from '../machine/process.ts';
import { nodeTime, OWNER_RIGHTS } from './inodes.ts';
import type { HostFolder } from './writethrough-folder.ts';
import { folderOf, isMade } from './writethrough-plan.ts';
import type { Staged } from './writethrough-staging.ts';

export class Places {
  readonly #folder: HostFolder;
  readonly #staged: Staged;
  readonly #left: Set<string>;
  /** By path in the staging directory: the final path. */
  readonly #placed = new Map<string, string>();

  /** @param left paths that become free */
  constructor(folder: HostFolder, staged: Staged, left: Set<string>) {
    this.#folder = folder;
    this.#staged = staged;
    this.#left = left;
  }

  /** Puts a new directory, or the file or link that was staged for a change, at its path. */
  place(change: Change): void {
    const { kind, path } = change;
    if (!isMade(change)) return;
    const made = this.#staged.madeFor(change);
    if (kind === 'directory') {
      this.#placeDirectory(change);
      return;
    }
    if (made === undefined) return;
    if (this.#folder.stat(path)?.isDirectory()) this.#folder.remove(path);
    this.#moveFromHost(change);
    try {
      this.#folder.at(path, (reached) => renameSync(made, reached));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      this.#carry(change, made);
    }
    this.#placed.set(made, path);
  }

  /** Renames an inode whose old path becomes free: a process that is killed meanwhile leaves one of the names, not both. */
  #moveFromHost(change: Change): void {
    const origin = this.#staged.originOf(change);
    if (change.kind === 'deleted' || change.host === undefined || !origin || !this.#left.delete(change.host)) return;
    const { host, path } = change;
    const [there, made] = [this.#folder.stat(host), lstatSync(this.#staged.madeFor(change)!)];
    if (there?.ino !== made.ino || there.dev !== made.dev) return;
    this.#folder.rename(host, path);
  }

  #placeDirectory(change: Change): void {
    const { path } = change;
    const there = this.#folder.stat(path);
    if (there?.isDirectory()) return;
    if (there) this.#folder.remove(path);
    const origin = this.#staged.originOf(change);
    this.#folder.at(path, (reached) => {
      mkdirSync(reached, OWNER_RIGHTS);
      if (origin) lchownSync(reached, origin.uid, origin.gid);
    });
  }

  /** Removes the path if the guest has deleted it. */
  remove({ kind, path }: Change): void {
    if (kind === 'deleted') this.#folder.remove(path);
  }

  /** Moves a staged file or link to another file system: a copy is made beside the final path, then renamed. */
  #carry(change: Change, made: string): void {
    const { path } = change;
    const beside = `${folderOf(path)}/${momentaryName('')}`;
    try {
      if (change.kind === 'link')
        this.#folder.at(beside, (reached) => symlinkSync(Buffer.from(change.target, 'latin1'), reached));
      else this.#copyOrLink(change, made, beside);
      this.#folder.rename(beside, path);
    } catch (error) {
      this.#folder.remove(beside);
      throw error;
    }
  }

  /** Links a file from another of its final paths, or copies the staged file. */
  #copyOrLink(change: Change, made: string, beside: string): void {
    const first = change.kind === 'file' ? this.#staged.writtenOf(change.ino)?.place : undefined;
    const known = first === undefined ? undefined : this.#placed.get(first);
    if (known !== undefined) this.#folder.link(known, beside);
    else this.#folder.at(beside, (reached) => copyFileSync(made, reached, constants.COPYFILE_EXCL));
    if (known !== undefined || !this.#staged.originOf(change)) return;
    // Owner and time of the host's inode; setMode sets the mode at the end.
    const { uid, gid, atimeMs, mtimeMs } = lstatSync(made);
    this.#folder.at(beside, (reached) => {
      lchownSync(reached, uid, gid);
      lutimesSync(reached, nodeTime(atimeMs), nodeTime(mtimeMs));
    });
  }
}
