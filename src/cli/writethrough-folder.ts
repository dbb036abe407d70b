/** The directory of the host that a guest's changes are written to, and paths under it. */
import {
  chmodSync,
  linkSync,
  lstatSync,
  readdirSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { Reach } from '../base/reach.ts';
import { toBinary } from '../machine/linux/nodes.ts';
import { OWNER_RIGHTS, RIGHT_BITS, SPECIAL_BITS } from './inodes.ts';

/** Paths are absolute, and binary strings. */
export class HostFolder {
  /** The directory's own path, as text. */
  readonly root: string;
  readonly #reach = new Reach();
  /** A second path, in calls that take two. */
  readonly #other = new Reach();

  constructor(root: string) {
    this.root = root;
  }

  /** @param use gets a path, of any length, as a system call takes it */
  at<T>(path: string, use: (reached: Buffer) => T): T {
    return this.#reach.at(path, use);
  }

  /** Closes the directory that is held open on the way to a long path. */
  close(): void {
    this.#reach.close();
  }

  rename(from: string, to: string): void {
    this.at(to, (target) => this.#other.at(from, (source) => renameSync(source, target)));
    this.#other.close();
  }

  /** Gives the inode of a path another name. */
  link(from: string, to: string): void {
    this.at(to, (target) => this.#other.at(from, (source) => linkSync(source, target)));
    this.#other.close();
  }

  /** Undefined if nothing is there. */
  stat(path: string): Stats | undefined {
    // The root directory may be given as a symbolic link.
    const look = path === toBinary(this.root) ? statSync : lstatSync;
    try {
      return this.at(path, (reached) => look(reached));
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  }

  kindAt(path: string): 'directory' | 'other' | undefined {
    const stat = this.stat(path);
    return stat && (stat.isDirectory() ? 'directory' : 'other');
  }

  /** Gives the owner all rights to a directory. @param mode its mode now */
  unlock(path: string, mode: number): void {
    if ((mode & OWNER_RIGHTS) !== OWNER_RIGHTS)
      this.at(path, (reached) => chmodSync(reached, (mode & (RIGHT_BITS | SPECIAL_BITS)) | OWNER_RIGHTS));
  }

  /** Removes a file, a link, or a directory with its contents. */
  remove(path: string): void {
    const stat = this.stat(path);
    if (!stat) return;
    const pending: { path: string; names: string[] }[] = [];
    const enter = (at: string, mode: number) => {
      this.unlock(at, mode);
      pending.push({ path: at, names: this.at(at, (reached) => readdirSync(reached, { encoding: 'latin1' })) });
    };
    const take = (at: string, found: { mode: number; isDirectory(): boolean }) => {
      if (found.isDirectory()) enter(at, found.mode);
      else this.at(at, (reached) => unlinkSync(reached));
    };
    take(path, stat);
    // No recursion: directories may be nested deeper than our stack.
    while (pending.length > 0) {
      const { path: at, names } = pending.at(-1)!;
      const name = names.pop();
      if (name !== undefined) {
        const found = this.stat(`${at}/${name}`);
        if (found) take(`${at}/${name}`, found);
        continue;
      }
      pending.pop();
      this.at(at, (reached) => rmdirSync(reached));
    }
    // The directory that is held open may have been removed.
    this.close();
  }
}
