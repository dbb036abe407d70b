/**
 * The overlay file system. The guest sees the host's granted directories at their own paths; all that the guest creates, writes,
 * renames or removes stays in memory. Ancestors of granted directories exist and list only the way there; every other path is refused
 * with ENOENT without a look at the host, so that a run depends on nothing outside the grant.
 */
import { Contents } from './contents.ts';
import { E, fail } from './errno.ts';
import { HostNodes } from './hostnodes.ts';
import { Inodes } from './inodes.ts';
import {
  costOfList,
  costOfName,
  costOfNode,
  type DirectoryNode,
  type FileNode,
  type LinkNode,
  type MeetingNode,
  type Node,
  toBinary,
} from './nodes.ts';
import { Provided } from './provided.ts';
import { Usage } from './usage.ts';
import { type Place, walk } from './walk.ts';

const MAX_NAME = 255;
const [S_ISUID, S_ISGID, S_IXGRP] = [0o4000, 0o2000, 0o10];

export class Overlay {
  readonly root: DirectoryNode;
  /** What is there from the start. */
  readonly provided: Provided;
  readonly #now: () => bigint;
  readonly #usage = new Usage();
  readonly #inodes: Inodes;
  readonly #host: HostNodes;
  /** RLIMIT_FSIZE, in bytes: writes do not make a file longer. */
  sizeLimit = Number.POSITIVE_INFINITY;

  /**
   * @param grants absolute host directories, POSIX paths
   * @param now nanoseconds since the epoch, for the times of nodes that the guest changes
   * @throws bad-option for a grant that is no directory of the host
   */
  constructor(grants: readonly string[], now: () => bigint) {
    this.#now = now;
    this.#inodes = new Inodes(now, this.#usage);
    this.#host = new HostNodes(this.#inodes, this.#usage);
    this.provided = new Provided(grants, { inodes: this.#inodes, host: this.#host, usage: this.#usage });
    this.root = this.provided.root;
  }

  /** Makes the working directory exist, empty if it is not granted. */
  ensureDirectory(path: string): DirectoryNode {
    try {
      const { node } = this.find(this.root, toBinary(path), true);
      if (node?.kind === 'directory') return node;
    } catch {
      // The path is outside the grants: the directory is made below.
    }
    return this.provided.directory(path);
  }

  /**
   * Where a path leads. Throws Errno when a directory on the way is missing or not granted; the last component may be missing (node
   * undefined).
   * @param base where a relative path starts
   * @param follow follow a symbolic link in the last component (with a trailing slash, a link is always followed)
   * @param resolve bits of RESOLVE
   */
  find(base: DirectoryNode, path: string, follow: boolean, resolve = 0): Place {
    return walk(this, path, { base, follow, resolve });
  }

  /** The node that a name in a path leads to. Fails with ENAMETOOLONG. */
  entry(directory: DirectoryNode, name: string): Node | undefined {
    return name.length > MAX_NAME ? fail(E.NAMETOOLONG) : this.lookup(directory, name);
  }

  /** As find, but fails with ENOENT if no node is there. */
  get(base: DirectoryNode, path: string, follow: boolean): Node {
    return this.find(base, path, follow).node ?? fail(E.NOENT);
  }

  /** One entry of a directory. Ungranted entries do not exist (ENOENT): programs handle missing entries, but not forbidden ones. */
  lookup(directory: DirectoryNode, name: string): Node | undefined {
    if (directory.live) return directory.live.entry(name);
    const known = directory.entries.get(name);
    if (known !== undefined) return known ?? undefined;
    if (directory.sealed) return undefined;
    return directory.host === undefined ? undefined : this.#host.entry(directory, name);
  }

  /** All names in a directory, in byte order, without `.` and `..`. */
  list(directory: DirectoryNode): string[] {
    if (directory.live) return directory.live.names();
    const names = new Set(directory.host === undefined ? [] : this.#host.names(directory));
    for (const [name, node] of directory.entries)
      if (node) names.add(name);
      else names.delete(name);
    return [...names].filter((name) => this.lookup(directory, name)).sort();
  }

  /** Files that have, or had, several names on the host. */
  get linked(): Iterable<Node> {
    return this.#host.linked;
  }

  /** Is there anything at a path of the host? */
  hostHas(path: string): boolean {
    return this.#host.has(path);
  }

  /** Bytes of memory that the guest's files, names and nodes take. */
  get used(): number {
    return this.#usage.used;
  }
  /** The names in a directory now, to be read; a call of `forget` has to follow. Fails with ENOSPC. */
  names(directory: DirectoryNode): readonly string[] {
    const names = ['.', '..', ...this.list(directory)];
    this.#usage.take(costOfList(names));
    return names;
  }
  forget(names: readonly string[]): void {
    this.#usage.take(-costOfList(names));
  }

  /** Puts a node under a name, replacing an existing node. Fails with ENOSPC, and then releases a new node. */
  place(directory: DirectoryNode, name: string, node: Node): void {
    if (directory.gone) fail(E.NOENT);
    try {
      if (!directory.placed.has(name)) this.#usage.take(costOfName(name));
    } catch (error) {
      this.release(node);
      throw error;
    }
    this.#put(directory, name, node);
  }
  /** The same for a name whose memory has been counted. */
  #put(directory: DirectoryNode, name: string, node: Node): void {
    const old = this.lookup(directory, name);
    if (old) this.#unlinked(old);
    node.links++;
    directory.entries.set(name, node);
    directory.placed.add(name);
    if (node.kind === 'directory') {
      node.parent = directory;
      node.name = name;
    }
    this.#touch(directory);
  }

  /** Removes a name. The node lives on while it is open or linked elsewhere. */
  remove(directory: DirectoryNode, name: string): void {
    const node = this.lookup(directory, name);
    if (!node) return;
    this.#unlinked(node);
    if (directory.host !== undefined && this.hostHas(`${directory.host}/${name}`)) directory.entries.set(name, null);
    else directory.entries.delete(name);
    if (directory.placed.delete(name)) this.#usage.take(-costOfName(name));
    this.#touch(directory);
  }

  /** Gives a node another name, replacing an existing node. */
  move(from: DirectoryNode, oldName: string, to: DirectoryNode, newName: string): void {
    const node = this.lookup(from, oldName);
    if (!node) return;
    // The link holds the node meanwhile: a file without a name loses its contents.
    node.links++;
    this.remove(from, oldName);
    this.#rename(to, newName, node);
    node.links--;
  }

  /** Exchanges the names of two nodes. */
  exchange(first: DirectoryNode, firstName: string, second: DirectoryNode, secondName: string): void {
    const [node, old] = [this.lookup(first, firstName), this.lookup(second, secondName)];
    if (!node || !old) return;
    for (const held of [node, old]) held.links++;
    this.remove(first, firstName);
    this.remove(second, secondName);
    this.#rename(first, firstName, old);
    this.#rename(second, secondName, node);
    for (const held of [node, old]) held.links--;
  }

  /** Names a node whose old name has just been removed: memory for a name is free. */
  #rename(directory: DirectoryNode, name: string, node: Node): void {
    if (directory.gone) fail(E.NOENT);
    if (!directory.placed.has(name)) this.#usage.keep(costOfName(name));
    this.#put(directory, name, node);
  }

  /** Counts the removal of a name of a node. */
  #unlinked(node: Node): void {
    node.links--;
    this.release(node);
  }
  /** Gives back the memory of a node without a name, unless the node is an open file. */
  release(node: Node): void {
    if (node.links > 0 || (node.kind === 'file' && node.opens > 0)) return;
    if (node.kind === 'file') node.contents.discard();
    if (node.counted) this.#usage.take(-costOfNode(node));
    node.counted = false;
  }

  /** New nodes have no name yet; place gives them one. */
  makeFile(mode: number): FileNode {
    const contents = new Contents(this.#usage);
    return this.#inodes.counted({ kind: 'file', contents, opens: 0, ...this.#inodes.attributes(mode), links: 0 });
  }
  makeDirectory(mode: number, parent: DirectoryNode, name: string): DirectoryNode {
    const node = this.#inodes.directory(undefined, parent, name);
    node.mode = mode | (parent.mode & S_ISGID);
    node.links = 0;
    return this.#inodes.counted(node);
  }
  makeMeeting(kind: MeetingNode['kind'], mode: number): MeetingNode {
    return this.#inodes.counted({ kind, pipe: undefined, ...this.#inodes.attributes(mode), links: 0 });
  }
  makeLink(target: string): LinkNode {
    return this.#inodes.link(target);
  }

  /** As modified; a write takes away the bits that let a program act for its owner (fs/attr.c, setattr_should_drop_suidgid). */
  written(node: Node): void {
    if (node.mode & (S_ISUID | S_ISGID)) this.dropPrivileges(node);
    this.modified(node);
    if (node.asked?.modified !== 'now') node.asked = { ...node.asked, modified: 'now' };
  }
  dropPrivileges(node: Node): void {
    if (node.kind === 'directory') return;
    node.mode &= ~(node.mode & S_IXGRP ? S_ISUID | S_ISGID : S_ISUID);
  }
  /** Marks a node as changed by the guest, now. */
  modified(node: Node): void {
    node.changed = true;
    if (node.asked && node.asked.modified !== 'now') node.asked = { accessed: node.asked.accessed };
    node.times.modified = node.times.changed = this.#now();
  }

  /** The path of a directory, or undefined if it was removed. Fails with ENAMETOOLONG for a path of `limit` bytes or more. */
  pathOf(directory: DirectoryNode, limit = Number.POSITIVE_INFINITY): string | undefined {
    const parts: string[] = [];
    let length = 0;
    for (let at = directory; at !== this.root; at = at.parent) {
      if (at.gone) return undefined;
      parts.push(at.name);
      length += at.name.length + 1;
      if (length >= limit) fail(E.NAMETOOLONG);
    }
    return `/${parts.reverse().join('/')}`;
  }

  #touch(directory: DirectoryNode): void {
    if (directory.asked) directory.asked = { accessed: directory.asked.accessed };
    directory.times.modified = directory.times.changed = this.#now();
  }
}
