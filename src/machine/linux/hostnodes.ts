/** Nodes that stand for inodes of the host. The host is read when an entry is first looked up, and never written. */
import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { Reach } from '../../base/reach.ts';
import { Contents } from './contents.ts';
import { E, fail } from './errno.ts';
import { HostFile } from './hostfile.ts';
import type { Inodes } from './inodes.ts';
import type { DirectoryNode, Node, Times } from './nodes.ts';
import type { Usage } from './usage.ts';

export class HostNodes {
  readonly #inodes: Inodes;
  readonly #usage: Usage;
  readonly #reach = new Reach();
  /** Host files of several names, by device and inode number. */
  readonly #linked = new Map<string, Node>();

  constructor(inodes: Inodes, usage: Usage) {
    this.#inodes = inodes;
    this.#usage = usage;
  }

  /** Files that have, or had, several names on the host. */
  get linked(): Iterable<Node> {
    return this.#linked.values();
  }

  /** Is there anything at a path of the host? */
  has(path: string): boolean {
    try {
      this.#reach.at(path, (reached) => lstatSync(reached));
      return true;
    } catch {
      return false;
    }
  }

  /** The names that the host has in a directory, which is on the host. Fails with EACCES. */
  names(directory: DirectoryNode): readonly string[] {
    try {
      return this.#reach.at(`${directory.host}/`, (path) => readdirSync(path, { encoding: 'latin1' }));
    } catch {
      return fail(E.ACCES);
    }
  }

  /** Puts the host's entry of a name into a directory, which is on the host. */
  entry(directory: DirectoryNode, name: string): Node | undefined {
    const host = `${directory.host}/${name}`;
    try {
      const stat = this.#reach.at(host, (path) => lstatSync(path, { bigint: true }));
      const key = stat.isFile() && stat.nlink > 1n ? `${stat.dev}:${stat.ino}` : undefined;
      const linked = key === undefined ? undefined : this.#linked.get(key);
      const node = linked ?? this.#standFor(stat, host, directory, name);
      if (key !== undefined && !linked) this.#linked.set(key, node);
      directory.entries.set(name, node);
      return node;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'ENOENT' ? undefined : fail(code === 'ENAMETOOLONG' ? E.NAMETOOLONG : E.ACCES);
    }
  }

  /** A node for an inode of the host. */
  #standFor(stat: BigIntStats, path: string, parent: DirectoryNode, name: string): Node {
    const origin = { path, modified: stat.mtimeNs };
    const mode = Number(stat.mode) & 0o7777;
    const times = timesOf(stat);
    if (stat.isDirectory()) return Object.assign(this.#inodes.directory(path, parent, name, times), { mode, origin });
    const common = { ...this.#inodes.attributes(mode, times), links: Number(stat.nlink), origin };
    if (stat.isFile()) {
      const base = new HostFile(this.#usage, this.#reach, path, Number(stat.size));
      return { kind: 'file', contents: new Contents(this.#usage, base), opens: 0, ...common };
    }
    if (stat.isSymbolicLink()) {
      const target = this.#reach.at(path, (reached) => readlinkSync(reached, { encoding: 'latin1' }));
      return { kind: 'link', target, ...common, mode: 0o777 };
    }
    // FIFOs, sockets and devices of the host are there, but opening one would make a run depend on other processes.
    if (stat.isFIFO() || stat.isSocket())
      return { kind: stat.isFIFO() ? 'fifo' : 'socket', pipe: undefined, foreign: true, ...common };
    return { kind: 'device', device: 'host', rdev: Number(stat.rdev), block: stat.isBlockDevice(), ...common };
  }
}

/** The host's access times stay hidden: reads on the host change them, so that no two runs would be the same. */
export const timesOf = (stat: { mtimeNs: bigint; ctimeNs: bigint }): Times => ({
  accessed: stat.mtimeNs,
  modified: stat.mtimeNs,
  changed: stat.ctimeNs,
});
