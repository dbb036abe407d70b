/**
 * The overlay file system. The guest sees the host's granted directories at their own paths; all that the guest creates, writes,
 * renames or removes stays in memory. Ancestors of granted directories exist and list only the way there; every other path is refused
 * with ENOENT without a look at the host, so that a run depends on nothing outside the grant.
 */
import { type BigIntStats, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { badOption } from '../../base/errors.ts';
import { Reach } from '../../base/reach.ts';
import { Contents } from './contents.ts';
import { E, fail } from './errno.ts';
import { HostFile } from './hostfile.ts';
import {
  costOfList,
  costOfName,
  costOfNode,
  type DeviceNode,
  type DirectoryNode,
  type FileNode,
  type LinkNode,
  type LiveEntries,
  type MeetingNode,
  may,
  type Node,
  type Times,
  toBinary,
} from './nodes.ts';
import { Usage } from './usage.ts';

/** uapi/linux/openat2.h. */
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16, CACHED: 32 } as const;
const MAX_LINKS = 40;
const MAX_NAME = 255;
export const MAX_PATH = 4096;
const [S_ISUID, S_ISGID, S_IXGRP] = [0o4000, 0o2000, 0o10];
/** Device numbers, as st_rdev has them. */
const DEVICES = { null: 0x103, zero: 0x105, full: 0x107, random: 0x109, tty: 0x500 } as const;

/** Where a path leads: its last directory, its last name, and the node there (if any). */
export interface Place {
  readonly directory: DirectoryNode;
  /** `.` if the path names the directory itself. */
  readonly name: string;
  readonly node: Node | undefined;
  /** The path ended in a slash: only a directory may be there. */
  readonly slash: boolean;
}

export class Overlay {
  readonly root: DirectoryNode;
  readonly #now: () => bigint;
  readonly #usage = new Usage();
  readonly #reach = new Reach();
  /** Host files of several names, by device and inode number. */
  readonly #linked = new Map<string, Node>();
  #nextIno = 2;
  /** RLIMIT_FSIZE, in bytes: writes do not make a file longer. */
  sizeLimit = Number.POSITIVE_INFINITY;

  /**
   * @param grants absolute host directories, POSIX paths
   * @param now nanoseconds since the epoch, for the times of nodes that the guest changes
   */
  constructor(grants: readonly string[], now: () => bigint) {
    this.#now = now;
    this.root = this.#directory(undefined, undefined, '');
    seal(this.root);
    // Shorter paths first: a grant inside another one is found there.
    const ordered = [...grants].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
    for (const grant of ordered) this.#grant(grant);
    // /tmp is writable, even if it is only an ancestor of a granted directory.
    const tmp = this.#ancestors('/tmp');
    tmp.mode = 0o1777;
    tmp.sealed = false;
    const devices = this.#ancestors('/dev');
    for (const device of ['null', 'zero', 'full', 'random', 'urandom', 'tty'] as const)
      if (!devices.entries.has(device))
        devices.entries.set(device, this.#device(device === 'urandom' ? 'random' : device));
  }

  /** Makes the working directory exist, empty if it is not granted. */
  ensureDirectory(path: string): DirectoryNode {
    try {
      const { node } = this.find(this.root, toBinary(path), true);
      if (node?.kind === 'directory') return node;
    } catch {
      // The path is outside the grants: the directory is made below.
    }
    return this.#ancestors(path);
  }

  /** Provides a symbolic link from the start, which counts as no change (/proc/self). */
  provideLink(path: string, target: string): void {
    this.#provide(path, this.makeLink(toBinary(target)));
  }

  /** Provides a file of /proc, whose contents are generated at each open. */
  provideMade(path: string, made: () => Uint8Array): void {
    this.#provide(path, {
      kind: 'file',
      contents: this.bytes(new Uint8Array(0)),
      opens: 0,
      made,
      ...this.#common(0o444),
    });
  }
  /** File contents with these bytes. */
  bytes(bytes: Uint8Array): Contents {
    return Contents.from(this.#usage, bytes);
  }

  /** Provides a file from the start, whatever the host has there, which counts as no change: the guest's own executable. */
  provideFile(path: string, bytes: Uint8Array): FileNode {
    const host = hostStat(path);
    const common = this.#common(host === undefined ? 0o755 : Number(host.mode) & 0o7777, host && timesOf(host));
    const node: FileNode = { kind: 'file', contents: this.bytes(bytes), opens: 0, runs: true, ...common };
    this.#provide(path, node);
    return node;
  }

  /** A directory of /proc. */
  provideLive(path: string, live: LiveEntries): void {
    const at = path.lastIndexOf('/');
    const parent = this.#ancestors(path.slice(0, at), true);
    const node = this.#directory(undefined, parent, path.slice(at + 1));
    this.#provide(path, Object.assign(node, { live, sealed: true, mode: 0o500 }));
  }
  /** An entry of such a directory. */
  magicLink(mode: number, target: () => string, to: () => Node): LinkNode {
    return Object.defineProperty({ kind: 'link' as const, target: '', to, ...this.#common(mode) }, 'target', {
      get: target,
    });
  }
  /** A stand-in for a pipe or socket that is nowhere in the file system. */
  nameless(kind: MeetingNode['kind'], mode: number): MeetingNode {
    return { kind, pipe: undefined, foreign: true, ...this.#common(mode) };
  }

  #provide(path: string, node: Node): void {
    const at = path.lastIndexOf('/');
    this.#ancestors(path.slice(0, at), true).entries.set(toBinary(path.slice(at + 1)), node);
  }

  /**
   * Walks a path as Linux does (fs/namei.c). Throws Errno when a directory on the way is missing or not granted; the last
   * component may be missing (node undefined).
   * @param base where a relative path starts
   * @param follow follow a symbolic link in the last component (with a trailing slash, a link is always followed)
   * @param resolve bits of RESOLVE
   */
  find(base: DirectoryNode, path: string, follow: boolean, resolve = 0): Place {
    if (path === '') fail(E.NOENT);
    if (path.length >= MAX_PATH) fail(E.NAMETOOLONG);
    const beneath = (resolve & RESOLVE.BENEATH) !== 0;
    const scoped = (resolve & (RESOLVE.BENEATH | RESOLVE.IN_ROOT)) !== 0;
    const root = scoped ? base : this.root;
    let directory = base;
    const toRoot = (name: string) => {
      if (!name.startsWith('/')) return;
      if (beneath) fail(E.XDEV);
      directory = root;
    };
    toRoot(path);
    let rest = path.split('/').filter((part) => part !== '');
    let slash = path.endsWith('/');
    let links = 0;
    while (rest.length > 0) {
      const name = rest.shift()!;
      const last = rest.length === 0;
      if (!may(directory, 1)) fail(E.ACCES);
      if (name === '.' || name === '..') {
        if (name === '..' && directory !== root) directory = directory.parent;
        else if (name === '..' && beneath) fail(E.XDEV);
        if (last) return { directory, name: '.', node: directory, slash };
        continue;
      }
      let node = this.entry(directory, name);
      if (node?.kind === 'link' && (!last || follow || slash)) {
        if (++links > MAX_LINKS || resolve & RESOLVE.NO_SYMLINKS) fail(E.LOOP);
        if (node.to && resolve & RESOLVE.NO_MAGICLINKS) fail(E.LOOP);
        if (node.to && scoped) fail(E.XDEV);
        if (!node.to) toRoot(node.target);
        else node = node.to();
      }
      if (node?.kind === 'link' && (!last || follow || slash)) {
        rest = [...node.target.split('/').filter((part) => part !== ''), ...rest];
        // A slash behind the target of the last link asks for a directory as a slash behind the path does.
        if (last) slash ||= node.target.endsWith('/');
        continue;
      }
      if (last) {
        if (slash && node && node.kind !== 'directory') fail(E.NOTDIR);
        return { directory, name, node, slash };
      }
      if (!node) return fail(E.NOENT);
      if (node.kind !== 'directory') return fail(E.NOTDIR);
      directory = node;
    }
    return { directory, name: '.', node: directory, slash };
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
    return directory.host === undefined ? undefined : this.#fromHost(directory, name);
  }

  /** All names in a directory, in byte order, without `.` and `..`. */
  list(directory: DirectoryNode): string[] {
    if (directory.live) return directory.live.names();
    const names = new Set<string>();
    if (directory.host !== undefined)
      try {
        const found = this.#reach.at(`${directory.host}/`, (path) => readdirSync(path, { encoding: 'latin1' }));
        for (const name of found) names.add(name);
      } catch {
        fail(E.ACCES);
      }
    for (const [name, node] of directory.entries)
      if (node) names.add(name);
      else names.delete(name);
    return [...names].filter((name) => this.lookup(directory, name)).sort();
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
  /** Counts the memory of a node that the guest makes. Fails with ENOSPC. */
  #made<T extends Node>(node: T): T {
    this.#usage.take(costOfNode(node));
    node.counted = true;
    return node;
  }

  /** New nodes have no name yet; place gives them one. */
  makeFile(mode: number): FileNode {
    const contents = new Contents(this.#usage);
    return this.#made({ kind: 'file', contents, opens: 0, ...this.#common(mode), links: 0 });
  }
  makeDirectory(mode: number, parent: DirectoryNode, name: string): DirectoryNode {
    const node = this.#directory(undefined, parent, name);
    node.mode = mode | (parent.mode & S_ISGID);
    node.links = 0;
    return this.#made(node);
  }
  makeMeeting(kind: MeetingNode['kind'], mode: number): MeetingNode {
    return this.#made({ kind, pipe: undefined, ...this.#common(mode), links: 0 });
  }
  makeLink(target: string): LinkNode {
    return this.#made({ kind: 'link', target, ...this.#common(0o777), links: 0 });
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

  #common(mode: number, times?: Times) {
    const now = this.#now();
    return {
      ino: this.#nextIno++,
      mode,
      links: 1,
      times: times ?? { accessed: now, modified: now, changed: now },
      changed: false,
    };
  }

  #directory(host: string | undefined, parent: DirectoryNode | undefined, name: string, times?: Times): DirectoryNode {
    const node = {
      kind: 'directory' as const,
      entries: new Map<string, Node | null>(),
      placed: new Set<string>(),
      host,
      sealed: false,
      fixed: false,
      name,
      gone: false,
      ...this.#common(0o755, times),
    } as unknown as DirectoryNode;
    node.parent = parent ?? node;
    return node;
  }

  #device(device: keyof typeof DEVICES): DeviceNode {
    return { kind: 'device', device, rdev: DEVICES[device], block: false, ...this.#common(0o666) };
  }

  /**
   * A directory that exists whatever the host has; directories that are made on the way are sealed.
   * @param sealed seal the last directory, too, if it is made
   */
  #ancestors(path: string, sealed = false): DirectoryNode {
    let at = this.root;
    const names = toBinary(path)
      .split('/')
      .filter((part) => part !== '');
    for (const [index, name] of names.entries()) {
      let next = at.entries.get(name) ?? (at.host === undefined ? undefined : this.#fromHost(at, name));
      if (next?.kind !== 'directory') {
        next = this.#directory(undefined, at, name);
        if (sealed || index < names.length - 1) seal(next);
        at.entries.set(name, next);
      }
      at = next;
    }
    return at;
  }

  #grant(path: string): void {
    let times: Times;
    let mode: number;
    try {
      const stat = statSync(path, { bigint: true });
      if (!stat.isDirectory()) throw badOption(`${path}: is not a directory`, 'a grant is a directory');
      times = timesOf(stat);
      mode = Number(stat.mode) & 0o7777;
    } catch (error) {
      if ((error as Error).name === 'IsoformError') throw error;
      throw badOption(`${path}: cannot be granted: ${(error as NodeJS.ErrnoException).code}`, 'a grant is a directory');
    }
    const at = this.#ancestors(path);
    for (let on = at; !on.fixed; on = on.parent) on.fixed = true;
    // A directory inside one that was granted before has its host path already.
    if (at.host !== undefined) return;
    at.host = path === '/' ? '' : toBinary(path);
    at.sealed = false;
    at.mode = mode;
    Object.assign(at.times, times);
  }

  /** Files that have, or had, several names on the host. */
  get linked(): Iterable<Node> {
    return this.#linked.values();
  }

  /** Is there anything at a path of the host? */
  hostHas(path: string): boolean {
    try {
      this.#reach.at(path, (reached) => lstatSync(reached));
      return true;
    } catch {
      return false;
    }
  }

  #fromHost(directory: DirectoryNode, name: string): Node | undefined {
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
    if (stat.isDirectory()) return Object.assign(this.#directory(path, parent, name, times), { mode, origin });
    const common = { ...this.#common(mode, times), links: Number(stat.nlink), origin };
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

/** Seals a directory: no entry can be made in it, and only its known entries can be seen. */
function seal(directory: DirectoryNode): void {
  directory.sealed = true;
  directory.mode = 0o555;
}

/** @param path a host path, as text */
function hostStat(path: string) {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

/** The host's access times stay hidden: reads on the host change them, so that no two runs would be the same. */
const timesOf = (stat: { mtimeNs: bigint; ctimeNs: bigint }): Times => ({
  accessed: stat.mtimeNs,
  modified: stat.mtimeNs,
  changed: stat.ctimeNs,
});
